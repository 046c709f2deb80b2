#include "aggregator/alerts/grouping.h"

#include "aggregator/alerts/maintaining.h"
#include "aggregator/alerts/messages.h"
#include "aggregator/notify/json_parts.h"
#include "common/fnv1a.h"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstddef>
#include <tuple>
#include <utility>

namespace vigil::alerts {
namespace {

using notify::Kind;
using notify::Notification;
using routing::GroupState;
using routing::Membership;

/// That fire: a message of ten thousand is read by nobody, and stored for each channel. Ends are told all.
constexpr std::size_t kMostInMessage = 500;
constexpr std::size_t kMostWithEvidence = 20;  // as many alerts as the text of a mail lists
/// Ends that wait to be told with all their texts; of more only labels and times are kept.
constexpr std::size_t kMostTold = 500;

/// The alerts that hold back others by the file's own rules.
routing::Inhibitions inhibitions_of(const Routing& routing, const AlertBook& book) {
  routing::Inhibitions out(routing.configuration.inhibit_rules);
  if (routing.configuration.inhibit_rules.empty()) return out;
  book.for_each([&](const Alert& alert) {
    if (alert.state == State::firing) out.add_firing(alert.fingerprint, alert.labels);
  });
  return out;
}

/// Those of them the book knows, the worst first, then as their labels have it; sorted as far as a message
/// goes.
std::vector<const Alert*> worst_first(const std::vector<std::string>& fingerprints, const AlertBook& book) {
  using Placed = std::tuple<int, std::string, const Alert*>;
  std::vector<Placed> placed;
  for (const std::string& fingerprint : fingerprints) {
    if (const Alert* alert = book.find(fingerprint))
      placed.emplace_back(-static_cast<int>(notify::parse_severity(alert->severity())),
                          alert->labels.to_string(), alert);
  }
  const auto shown = std::min(placed.size(), kMostInMessage);
  std::ranges::partial_sort(placed, placed.begin() + static_cast<std::ptrdiff_t>(shown));
  std::vector<const Alert*> out;
  out.reserve(placed.size());
  for (const Placed& each : placed) out.push_back(std::get<2>(each));
  return out;
}

calendar::sys_seconds at(std::int64_t now_ms) {
  return std::chrono::floor<std::chrono::seconds>(
      std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(now_ms)));
}

/// What keeps a route silent now, and until when.
struct Hush {
  std::string text;
  std::int64_t until_ms = 0;  // 0: nobody can tell
};
Hush hush_of(const routing::Route* route, const routing::Calendars& calendars, std::int64_t now_ms) {
  if (route == nullptr || !mute_of(*route, calendars, at(now_ms))) return {};
  const routing::MuteEnd end = end_of_mute(*route, calendars, at(now_ms));
  return {mute_text(*route, calendars, at(now_ms), end),
          end.is_known ? std::chrono::milliseconds(end.at.time_since_epoch()).count() : 0};
}

std::chrono::milliseconds route_repeat(const routing::Route* route) {
  return route != nullptr ? route->timings.repeat : routing::Timings{}.repeat;
}

std::string ended_json(const GroupState& group, const std::map<std::string, Notification>& ended) {
  boost::json::array out;
  for (const auto& [fingerprint, membership] : group.alerts) {
    const auto note = ended.find(fingerprint);
    if (membership == Membership::resolved && note != ended.end())
      out.emplace_back(notify::encode(note->second));
  }
  return boost::json::serialize(boost::json::object{{"ended", std::move(out)}});
}

}  // namespace

Grouping::Grouping(RoutingPtr routing) : routing_(std::move(routing)) {
  if (routing_) book_.emplace(routing_->configuration.root, routing_->channels);
  note_escalations();
}

void Grouping::note_escalations() {
  escalates_ = false;
  if (!routing_) return;
  routing_->configuration.root.walk(
      [this](const routing::Route& route) { escalates_ = escalates_ || !route.escalations.empty(); });
}

