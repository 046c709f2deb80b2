#include "aggregator/calendar/zone.h"

#include <algorithm>

namespace vigil::calendar {
namespace {

// No zone was ever further from UTC (RFC 9636 allows 26 h); what lies in the same stretch of local time lies
// within twice of it.
constexpr seconds kFurthest = std::chrono::hours(26);

bool is_before(sys_seconds t, const Zone::Change& change) {
  return t < change.at;
}

}  // namespace

Zone::Zone(std::string name, seconds first_offset, std::vector<Change> changes, std::optional<ZoneRule> rule)
    : name_(std::move(name)), first_offset_(first_offset), changes_(std::move(changes)), rule_(rule) {}

seconds Zone::offset_at(sys_seconds t) const {
  const auto next = std::upper_bound(changes_.begin(), changes_.end(), t, is_before);
  if (next == changes_.end() && rule_) return rule_->offset_at(t);
  return next == changes_.begin() ? first_offset_ : std::prev(next)->offset;
}

local_seconds Zone::to_local(sys_seconds t) const {
  return local_seconds((t + offset_at(t)).time_since_epoch());
}

std::optional<sys_seconds> Zone::next_change(sys_seconds t) const {
  // Files also list changes of the name or of the daylight flag alone.
  for (auto next = std::upper_bound(changes_.begin(), changes_.end(), t, is_before); next != changes_.end();
       ++next) {
    if (offset_at(next->at) != offset_at(next->at - seconds(1))) return next->at;
  }
  if (!rule_) return std::nullopt;
  return rule_->next_change(changes_.empty() ? t : std::max(t, changes_.back().at));
}

sys_seconds Zone::to_utc(local_seconds local) const {
  const sys_seconds as_utc(local.time_since_epoch());
  std::optional<sys_seconds> moved;
  std::optional<sys_seconds> begin = as_utc - kFurthest;
  seconds offset_before = offset_at(*begin);
  // Stretches of one offset, in order: the first one that has this local time, or what was before the first
  // one that begins too late for it.
  while (begin && *begin <= as_utc + kFurthest) {
    const seconds offset = offset_at(*begin);
    const auto end = next_change(*begin);
    const sys_seconds t = as_utc - offset;
    if (t >= *begin && (!end || t < *end)) return t;
    if (!moved && t < *begin) moved = as_utc - offset_before;
    offset_before = offset;
    begin = end;
  }
  return moved.value_or(as_utc - offset_before);
}

ZonePtr utc() {
  static const ZonePtr kUtc =
      std::make_shared<const Zone>("UTC", seconds(0), std::vector<Zone::Change>{}, std::nullopt);
  return kUtc;
}

}  // namespace vigil::calendar
