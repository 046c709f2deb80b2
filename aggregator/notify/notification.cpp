#include "aggregator/notify/notification.h"

#include "aggregator/notify/json_parts.h"

namespace vigil::notify {

std::string_view to_string(Kind kind) {
  return kind == Kind::firing ? "firing" : "resolved";
}

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::info:
      return "info";
    case Severity::warning:
      return "warning";
    case Severity::critical:
      break;
  }
  return "critical";
}

Severity parse_severity(std::string_view label) {
  if (label.empty() || label == "info" || label == "none") return Severity::info;
  return label == "critical" || label == "page" ? Severity::critical : Severity::warning;
}

std::string encode(const Notification& n) {
  return boost::json::serialize(boost::json::object{{"kind", to_string(n.kind)},
                                                    {"key", n.key},
                                                    {"fingerprint", n.fingerprint},
                                                    {"rule_key", n.rule_key},
                                                    {"group", n.group},
                                                    {"alert", n.alert},
                                                    {"severity", n.severity},
                                                    {"instance", n.instance},
                                                    {"labels", to_json(n.labels)},
                                                    {"annotations", to_json(n.annotations)},
                                                    {"value", number_text(n.value)},
                                                    {"expr", n.expr},
                                                    {"active_since_ms", n.active_since_ms},
                                                    {"fired_at_ms", n.fired_at_ms},
                                                    {"resolved_at_ms", n.resolved_at_ms},
                                                    {"reason", n.reason},
                                                    {"evidence", to_json(n.evidence)},
                                                    {"link", n.link}});
}

Result<Notification> decode_notification(std::string_view text_json) {
  const auto parsed = parse_object(text_json, "notification");
  if (!parsed) return parsed.error();
  const boost::json::object& from = *parsed;
  Notification n;
  n.kind = text_at(from, "kind") == "resolved" ? Kind::resolved : Kind::firing;
  n.key = text_at(from, "key");
  n.fingerprint = text_at(from, "fingerprint");
  n.rule_key = text_at(from, "rule_key");
  n.group = text_at(from, "group");
  n.alert = text_at(from, "alert");
  n.severity = text_at(from, "severity");
  n.instance = text_at(from, "instance");
  n.labels = labels_at(from, "labels");
  n.annotations = labels_at(from, "annotations");
  n.value = number_at(from, "value");
  n.expr = text_at(from, "expr");
  n.active_since_ms = integer_at(from, "active_since_ms");
  n.fired_at_ms = integer_at(from, "fired_at_ms");
  n.resolved_at_ms = integer_at(from, "resolved_at_ms");
  n.reason = text_at(from, "reason");
  n.evidence = evidence_at(from, "evidence");
  n.link = text_at(from, "link");
  if (n.key.empty() || n.alert.empty()) return fail(Errc::parse, "notification: without key or alert");
  return n;
}

}  // namespace vigil::notify
