#include "aggregator/rules/host_rules.h"

namespace vigil::rules {
namespace {

/// A host whose time falls back further than rows can overtake each other has had its clock set.
constexpr std::int64_t kClockStepMs = 10'000;

}  // namespace

HostRules::HostRules(const CurrentRules& current, KnownAlertsPtr known, Sink sink)
    : current_(current), known_(std::move(known)), sink_(std::move(sink)) {}

void HostRules::refresh() {
  const std::uint64_t version = current_.version();
  if (version == version_) return;
  version_ = version;
  const RuleSetPtr old = std::exchange(rules_, current_.get());
  for (auto& [id, host] : hosts_) {
    host.due_ms.assign(rules_->host_schedules().size(), 0);
    auto before = std::exchange(host.remembered, {});
    for (auto& [rule, memory] : before) {
      if (const RulePtr same = rules_->find(rule->key)) host.remembered[same.get()] = std::move(memory);
    }
  }
}

void HostRules::seed(Host& host, const std::string& instance) const {
  if (!known_) return;
  for (const auto& [key, series] : *known_) {
    if (key.second != instance) continue;
    const RulePtr rule = rules_->find(key.first);
    if (!rule) continue;
    for (const KnownAlert& alert : series) host.remembered[rule.get()].push_back(remembered(alert));
  }
}

HostRules::Host& HostRules::host(aggregator::HostId id, const std::string& instance) {
  const auto [found, is_new] = hosts_.try_emplace(id);
  if (is_new) {
    found->second.due_ms.assign(rules_->host_schedules().size(), 0);
    seed(found->second, instance);
  }
  return found->second;
}

void HostRules::on_host_tick(aggregator::HostId id, const std::string& instance, std::int64_t t_ms,
                             promql::Storage& storage) {
  refresh();
  Host& host = this->host(id, instance);
  const bool clock_went_back = t_ms < host.last_ms - kClockStepMs;
  if (t_ms <= host.last_ms && !clock_went_back) return;
  if (clock_went_back) std::fill(host.due_ms.begin(), host.due_ms.end(), 0);
  host.last_ms = t_ms;
  const std::vector<Schedule>& schedules = rules_->host_schedules();
  for (std::size_t i = 0; i < schedules.size(); ++i) {
    if (t_ms < host.due_ms[i]) continue;
    const std::int64_t interval = schedules[i].interval.count();
    host.due_ms[i] = (t_ms / interval + 1) * interval;
    run(schedules[i], host, instance, t_ms, storage);
  }
}

void HostRules::run(const Schedule& schedule, Host& host, const std::string& instance, std::int64_t t_ms,
                    promql::Storage& storage) {
  for (const RulePtr& rule : schedule.rules) {
    const auto found = host.remembered.find(rule.get());
    Memory memory = found == host.remembered.end() ? Memory() : std::move(found->second);
    auto evaluation = evaluate(rule, storage, t_ms, memory);
    if (!memory.empty()) {
      host.remembered[rule.get()] = std::move(memory);
    } else if (found != host.remembered.end()) {
      host.remembered.erase(found);
    }
    if (!evaluation) continue;
    evaluation->scope = instance;
    sink_(std::move(*evaluation));
  }
}

}  // namespace vigil::rules
