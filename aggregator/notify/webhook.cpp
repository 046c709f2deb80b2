#include "aggregator/notify/json_parts.h"
#include "aggregator/notify/message.h"
#include "aggregator/notify/text.h"
#include "common/text/human.h"

#include <cmath>

namespace vigil::notify {
namespace {

namespace json = boost::json;

json::value time_or_null(std::int64_t t_ms) {
  return t_ms == 0 ? json::value() : json::value(format_rfc3339(t_ms));
}

json::object alert_of(const Notification& note) {
  return {{"key", note.key},
          {"fingerprint", note.fingerprint},
          {"status", to_string(note.kind)},
          {"title", fmt::format("{}: {}", one_line(status_word(note)), one_line(title_of(note)))},
          {"alert", note.alert},
          {"group", note.group},
          {"severity", note.severity},
          {"instance", note.instance},
          {"labels", to_json(note.labels)},
          {"annotations", to_json(note.annotations)},
          {"value", std::isfinite(note.value) ? json::value(note.value) : json::value()},
          {"value_text", value_text(note)},
          {"expr", note.expr},
          {"active_since", time_or_null(note.active_since_ms)},
          {"fired_at", time_or_null(note.fired_at_ms)},
          {"resolved_at", time_or_null(note.resolved_at_ms)},
          {"reason", note.reason},
          {"evidence", to_json(note.evidence)},
          {"link", note.link}};
}

}  // namespace

std::string render_webhook(const Shipment& shipment, const std::string& receiver) {
  json::array alerts;
  for (const Row& row : shipment.rows) alerts.push_back(alert_of(row.note));
  const Notification& first = shipment.rows.front().note;
  return json::serialize(json::object{{"version", 1},
                                      {"key", shipment.key()},
                                      {"receiver", receiver},
                                      {"status", to_string(first.kind)},
                                      {"alert", first.alert},
                                      {"severity", first.severity},
                                      {"count", shipment.rows.size()},
                                      {"alerts", std::move(alerts)}});
}

}  // namespace vigil::notify
