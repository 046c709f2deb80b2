#include "aggregator/alerts/alert_json.h"

#include "aggregator/notify/json_parts.h"

#include <memory>
#include <utility>

namespace vigil::alerts {

namespace {

std::map<std::string, std::int64_t> times_at(const boost::json::object& from, std::string_view key) {
  std::map<std::string, std::int64_t> out;
  const boost::json::value* times = from.if_contains(key);
  if (times == nullptr || !times->is_object()) return out;
  for (const auto& each : times->get_object()) {
    if (each.value().is_int64()) out.emplace(std::string(each.key()), each.value().get_int64());
  }
  return out;
}

}  // namespace

std::string encode(const Alert& alert) {
  boost::json::array notified;
  for (const std::string& name : alert.notified) notified.push_back(boost::json::string(name));
  boost::json::array escalated;
  for (const std::string& name : alert.escalated) escalated.push_back(boost::json::string(name));
  boost::json::object first_told;
  for (const auto& [name, at_ms] : alert.first_told) first_told[name] = at_ms;
  return boost::json::serialize(boost::json::object{{"series", notify::to_json(*alert.series)},
                                                    {"labels", notify::to_json(alert.labels)},
                                                    {"annotations", notify::to_json(alert.annotations)},
                                                    {"value", notify::number_text(alert.value)},
                                                    {"active_since_ms", alert.active_since_ms},
                                                    {"fired_at_ms", alert.fired_at_ms},
                                                    {"resolved_at_ms", alert.resolved_at_ms},
                                                    {"last_true_ms", alert.last_true_ms},
                                                    {"held_ms", alert.held_ms},
                                                    {"false_since_ms", alert.false_since_ms},
                                                    {"no_data_since_ms", alert.no_data_since_ms},
                                                    {"flapping_since_ms", alert.flapping_since_ms},
                                                    {"flap_changed_ms", alert.flap_changed_ms},
                                                    {"lasting_since_ms", alert.lasting_since_ms},
                                                    {"calmed", alert.calmed ? 1 : 0},
                                                    {"reason", alert.reason},
                                                    {"notified", std::move(notified)},
                                                    {"escalated", std::move(escalated)},
                                                    {"first_told", std::move(first_told)},
                                                    {"announced", alert.announced ? 1 : 0},
                                                    {"announced_ms", alert.announced_ms},
                                                    {"acked_by", alert.acknowledgement.author},
                                                    {"acked_at_ms", alert.acknowledgement.at_ms},
                                                    {"ack_comment", alert.acknowledgement.comment},
                                                    {"evidence", notify::to_json(alert.evidence)}});
}

Result<Alert> decode_alert(std::string_view body) {
  const auto parsed = notify::parse_object(body, "alert");
  if (!parsed) return parsed.error();
  Alert alert;
  alert.series = std::make_shared<const Labels>(notify::labels_at(*parsed, "series"));
  alert.labels = notify::labels_at(*parsed, "labels");
  alert.annotations = notify::labels_at(*parsed, "annotations");
  alert.value = notify::number_at(*parsed, "value");
  alert.active_since_ms = notify::integer_at(*parsed, "active_since_ms");
  alert.fired_at_ms = notify::integer_at(*parsed, "fired_at_ms");
  alert.resolved_at_ms = notify::integer_at(*parsed, "resolved_at_ms");
  alert.last_true_ms = notify::integer_at(*parsed, "last_true_ms");
  alert.held_ms = notify::integer_at(*parsed, "held_ms");
  alert.false_since_ms = notify::integer_at(*parsed, "false_since_ms");
  alert.no_data_since_ms = notify::integer_at(*parsed, "no_data_since_ms");
  alert.lasting_since_ms = notify::integer_at(*parsed, "lasting_since_ms");
  alert.flapping_since_ms = notify::integer_at(*parsed, "flapping_since_ms");
  alert.flap_changed_ms = notify::integer_at(*parsed, "flap_changed_ms");
  if (alert.flap_changed_ms == 0) alert.flap_changed_ms = alert.flapping_since_ms;  // as it was told before
  alert.calmed = notify::integer_at(*parsed, "calmed") != 0;
  alert.reason = notify::text_at(*parsed, "reason");
  alert.notified = notify::texts_at(*parsed, "notified");
  alert.escalated = notify::texts_at(*parsed, "escalated");
  alert.first_told = times_at(*parsed, "first_told");
  alert.announced = notify::integer_at(*parsed, "announced") != 0;
  alert.announced_ms = notify::integer_at(*parsed, "announced_ms");
  alert.acknowledgement = {notify::text_at(*parsed, "acked_by"), notify::text_at(*parsed, "ack_comment"),
                           notify::integer_at(*parsed, "acked_at_ms")};
  alert.evidence = notify::evidence_at(*parsed, "evidence");
  return alert;
}

}  // namespace vigil::alerts
