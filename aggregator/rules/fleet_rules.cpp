#include "aggregator/rules/fleet_rules.h"

namespace vigil::rules {

FleetRules::FleetRules(const CurrentRules& current, KnownAlertsPtr known, OpenStorage open_storage, Sink sink)
    : current_(current),
      known_(std::move(known)),
      open_storage_(std::move(open_storage)),
      sink_(std::move(sink)) {}

void FleetRules::refresh(std::int64_t now_ms) {
  const std::uint64_t version = current_.version();
  if (version == version_) return;
  const bool is_first = version_ == 0;
  version_ = version;
  const RuleSetPtr old = std::exchange(rules_, current_.get());
  due_ms_.assign(rules_->fleet_schedules().size(), now_ms);
  auto before = std::exchange(remembered_, {});
  for (auto& [rule, memory] : before) {
    if (const RulePtr same = rules_->find(rule->key)) remembered_[same.get()] = std::move(memory);
  }
  if (!is_first || !known_) return;
  for (const auto& [key, series] : *known_) {
    const RulePtr rule = key.second.empty() ? rules_->find(key.first) : nullptr;
    if (!rule) continue;
    for (const promql::LabelsPtr& labels : series) remembered_[rule.get()].push_back({labels, 0});
  }
}

void FleetRules::tick(std::int64_t now_ms) {
  refresh(now_ms);
  for (std::size_t i = 0; i < due_ms_.size(); ++i) {
    const Schedule& schedule = rules_->fleet_schedules()[i];
    const std::int64_t interval = schedule.interval.count();
    const bool set_back =
        due_ms_[i] > now_ms + interval;  // our clock was: nobody waits until it is there again
    if (now_ms < due_ms_[i] && !set_back) continue;
    if (!set_back) missed_ += static_cast<std::uint64_t>((now_ms - due_ms_[i]) / interval);
    due_ms_[i] = (now_ms / interval + 1) * interval;
    const auto storage = open_storage_();
    for (const RulePtr& rule : schedule.rules) {
      auto evaluation = evaluate(rule, *storage, now_ms, remembered_[rule.get()]);
      if (evaluation) sink_(std::move(*evaluation));
    }
  }
}

}  // namespace vigil::rules
