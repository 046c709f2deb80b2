#include "aggregator/alerts/ledger.h"

#include "common/log/log.h"

#include <chrono>
#include <utility>

namespace vigil::alerts {
namespace {

constexpr std::size_t kMostHistory = 10'000;

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