void Grouping::restore(const std::vector<StoredGroup>& groups) {
  if (!book_) return;
  for (const StoredGroup& stored : groups) {
    auto group = routing::decode_group(stored.state);
    const auto ended = notify::parse_object(stored.ended, "alerts that are over");
    if (!group || !ended) {
      ++damaged_;
      continue;
    }
    for (const std::string& text : notify::texts_at(*ended, "ended")) {
      if (auto note = notify::decode_notification(text))
        ended_.insert_or_assign(note->fingerprint, std::move(*note));
    }
    book_->restore(std::move(*group));
  }
}

void Grouping::forget_future(std::int64_t now_ms) {
  if (book_) book_->forget_future(now_ms);
}

void Grouping::join(const AlertBook& book, std::int64_t now_ms) {
  if (!book_) return;
  book_->forget_future(now_ms);
  std::set<std::string> firing;
  book.for_each([&](const Alert& alert) {
    if (alert.state != State::firing) return;
    fire(alert, now_ms);
    firing.insert(alert.fingerprint);
  });
  std::set<std::string> unknown;
  book_->for_each([&](const GroupState& group) {
    for (const auto& [fingerprint, membership] : group.alerts) {
      if (membership != Membership::resolved && !firing.contains(fingerprint)) unknown.insert(fingerprint);
    }
  });
  for (const std::string& fingerprint : unknown) book_->resolve(fingerprint);
}

void Grouping::adopt(RoutingPtr routing) {
  const RoutingPtr before =
      std::exchange(routing_, std::move(routing));  // the book looks at it until adopt()
  book_->adopt(routing_->configuration.root, routing_->channels);
  note_escalations();
}

void Grouping::fire(const Alert& alert, std::int64_t now_ms) {
  if (!book_) return;
  book_->fire(alert.fingerprint, alert.labels, alert.fired_at_ms, now_ms);
  ended_.erase(alert.fingerprint);
}

void Grouping::resolve(const Alert& alert, std::string_view external_url) {
  if (!book_ || !book_->contains(alert.fingerprint)) return;
  book_->resolve(alert.fingerprint);
  Notification note = to_notification(alert, Kind::resolved, external_url);
  if (ended_.size() >= kMostTold) {
    note.evidence.clear();
    note.annotations = Labels();
  }
  ended_.insert_or_assign(alert.fingerprint, std::move(note));
}

void Grouping::tell_again(const std::string& fingerprint) {
  if (book_) book_->tell_again(fingerprint);
}

bool Grouping::is_due(std::int64_t now_ms) const {
  const auto wake = book_ ? book_->wake_ms() : std::nullopt;
  return wake && *wake <= now_ms;
}

std::vector<notify::Row> Grouping::flush(const AlertBook& book, std::int64_t now_ms,
                                         std::string_view external_url,
                                         const std::function<bool(const Alert&)>& is_held) {
  std::vector<notify::Row> rows;
  const auto inhibitions = inhibitions_of(*routing_, book);
  routing::Holds holds;
  holds.alert = [&](const std::string& fingerprint) {
    const Alert* alert = book.find(fingerprint);
    return alert != nullptr && (is_held(*alert) || inhibitions.inhibitor_of(alert->labels));
  };
  holds.repeats = [&](const std::string& fingerprint) {
    const Alert* alert = book.find(fingerprint);
    return alert == nullptr || alert->is_repeated();
  };
  holds.route = [&](const routing::Route& route) {
    return static_cast<bool>(mute_of(route, routing_->configuration.calendars, at(now_ms)));
  };
  for (const routing::GroupMessage& message : book_->flush(now_ms, holds)) {
    if (auto row = row_of(message, book, now_ms, external_url)) rows.push_back(std::move(*row));
  }
  forget_told();
  return rows;
}

