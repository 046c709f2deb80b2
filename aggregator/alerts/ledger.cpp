#include "aggregator/alerts/ledger.h"

#include "common/log/log.h"

#include <chrono>
#include <utility>

namespace vigil::alerts {
namespace {

constexpr std::size_t kMostHistory = 10'000;
constexpr std::size_t kMostTellings = 100'000;

}  // namespace

void Ledger::note(const std::string& fingerprint) {
  changed_.insert(fingerprint);
  removed_.erase(fingerprint);
}

void Ledger::note_end(const Alert& alert) {
  changed_.erase(alert.fingerprint);
  removed_.insert(alert.fingerprint);
  if (alert.state != State::resolved) return;
  history_.push_back(alert);
  if (history_.size() <= kMostHistory) return;
  history_.pop_front();  // meta.db has refused for long
}

void Ledger::add_message(notify::Row row, Telling::What firing_as) {
  for (Telling& telling : tellings_of(row, firing_as)) tellings_.push_back(std::move(telling));
  while (tellings_.size() > kMostTellings) tellings_.pop_front();  // meta.db has refused for long
  messages_.push_back(std::move(row));
}

Result<std::vector<Telling>> Ledger::tellings(const std::string& fingerprint,
                                              std::int64_t fired_at_ms) const {
  auto out = store_.tellings(fingerprint, fired_at_ms);
  if (!out) return out;
  for (const Telling& telling : tellings_) {
    if (telling.fingerprint == fingerprint && telling.fired_at_ms == fired_at_ms) merge(telling, *out);
  }
  return out;
}

Ledger::Committed Ledger::commit(const std::deque<Alert>& alerts, Company company) {
  Changes changes;
  for (const Alert& alert : alerts) changes.put.push_back(&alert);
  changes.removed.assign(removed_.begin(), removed_.end());
  for (const Alert& alert : history_) changes.history.push_back(&alert);
  std::set<std::string> ended = groups_;
  for (const StoredGroup& group : company.groups) ended.erase(group.id);
  changes.ended_groups.assign(ended.begin(), ended.end());
  changes.groups = std::move(company.groups);
  changes.silences = std::move(company.silences);
  changes.runs = std::move(company.runs);
  changes.forgotten_runs = std::move(company.forgotten_runs);
  changes.tellings.assign(tellings_.begin(), tellings_.end());
  changes.outbox = &messages_;
  if (changes.empty()) return {};

  const auto began = std::chrono::steady_clock::now();
  const auto done = store_.commit(changes);
  log_change(done);
  if (done) {
    changed_.clear();
    removed_.clear();
    history_.clear();
    groups_.clear();
    silences_.clear();
    tellings_.clear();
  }
  return {done ? Outcome::written : Outcome::refused, std::exchange(messages_, {}),
          (std::chrono::steady_clock::now() - began).count()};
}

void Ledger::log_change(const Result<void>& done) {
  if (!done && !refused_) {
    log::error("alerts", "cannot write meta.db; messages go out, but are forgotten by a restart",
               {{"error", done.error()}});
  } else if (done && refused_) {
    log::info("alerts", "meta.db accepts again what happens to alerts");
  }
  refused_ = !done;
}

}  // namespace vigil::alerts
