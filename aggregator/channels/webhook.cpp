// Alertmanager's own JSON, version 4 of it: what programs written for its webhooks read.
#include "aggregator/channels/backlog.h"
#include "aggregator/channels/http.h"
#include "aggregator/channels/kinds.h"
#include "aggregator/channels/template_data.h"
#include "aggregator/channels/time_format.h"
#include "common/json/fields.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

namespace vigil::channels {
namespace {

namespace json = boost::json;

std::string time_text(std::int64_t t_ms) {
  return format_time(kRfc3339, t_ms, *calendar::utc());
}

json::object alert_json(const notify::Notification& note) {
  const bool is_over = note.kind == notify::Kind::resolved;
  return {{"status", to_string(note.kind)},
          {"labels", json_fields::to_json(note.labels)},
          {"annotations", json_fields::to_json(note.annotations)},
          {"startsAt", time_text(note.fired_at_ms)},
          {"endsAt", time_text(is_over ? note.resolved_at_ms : kZeroTimeMs)},
          {"generatorURL", note.link},
          {"fingerprint", note.fingerprint}};
}

json::object payload(const Told& told, const std::string& external_url, std::size_t max_alerts) {
  const notify::Group& group = told.group;
  const std::size_t count = max_alerts == 0 ? group.alerts.size() : std::min(max_alerts, group.alerts.size());
  json::array alerts;
  for (std::size_t i = 0; i < count; ++i) alerts.push_back(alert_json(group.alerts[i]));
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

}  // namespace

Render make_webhook(const routing::WebhookChannel& channel, const Making& making) {
  const Site site{channel.at, making.problems};
  notify::Request base = http_request(site, read_url(site, "url", channel.url), channel.http);
  base.timeout = channel.timeout;
  return [base, max_alerts = channel.max_alerts, external_url = making.external_url](
             const notify::Shipment& shipment, std::int64_t now_ms) {
    const Told told(shipment, now_ms, external_url);
    return with_body(base, shipment, payload(told, external_url, max_alerts));
  };
}

}  // namespace vigil::channels
