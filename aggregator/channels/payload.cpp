#include "aggregator/channels/payload.h"

#include "aggregator/channels/backlog.h"
#include "aggregator/channels/template_data.h"
#include "aggregator/channels/time_format.h"
#include "common/json/fields.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

namespace vigil::channels {
namespace {

namespace json = boost::json;

json::object alert_v4(const notify::Notification& note) {
  const bool is_over = note.kind == notify::Kind::resolved;
  return {{"status", to_string(note.kind)},
          {"labels", json_fields::to_json(note.labels)},
          {"annotations", json_fields::to_json(note.annotations)},
          {"startsAt", rfc3339(note.fired_at_ms)},
          {"endsAt", rfc3339(is_over ? note.resolved_at_ms : kZeroTimeMs)},
          {"generatorURL", note.link},
          {"fingerprint", note.fingerprint}};
}

}  // namespace

std::string rfc3339(std::int64_t t_ms) {
  return format_time(kRfc3339, t_ms, *calendar::utc());
}

boost::json::object payload_v4(const Told& told, const std::string& external_url, std::size_t max_alerts) {
  const notify::Group& group = told.group;
  const std::size_t count = max_alerts == 0 ? group.alerts.size() : std::min(max_alerts, group.alerts.size());
  boost::json::array alerts;
  for (std::size_t i = 0; i < count; ++i) alerts.push_back(alert_v4(group.alerts[i]));
  return {{"receiver", group.receiver},
          {"status", is_firing(group) ? "firing" : "resolved"},
          {"alerts", std::move(alerts)},
          {"groupLabels", json_fields::to_json(group.labels)},
          {"commonLabels", json_fields::to_json(common_labels(group))},
          {"commonAnnotations", json_fields::to_json(common_annotations(group))},
          {"externalURL", external_url},
          {"version", "4"},
          {"groupKey", group.key},
          {"truncatedAlerts", group.alerts.size() - count + group.left_out}};
}

}  // namespace vigil::channels
