// Channels of a written configuration, and messages to them.
#pragma once

#include "aggregator/channels/channels.h"
#include "tests/aggregator/notify/notes.h"
#include "tests/aggregator/routing/configurations.h"

#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::test {

inline constexpr std::int64_t kNow = 1'795'269'606'000;  // 2026-11-21 14:00:06 UTC
inline constexpr const char* kDashboard = "https://vigil.example/";

/// A group of the route by alertname, with key and receiver.
inline notify::Group group_of(std::vector<notify::Notification> alerts) {
  notify::Group group;
  group.key = R"({}/{team="web"}:{alertname="HighCpu"})";
  group.receiver = "ops";
  group.labels = Labels{{"alertname", "HighCpu"}};
  group.alerts = std::move(alerts);
  return group;
}

inline notify::Row group_row(notify::Group group, const std::string& key = "0123456789abcdef-1-7") {
  notify::Row row;
  row.receiver = "ops/x[0]";
  row.note = group.alerts.front();
  row.note.key = key;
  row.note.rule_key = row.note.fingerprint = row.note.alert = group.key;
  row.group = std::move(group);
  return row;
}

inline notify::Shipment shipment_of(std::vector<notify::Notification> alerts) {
  return {{group_row(group_of(std::move(alerts)))}};
}

/// `channels` are keys of the one receiver, in flow style: "slack_configs: [{...}]"; `more` is of the file.
inline Result<std::vector<notify::Endpoint>> try_endpoints(const std::string& channels,
                                                           const std::string& more = "") {
  return channels::make_endpoints(
      routing::configuration("route: {receiver: ops}\n" + more + "\nreceivers:\n- name: ops\n  " + channels),
      kDashboard);
}

inline std::vector<notify::Endpoint> endpoints(const std::string& channels, const std::string& more = "") {
  auto made = try_endpoints(channels, more);
  REQUIRE(made);
  return std::move(*made);
}

inline notify::Request request_of(const std::string& channels, const notify::Shipment& shipment) {
  return endpoints(channels).at(0).render(shipment, kNow);
}

inline boost::json::object body_of(const notify::Request& request) {
  boost::json::error_code error;
  const boost::json::value parsed = boost::json::parse(request.body, error);
  INFO(request.body);
  REQUIRE_FALSE(error);
  return parsed.as_object();
}

inline std::string text_at(const boost::json::value& value, std::string_view pointer) {
  boost::json::error_code error;
  const boost::json::value* found = value.find_pointer(pointer, error);
  if (found == nullptr) return "<nothing>";
  return found->is_string() ? std::string(found->get_string()) : boost::json::serialize(*found);
}

inline bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace vigil::test