/// Nothing when none of its alerts is known any more, as after damage.
std::optional<notify::Row> Grouping::row_of(const routing::GroupMessage& message, const AlertBook& book,
                                            std::int64_t now_ms, std::string_view external_url) const {
  notify::Row row;
  notify::Group& group =
      row.group.emplace(notify::Group{message.group_key, message.receiver, message.labels, {}});
  const std::vector<const Alert*> firing = worst_first(message.firing, book);
  for (const Alert* alert : firing) {
    if (group.alerts.size() == kMostInMessage) break;
    Notification& note = group.alerts.emplace_back(firing_now(book, *alert, external_url));
    if (std::ranges::binary_search(message.again, alert->fingerprint)) say_calm(note);
  }
  group.left_out = firing.size() - group.alerts.size();
  for (const std::string& fingerprint : message.resolved) {
    const auto note = ended_.find(fingerprint);
    if (note != ended_.end()) group.alerts.push_back(note->second);
  }
  if (group.alerts.empty()) return std::nullopt;
  for (std::size_t i = kMostWithEvidence; i < group.alerts.size(); ++i) group.alerts[i].evidence.clear();

  row.receiver = routing_->endpoint_name(message.receiver, message.channel);
  row.created_ms = now_ms;
  row.note.kind = firing.empty() ? Kind::resolved : Kind::firing;
  const std::uint64_t id = fnv1a(fnv1a(kFnvBasis, message.group), row.receiver);
  row.note.fingerprint = fmt::format("{:016x}", id);
  row.note.rule_key = row.note.fingerprint;
  row.note.key = fmt::format("{}-{}", row.note.fingerprint, now_ms);
  row.note.alert = message.group_key;
  return row;
}

