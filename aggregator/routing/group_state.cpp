#include "aggregator/routing/group_state.h"

#include "common/json/fields.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace vigil::routing {
namespace {

namespace json = boost::json;

constexpr std::array<std::pair<std::string_view, Membership>, 3> kMemberships = {
    {{"firing", Membership::firing}, {"resolved", Membership::resolved}, {"moved", Membership::moved}}};

/// The fingerprints of each membership are a list of their own: they are most of the text.
json::array fingerprints(const GroupState& group, Membership wanted) {
  json::array out;
  for (const auto& [fingerprint, membership] : group.alerts) {
    if (membership == wanted) out.emplace_back(fingerprint);
  }
  return out;
}

}  // namespace

std::string GroupState::id() const {
  return route + '\n' + labels.to_string();
}

bool GroupState::is_told(const std::string& fingerprint) const {
  return std::any_of(told.begin(), told.end(),
                     [&](const auto& entry) { return entry.second.firing.contains(fingerprint); });
}

std::string encode(const GroupState& group) {
  json::object alerts;
  for (const auto& [word, membership] : kMemberships) alerts[word] = fingerprints(group, membership);
  json::object told;
  for (const auto& [channel, what] : group.told) {
    json::object one{{"at_ms", what.at_ms}, {"firing", json::array(what.firing.begin(), what.firing.end())}};
    if (!what.news.empty()) one["news"] = json::array(what.news.begin(), what.news.end());
    told[channel] = std::move(one);
  }
  return json::serialize(json::object{{"route", group.route},
                                      {"group_key", group.group_key},
                                      {"receiver", group.receiver},
                                      {"labels", json_fields::to_json(group.labels)},
                                      {"next_ms", group.next_ms},
                                      {"has_begun", group.has_begun},
                                      {"alerts", std::move(alerts)},
                                      {"told", std::move(told)}});
}

Result<GroupState> decode_group(std::string_view text) {
  const auto parsed = json_fields::parse_object(text, "group of alerts");
  if (!parsed) return parsed.error();
  const json::object& from = *parsed;
  GroupState group;
  group.route = json_fields::text_at(from, "route");
  group.group_key = json_fields::text_at(from, "group_key");
  group.receiver = json_fields::text_at(from, "receiver");
  group.labels = json_fields::labels_at(from, "labels");
  group.next_ms = json_fields::integer_at(from, "next_ms");
  const json::value* has_begun = from.if_contains("has_begun");
  const json::value* alerts = from.if_contains("alerts");
  const json::value* told = from.if_contains("told");
  if (group.route.empty() || has_begun == nullptr || !has_begun->is_bool() || alerts == nullptr ||
      !alerts->is_object() || told == nullptr || !told->is_object())
    return fail(Errc::parse, "group of alerts: lacks its route, its alerts or what was told");
  group.has_begun = has_begun->get_bool();
  for (const auto& [word, membership] : kMemberships) {
    for (std::string& fingerprint : json_fields::texts_at(alerts->get_object(), word))
      group.alerts.emplace(std::move(fingerprint), membership);
  }
  for (const auto& [channel, what] : told->get_object()) {
    if (!what.is_object()) continue;
    const auto firing = json_fields::texts_at(what.get_object(), "firing");
    const auto news = json_fields::texts_at(what.get_object(), "news");
    group.told[std::string(channel)] = {json_fields::integer_at(what.get_object(), "at_ms"),
                                        {firing.begin(), firing.end()},
                                        {news.begin(), news.end()}};
  }
  return group;
}

}  // namespace vigil::routing
