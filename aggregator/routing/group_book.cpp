#include "aggregator/routing/group_book.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace vigil::routing {
namespace {

bool is_due(const Timings& timings, std::int64_t since_ms, std::int64_t now_ms) {
  return since_ms + timings.wait.count() <= now_ms;
}

/// The first tick after now; those that were missed are skipped.
std::int64_t next_tick(std::int64_t due_ms, std::int64_t interval_ms, std::int64_t now_ms) {
  return due_ms + ((now_ms - due_ms) / interval_ms + 1) * interval_ms;
}

std::vector<std::string> ended(const GroupState& group, const Told& told) {
  std::vector<std::string> out;
  for (const std::string& fingerprint : told.firing) {
    const auto alert = group.alerts.find(fingerprint);
    if (alert == group.alerts.end() || alert->second == Membership::resolved) out.push_back(fingerprint);
  }
  return out;
}

}  // namespace

Reach reach_of(std::string_view receiver, const Channels& channels) {
  const auto found = channels.find(receiver);
  if (found == channels.end() || found->second.empty()) return Reach::nobody;
  return std::ranges::all_of(found->second, &Channel::critical_only) ? Reach::critical_only : Reach::all;
}

std::string nobody_text(std::string_view receiver) {
  return fmt::format("told to nobody: receiver {} has no channel vigil can use", receiver);
}

void GroupBook::adopt(const Route& root, Channels channels) {
  root_ = &root;
  channels_ = std::move(channels);
  routes_.clear();
  root.walk([this](const Route& route) { routes_.emplace(route.id, &route); });
}

void GroupBook::restore(GroupState group) {
  std::string id = group.id();
  for (const auto& [fingerprint, membership] : group.alerts) groups_of_[fingerprint].insert(id);
  wake_at(group.next_ms);
  groups_.insert_or_assign(std::move(id), std::move(group));
}

void GroupBook::forget_future(std::int64_t now_ms) {
  wake_ms_.reset();
  for (auto& [id, group] : groups_) {
    const Route* route = route_of(group);
    const Timings timings = route != nullptr ? route->timings : Timings{};
    if (group.next_ms > now_ms + std::max(timings.wait, timings.interval).count()) group.next_ms = now_ms;
    for (auto& [channel, told] : group.told) told.at_ms = std::min(told.at_ms, now_ms);
    wake_at(group.next_ms);
  }
}

const Route* GroupBook::route_of(const GroupState& group) const {
  const auto found = routes_.find(group.route);
  return found == routes_.end() ? nullptr : found->second;
}

std::vector<const GroupState*> GroupBook::groups_of(const std::string& fingerprint) const {
  std::vector<const GroupState*> out;
  const auto found = groups_of_.find(fingerprint);
  if (found == groups_of_.end()) return out;
  for (const std::string& id : found->second) out.push_back(find(id));
  return out;
}

const GroupState* GroupBook::find(const std::string& id) const {
  const auto found = groups_.find(id);
  return found == groups_.end() ? nullptr : &found->second;
}

bool GroupBook::contains(const std::string& fingerprint) const {
  return groups_of_.contains(fingerprint);
}

void GroupBook::for_each(const std::function<void(const GroupState&)>& visit) const {
  for (const auto& [id, group] : groups_) visit(group);
}

void GroupBook::fire(const std::string& fingerprint, const Labels& labels, std::int64_t since_ms,
                     std::int64_t now_ms) {
  std::set<std::string> ids;
  if (labels.get("severity") == "critical") {
    critical_.insert(fingerprint);
  } else {
    critical_.erase(fingerprint);
  }
  for (const Route* route : root_->match(labels)) {
    GroupState fresh;
    fresh.route = route->id;
    fresh.receiver = route->receiver;
    fresh.labels = route->group_labels(labels);
    fresh.group_key = route->group_key(fresh.labels);
    fresh.next_ms = now_ms + route->timings.wait.count();
    const std::string id = fresh.id();
    GroupState& group = groups_.try_emplace(id, std::move(fresh)).first->second;
    if (!group.has_begun && group.next_ms > now_ms && is_due(route->timings, since_ms, now_ms)) {
      group.next_ms = now_ms;
      changed_.insert(id);
    }
    wake_at(group.next_ms);
    join(id, fingerprint);
    ids.insert(id);
  }
  std::set<std::string>& before = groups_of_[fingerprint];
  for (const std::string& id : before) {
    if (!ids.contains(id) && leave(id, fingerprint)) ids.insert(id);
  }
  before = std::move(ids);
}

void GroupBook::join(const std::string& id, const std::string& fingerprint) {
  auto& alerts = groups_.at(id).alerts;
  const auto [alert, is_new] = alerts.try_emplace(fingerprint, Membership::firing);
  if (is_new || alert->second != Membership::firing) changed_.insert(id);
  alert->second = Membership::firing;
}

/// Whether it stays in the group all the same, for those who were told.
bool GroupBook::leave(const std::string& id, const std::string& fingerprint) {
  GroupState& group = groups_.at(id);
  Membership& membership = group.alerts.at(fingerprint);
  const bool is_told = group.is_told(fingerprint);
  if (is_told && membership != Membership::firing) return true;
  changed_.insert(id);
  if (is_told) {
    membership = Membership::moved;
  } else {
    group.alerts.erase(fingerprint);
  }
  return is_told;
}