std::vector<notify::Row> Grouping::rows_to(const std::string& receiver, const Notification& note,
                                           std::int64_t now_ms) const {
  std::vector<notify::Row> rows;
  if (!routing_) return rows;
  const bool is_alert = note.rule_key != kMaintenanceKey;
  const auto channels = routing_->channels.find(receiver);
  if (channels == routing_->channels.end()) return rows;
  for (const routing::Channel& channel : channels->second) {
    if (note.kind == Kind::resolved && !channel.send_resolved && is_alert) continue;
    if (channel.critical_only && is_alert && note.severity != "critical") continue;
    notify::Row row;
    row.receiver = routing_->endpoint_name(receiver, channel.name);
    row.created_ms = now_ms;
    row.note = note;
    row.group.emplace(notify::Group{note.fingerprint, receiver, Labels{{"alertname", note.alert}}, {note}});
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<RouteEscalation> Grouping::escalations_of(const Labels& labels, std::int64_t now_ms) const {
  std::vector<RouteEscalation> out;
  if (!routing_ || !escalates_) return out;
  for (const routing::Route* route : routing_->configuration.root.match(labels)) {
    if (route->escalations.empty() || mute_of(*route, routing_->configuration.calendars, at(now_ms)))
      continue;
    const bool takes_first = why_not_told(route->receiver, labels).empty();
    for (const routing::Escalation& step : route->escalations) {
      if (why_not_told(step.receiver, labels).empty()) out.push_back({step, route->receiver, takes_first});
    }
  }
  return out;
}

std::optional<std::int64_t> Grouping::told_ms(const std::string& fingerprint,
                                              std::string_view receiver) const {
  std::optional<std::int64_t> first;
  if (!book_) return first;
  for (const GroupState* group : book_->groups_of(fingerprint)) {
    if (group->receiver != receiver) continue;
    for (const auto& [channel, told] : group->told) {
      if (told.firing.contains(fingerprint)) first = std::min(first.value_or(told.at_ms), told.at_ms);
    }
  }
  return first;
}

std::vector<std::string> Grouping::receivers() const {
  std::vector<std::string> out;
  if (!routing_) return out;
  for (const auto& [name, channels] : routing_->channels) out.push_back(name);
  return out;
}

/// Those that no group waits to tell of.
void Grouping::forget_told() {
  std::erase_if(ended_, [this](const auto& entry) { return !book_->contains(entry.first); });
}

bool Grouping::is_firing(std::string_view receiver, std::string_view group_key) const {
  bool fires = false;
  if (!book_) return fires;
  book_->for_each([&](const GroupState& group) {
    if (group.receiver != receiver || group.group_key != group_key) return;
    for (const auto& [fingerprint, membership] : group.alerts)
      fires = fires || membership == Membership::firing;
  });
  return fires;
}

/// What the endpoint of a group's message was told of and fires, named there or not.
std::vector<std::string> Grouping::told_firing(const notify::Row& row) const {
  std::vector<std::string> out;
  if (!book_) return out;
  book_->for_each([&](const GroupState& group) {
    if (group.receiver != row.group->receiver || group.group_key != row.group->key) return;
    for (const auto& [channel, told] : group.told) {
      if (routing_->endpoint_name(group.receiver, channel) != row.receiver) continue;
      std::ranges::copy_if(told.firing, std::back_inserter(out), [&group](const std::string& fingerprint) {
        const auto member = group.alerts.find(fingerprint);
        return member != group.alerts.end() && member->second == Membership::firing;
      });
    }
  });
  return out;
}

void Grouping::name_left_out(notify::Row& row, const AlertBook& book, std::string_view external_url) const {
  notify::Group& group = *row.group;
  std::vector<std::string> firing = told_firing(row);
  std::erase_if(firing, [&](const std::string& fingerprint) {
    const Alert* alert = book.find(fingerprint);
    const bool is_newer = alert == nullptr || alert->fired_at_ms > row.created_ms;
    return is_newer || std::ranges::any_of(group.alerts, [&fingerprint](const Notification& note) {
             return note.fingerprint == fingerprint;
           });
  });
  const auto ends = std::ranges::find(group.alerts, Kind::resolved, &Notification::kind);
  const auto named = static_cast<std::size_t>(ends - group.alerts.begin());
  std::vector<Notification> more;
  for (const Alert* alert : worst_first(firing, book)) {
    if (named + more.size() == kMostInMessage) break;
    more.push_back(firing_now(book, *alert, external_url));
  }
  group.left_out = firing.size() - more.size();
  group.alerts.insert(ends, std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

std::vector<GroupPlace> Grouping::places_of(const std::string& fingerprint) const {
  std::vector<GroupPlace> out;
  if (!book_) return out;
  for (const GroupState* group : book_->groups_of(fingerprint))
    out.push_back({group->receiver, group->labels});
  return out;
}

std::vector<GroupTelling> Grouping::tellings(const std::string& fingerprint, bool is_repeated,
                                             std::int64_t now_ms) const {
  std::vector<GroupTelling> out;
  if (!book_) return out;
  const routing::Route& root = routing_->configuration.root;
  book_->for_each([&](const GroupState& group) {
    const auto member = group.alerts.find(fingerprint);
    const auto channels = routing_->channels.find(group.receiver);
    if (member == group.alerts.end() || channels == routing_->channels.end()) return;
    const routing::Route* route = nullptr;
    root.walk([&](const routing::Route& each) { route = each.id == group.route ? &each : route; });
    const bool fires = member->second == Membership::firing && route != nullptr;
    const Hush hush = hush_of(route, routing_->configuration.calendars, now_ms);
    for (const routing::Channel& channel : channels->second) {
      GroupTelling telling;
      telling.endpoint = routing_->endpoint_name(group.receiver, channel.name);
      telling.group_key = group.group_key;
      const auto told = group.told.find(channel.name);
      const bool knows = told != group.told.end() && told->second.firing.contains(fingerprint);
      if (knows) telling.told_ms = told->second.at_ms;
      if (!knows && !book_->wants(channel, fingerprint)) continue;
      telling.has_news = fires ? !knows || told->second.news.contains(fingerprint)
                               : knows && channel.send_resolved && member->second == Membership::resolved;
      telling.next_ms = group.next_ms;
      const bool is_reminded = channel.remind.count() > 0;
      const auto repeat = is_reminded ? std::min(channel.remind, route_repeat(route)) : route_repeat(route);
      if (fires && knows && (is_reminded || is_repeated))
        telling.repeat_ms = std::max(group.next_ms, told->second.at_ms + repeat.count());
      telling.mute = hush.text;
      telling.unmuted_ms = hush.until_ms;
      out.push_back(std::move(telling));
    }
  });
  return out;
}

std::optional<GroupInhibitor> Grouping::inhibitor_of(const Alert& alert, const AlertBook& book) const {
  if (!routing_) return std::nullopt;
  const auto inhibitions = inhibitions_of(*routing_, book);
  const auto by = inhibitions.inhibitor_of(alert.labels);
  if (!by) return std::nullopt;
  const Alert* source = book.find(by->fingerprint);
  return GroupInhibitor{source == nullptr ? by->fingerprint : source->rule->name, by->rule->name,
                        by->fingerprint};
}

std::set<std::string> Grouping::held_among(const std::set<std::string>& fingerprints, const AlertBook& book,
                                           std::int64_t now_ms) const {
  std::set<std::string> held;
  if (!routing_ || fingerprints.empty()) return held;
  const auto inhibitions = inhibitions_of(*routing_, book);
  for (const std::string& fingerprint : fingerprints) {
    const Alert* alert = book.find(fingerprint);
    if (alert == nullptr) continue;
    if (inhibitions.inhibitor_of(alert->labels) || is_hushed(alert->labels, now_ms)) held.insert(fingerprint);
  }
  return held;
}

/// Calendars mute every route that would tell somebody.
bool Grouping::is_hushed(const Labels& labels, std::int64_t now_ms) const {
  bool is_muted = false;
  for (const routing::Route* route : routing_->configuration.root.match(labels)) {
    if (!why_not_told(route->receiver, labels).empty()) continue;
    if (!mute_of(*route, routing_->configuration.calendars, at(now_ms))) return false;
    is_muted = true;
  }
  return is_muted;
}

void Grouping::mark_inhibited(std::vector<AlertInfo>& alerts, const AlertBook& book) const {
  if (!routing_ || routing_->configuration.inhibit_rules.empty()) return;
  const auto inhibitions = inhibitions_of(*routing_, book);
  for (AlertInfo& info : alerts) {
    if (info.state != State::firing || !info.inhibited_by.empty()) continue;
    const auto by = inhibitions.inhibitor_of(info.labels);
    const Alert* source = by ? book.find(by->fingerprint) : nullptr;
    if (source == nullptr) continue;
    info.inhibited_by = source->rule->name;
    info.inhibitor = source->fingerprint;
  }
}

std::vector<NotTold> Grouping::not_told(const Labels& labels) const {
  std::vector<NotTold> out;
  if (!routing_) return out;
  std::vector<std::string> receivers = receivers_of(labels);
  for (const routing::Route* route : routing_->configuration.root.match(labels)) {
    for (const routing::Escalation& step : route->escalations) {
      if (std::ranges::find(receivers, step.receiver) == receivers.end()) receivers.push_back(step.receiver);
    }
  }
  for (std::string& receiver : receivers) {
    std::string why = why_not_told(receiver, labels);
    if (!why.empty()) out.push_back({std::move(receiver), std::move(why)});
  }
  return out;
}

/// "" where the receiver is told of alerts with these labels.
std::string Grouping::why_not_told(std::string_view receiver, const Labels& labels) const {
  const routing::Reach reach = routing::reach_of(receiver, routing_->channels);
  if (reach == routing::Reach::nobody) return "has no channel vigil can use";
  const bool is_too_low = reach == routing::Reach::critical_only && labels.get("severity") != "critical";
  return is_too_low ? "takes critical alerts only" : "";
}

std::vector<std::string> Grouping::receivers_of(const Labels& labels) const {
  std::vector<std::string> out;
  if (!routing_) return out;
  for (const routing::Route* route : routing_->configuration.root.match(labels)) {
    if (std::ranges::find(out, route->receiver) == out.end()) out.push_back(route->receiver);
  }
  return out;
}

std::set<std::string> Grouping::take_changed() {
  return book_ ? book_->take_changed() : std::set<std::string>();
}

std::optional<StoredGroup> Grouping::stored(const std::string& id) const {
  const GroupState* group = book_ ? book_->find(id) : nullptr;
  if (group == nullptr) return std::nullopt;
  return StoredGroup{id, routing::encode(*group), ended_json(*group, ended_)};
}

}  // namespace vigil::alerts
