#include "aggregator/rules/fleet_rules.h"

#include <algorithm>

namespace vigil::rules {

FleetRules::FleetRules(const CurrentRules& current, KnownAlertsPtr known, OpenStorage open_storage,
                       Sinks sinks)
    : current_(current),
      known_(std::move(known)),
      open_storage_(std::move(open_storage)),
      sinks_(std::move(sinks)) {}

void FleetRules::refresh(std::int64_t now_ms) {
  const std::uint64_t moves = current_.moves();  // first: what was moved by then is of the rules of now
  adopt(now_ms);
  if (moves != std::exchange(moves_, moves)) seed(current_.moved());
}

void FleetRules::adopt(std::int64_t now_ms) {
  const std::uint64_t version = current_.version();
  if (version == version_) return;
  const bool is_first = version_ == 0;
  version_ = version;
  const RuleSetPtr old = std::exchange(rules_, current_.get());
  due_ms_.assign(rules_->fleet_schedules().size(), now_ms);
  auto before = std::exchange(remembered_, {});
  for (auto& [rule, memory] : before) {
    const RulePtr same = rules_->find(rule->key);
    if (same && same->scope == Scope::fleet) remembered_[same.get()] = std::move(memory);
  }
  if (old) keep_records(*old, now_ms);
  if (is_first) seed(known_);
}

void FleetRules::seed(const KnownAlertsPtr& known) {
  if (!known) return;
  for (const auto& [key, alerts] : *known) {
    const RulePtr rule = key.second.empty() ? rules_->find(key.first) : nullptr;
    if (rule && rule->scope == Scope::fleet) add_known(alerts, remembered_[rule.get()]);
  }
}

/// What a rule recorded stays with it; series of rules that are no more end.
void FleetRules::keep_records(const RuleSet& old, std::int64_t now_ms) {
  auto before = std::exchange(records_, {});
  for (const RulePtr& rule : old.rules()) {
    const auto found = before.find(rule.get());
    if (found == before.end()) continue;
    const RulePtr same = rules_->find(rule->key);
    if (same && same->kind == RuleKind::record) {
      records_[same.get()] = std::move(found->second);
    } else if (auto markers = found->second.end(now_ms); !markers.empty() && sinks_.records) {
      sinks_.records({rule->group, std::move(markers)});
    }
  }
}

void FleetRules::tick(std::int64_t now_ms) {
  began_ms_ = version_ == 0 ? now_ms : std::min(began_ms_, now_ms);  // our clock may be set back
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
    RecordedStorage with_records(*storage);
    for (const auto& [rule, record] : records_) with_records.show(*rule, record.latest());
    // What is recorded lies on multiples of the interval, whenever the tick that does it comes.
    run(schedule, with_records, schedule.records() ? now_ms / interval * interval : now_ms);
  }
}

void FleetRules::run(const Schedule& schedule, RecordedStorage& storage, std::int64_t t_ms) {
  std::vector<RecordedSample> recorded;
  for (const RulePtr& rule : schedule.rules) {
    if (rule->kind == RuleKind::record) {
      for (RecordedSample& sample : record(*rule, storage, t_ms)) recorded.push_back(std::move(sample));
      continue;
    }
    auto evaluation = evaluate({rule, t_ms}, storage, remembered_[rule.get()]);
    if (!evaluation) continue;
    evaluation->covered.since_ms = began_ms_;
    sinks_.alerts(std::move(*evaluation));
  }
  if (!recorded.empty() && sinks_.records)
    sinks_.records({schedule.rules.front()->group, std::move(recorded)});
}

std::vector<RecordedSample> FleetRules::record(const Rule& rule, RecordedStorage& storage,
                                               std::int64_t t_ms) {
  Record& kept = records_[&rule];
  auto samples = kept.evaluate(rule, storage, t_ms);
  storage.show(rule, kept.latest());
  return samples;
}

}  // namespace vigil::rules