void GroupBook::resolve(const std::string& fingerprint) {
  const auto ids = groups_of_.find(fingerprint);
  if (ids == groups_of_.end()) return;
  for (const std::string& id : ids->second) {
    Membership& membership = groups_.at(id).alerts.at(fingerprint);
    if (membership != Membership::resolved) changed_.insert(id);
    membership = Membership::resolved;
  }
}

void GroupBook::tell_again(const std::string& fingerprint) {
  const auto ids = groups_of_.find(fingerprint);
  if (ids == groups_of_.end()) return;
  for (const std::string& id : ids->second) {
    for (auto& [channel, told] : groups_.at(id).told) {
      if (told.firing.contains(fingerprint) && told.news.insert(fingerprint).second) changed_.insert(id);
    }
  }
}

std::vector<GroupMessage> GroupBook::flush(std::int64_t now_ms, const Holds& holds) {
  std::vector<GroupMessage> out;
  for (auto entry = groups_.begin(); entry != groups_.end();) {
    GroupState& group = entry->second;
    if (group.next_ms > now_ms) {
      ++entry;
      continue;
    }
    changed_.insert(entry->first);
    const Route* route = route_of(group);
    const bool is_muted = route != nullptr && holds.route && holds.route(*route);
    if (!is_muted) tell(group, now_ms, holds, out);
    forget_ended(group);
    const Timings timings = route != nullptr ? route->timings : Timings{};
    group.next_ms = next_tick(group.next_ms, timings.interval.count(), now_ms);
    group.has_begun = true;
    entry = group.alerts.empty() ? groups_.erase(entry) : std::next(entry);
  }
  wake_ms_.reset();
  for (const auto& [id, group] : groups_) wake_at(group.next_ms);
  return out;
}

void GroupBook::tell(GroupState& group, std::int64_t now_ms, const Holds& holds,
                     std::vector<GroupMessage>& out) {
  std::vector<std::string> firing;
  for (const auto& [fingerprint, membership] : group.alerts) {
    if (membership != Membership::firing || route_of(group) == nullptr) continue;
    if (!holds.alert || !holds.alert(fingerprint)) firing.push_back(fingerprint);
  }
  const auto found = channels_.find(group.receiver);
  const std::vector<Channel> channels = found == channels_.end() ? std::vector<Channel>{} : found->second;
  // A channel that is not configured any more cannot be told how it ended.
  std::erase_if(group.told, [&](const auto& entry) {
    return std::none_of(channels.begin(), channels.end(),
                        [&](const Channel& channel) { return channel.name == entry.first; });
  });
  for (const Channel& channel : channels) {
    if (auto made = message(group, channel, firing, holds, now_ms)) out.push_back(std::move(*made));
  }
}

std::optional<GroupMessage> GroupBook::message(GroupState& group, const Channel& channel,
                                               std::vector<std::string> firing, const Holds& holds,
                                               std::int64_t now_ms) {
  std::erase_if(firing, [&](const std::string& fingerprint) { return !wants(channel, fingerprint); });
  Told& told = group.told[channel.name];
  std::vector<std::string> resolved = ended(group, told);
  for (const std::string& fingerprint : resolved) {
    told.firing.erase(fingerprint);
    told.news.erase(fingerprint);
  }
  if (!channel.send_resolved) resolved.clear();
  const bool has_news = std::ranges::any_of(
      firing, [&](const std::string& fingerprint) { return told.news.contains(fingerprint); });
  const bool is_fresh =
      has_news || !std::includes(told.firing.begin(), told.firing.end(), firing.begin(), firing.end());
  const Route* route = route_of(group);
  const bool may_repeat = !holds.repeats || std::any_of(firing.begin(), firing.end(), holds.repeats);
  bool repeats = may_repeat && route != nullptr && !firing.empty() &&
                 told.at_ms + route->timings.repeat.count() <= now_ms;
  if (channel.remind.count() > 0 && !told.firing.empty())
    repeats = repeats || told.at_ms + channel.remind.count() <= now_ms;
  if (!is_fresh && resolved.empty() && !repeats) return std::nullopt;
  GroupMessage made;
  told.firing.insert(firing.begin(), firing.end());
  for (const std::string& fingerprint : firing) {
    if (told.news.erase(fingerprint) != 0) made.again.push_back(fingerprint);
  }
  told.at_ms = now_ms;
  made.group = group.id();
  made.group_key = group.group_key;
  made.receiver = group.receiver;
  made.channel = channel.name;
  made.labels = group.labels;
  made.occasion = is_fresh || !resolved.empty() ? Occasion::changed : Occasion::repeated;
  // Also those that are held back by now, or routed elsewhere: they fire, and it was told so.
  made.firing.assign(told.firing.begin(), told.firing.end());
  made.resolved = std::move(resolved);
  return made;
}

/// Alerts that are over, and of which nobody is left to be told.
void GroupBook::forget_ended(GroupState& group) {
  const std::string id = group.id();
  std::erase_if(group.alerts, [&](const auto& alert) {
    const auto& [fingerprint, membership] = alert;
    if (membership == Membership::firing || group.is_told(fingerprint)) return false;
    const auto ids = groups_of_.find(fingerprint);
    ids->second.erase(id);
    if (ids->second.empty()) {
      groups_of_.erase(ids);
      critical_.erase(fingerprint);
    }
    return true;
  });
}

std::set<std::string> GroupBook::take_changed() {
  return std::exchange(changed_, {});
}

}  // namespace vigil::routing
