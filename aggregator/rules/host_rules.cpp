#include "aggregator/rules/host_rules.h"

#include <algorithm>

namespace vigil::rules {
namespace {

/// A host whose time falls back further than rows can overtake each other has had its clock set.
constexpr std::int64_t kClockStepMs = 10'000;

}  // namespace

HostRules::HostRules(const CurrentRules& current, KnownAlertsPtr known, Sink sink)
    : current_(current), known_(std::move(known)), sink_(std::move(sink)) {}

/// Gives how often alerts were moved, asked first: what was moved by then is of these rules.
std::uint64_t HostRules::refresh() {
  const std::uint64_t moves = current_.moves();
  const std::uint64_t version = current_.version();
  if (version == version_) return moves;
  version_ = version;
  const RuleSetPtr old = std::exchange(rules_, current_.get());
  for (auto& [id, host] : hosts_) {
    host.turns.assign(rules_->host_schedules().size(), {});
    auto before = std::exchange(host.remembered, {});
    for (auto& [rule, memory] : before) {
      const RulePtr same = rules_->find(rule->key);
      if (same && same->scope == Scope::host) host.remembered[same.get()] = std::move(memory);
    }
  }
  return moves;
}

void HostRules::seed(const KnownAlertsPtr& known, Host& host, const std::string& instance) const {
  if (!known) return;
  for (const auto& [key, alerts] : *known) {
    if (key.second != instance) continue;
    const RulePtr rule = rules_->find(key.first);
    if (rule && rule->scope == Scope::host) add_known(alerts, host.remembered[rule.get()]);
  }
}

/// What a reload left to this host's rules.
void HostRules::take_moved(Host& host, const std::string& instance, std::uint64_t moves) const {
  if (moves != std::exchange(host.moves, moves)) seed(current_.moved(), host, instance);
}

HostRules::Host& HostRules::host(aggregator::HostId id, const std::string& instance,
                                 std::int64_t known_since_ms) {
  const auto [found, is_new] = hosts_.try_emplace(id);
  if (is_new) {
    found->second.known_since_ms = known_since_ms;
    found->second.turns.assign(rules_->host_schedules().size(), {});
    seed(known_, found->second, instance);
  }
  return found->second;
}

void HostRules::on_host_tick(aggregator::HostId id, const std::string& instance, std::int64_t t_ms,
                             promql::Storage& storage, aggregator::Occasion occasion,
                             aggregator::Covered covered) {
  const std::uint64_t moves = refresh();
  Host& host = this->host(id, instance, std::min(t_ms, covered.until_ms));
  take_moved(host, instance, moves);
  const bool is_quiet = occasion == aggregator::Occasion::quiet;
  const bool clock_went_back = t_ms < host.last_ms - kClockStepMs;
  // What arrives in the millisecond of a look at the quiet host is news all the same.
  if (t_ms < host.last_ms + (is_quiet ? 1 : 0) && !clock_went_back) return;
  if (t_ms == host.last_ms && std::ranges::none_of(host.turns, &Host::Turn::was_quiet)) return;
  if (clock_went_back) {
    host.turns.assign(host.turns.size(), {});
    host.known_since_ms = std::min(host.known_since_ms, t_ms);
  }
  host.last_ms = t_ms;
  covered.since_ms = std::max(covered.since_ms, host.known_since_ms);
  const std::vector<Schedule>& schedules = rules_->host_schedules();
  for (std::size_t i = 0; i < schedules.size(); ++i) {
    Host::Turn& turn = host.turns[i];
    const bool has_news = !is_quiet && turn.was_quiet;
    if (t_ms < turn.due_ms && !has_news) continue;
    const std::int64_t interval = schedules[i].interval.count();
    turn = {(t_ms / interval + 1) * interval, is_quiet};
    run(schedules[i], host, {instance, t_ms, occasion, covered}, storage);
  }
}

void HostRules::run(const Schedule& schedule, Host& host, const Tick& tick, promql::Storage& storage) {
  for (const RulePtr& rule : schedule.rules) {
    const auto found = host.remembered.find(rule.get());
    Memory memory = found == host.remembered.end() ? Memory() : std::move(found->second);
    auto evaluation = evaluate({rule, tick.t_ms, tick.occasion}, storage, memory);
    if (!memory.empty()) {
      host.remembered[rule.get()] = std::move(memory);
    } else if (found != host.remembered.end()) {
      host.remembered.erase(found);
    }
    if (!evaluation) continue;
    evaluation->scope = tick.instance;
    evaluation->covered = tick.covered;
    sink_(std::move(*evaluation));
  }
}

}  // namespace vigil::rules
