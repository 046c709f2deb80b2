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

namespace {

boost::json::object object_of(const Notification& n) {
  return {{"kind", to_string(n.kind)},
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
          {"occasion", n.occasion},
          {"title", n.title},
          {"reason", n.reason},
          {"of_its_end", n.is_of_its_end ? 1 : 0},
          {"evidence", to_json(n.evidence)},
          {"link", n.link}};
}

Result<Notification> notification_of(const boost::json::object& from) {
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
  n.occasion = text_at(from, "occasion");
  n.title = text_at(from, "title");
  n.reason = text_at(from, "reason");
  n.is_of_its_end = integer_at(from, "of_its_end") != 0;
  n.evidence = evidence_at(from, "evidence");
  n.link = text_at(from, "link");
  if (n.key.empty() || n.alert.empty()) return fail(Errc::parse, "notification: without key or alert");
  return n;
}

boost::json::object object_of(const Group& group) {
  boost::json::array alerts;
  for (const Notification& note : group.alerts) alerts.push_back(object_of(note));
  return {{"key", group.key},
          {"receiver", group.receiver},
          {"labels", to_json(group.labels)},
          {"alerts", std::move(alerts)},
          {"left_out", static_cast<std::int64_t>(group.left_out)}};
}

Result<Group> group_of(const boost::json::object& from) {
  Group group{text_at(from, "key"),
              text_at(from, "receiver"),
              labels_at(from, "labels"),
              {},
              static_cast<std::uint64_t>(integer_at(from, "left_out"))};
  const boost::json::value* alerts = from.if_contains("alerts");
  if (alerts == nullptr || !alerts->is_array()) return fail(Errc::parse, "group: without alerts");
  for (const boost::json::value& alert : alerts->get_array()) {
    if (!alert.is_object()) return fail(Errc::parse, "group: an alert is no object");
    auto note = notification_of(alert.get_object());
    if (!note) return note.error();
    group.alerts.push_back(std::move(*note));
  }
  if (group.alerts.empty()) return fail(Errc::parse, "group: without alerts");
  return group;
}

}  // namespace

std::string encode(const Notification& notification) {
  return boost::json::serialize(object_of(notification));
}

Result<Notification> decode_notification(std::string_view json) {
  const auto parsed = parse_object(json, "notification");
  if (!parsed) return parsed.error();
  return notification_of(*parsed);
}

std::string encode_body(const Row& row) {
  boost::json::object body = object_of(row.note);
  if (row.group) body["of_group"] = object_of(*row.group);
  return boost::json::serialize(body);
}

Result<void> decode_body(std::string_view json, Row& row) {
  const auto parsed = parse_object(json, "message");
  if (!parsed) return parsed.error();
  auto note = notification_of(*parsed);
  if (!note) return note.error();
  row.note = std::move(*note);
  const boost::json::value* group = parsed->if_contains("of_group");
  if (group == nullptr) return {};
  if (!group->is_object()) return fail(Errc::parse, "message: its group is no object");
  auto decoded = group_of(group->get_object());
  if (!decoded) return decoded.error();
  row.group = std::move(*decoded);
  return {};
}

}  // namespace vigil::notify
