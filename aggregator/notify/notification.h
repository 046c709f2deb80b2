// One thing to tell people: an alert began to fire, or it is resolved. A value: everything a message needs is
// in it, so that it can wait in the outbox over restarts and be rendered when its time has come.
#pragma once

#include "aggregator/notify/message_thread.h"
#include "common/error.h"
#include "common/series.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::notify {

enum class Kind : std::uint8_t { firing, resolved };
std::string_view to_string(Kind kind);

/// Ordered: info < warning < critical. A label that is none of them counts as warning; no label as info.
enum class Severity : std::uint8_t { info, warning, critical };
std::string_view to_string(Severity severity);
Severity parse_severity(std::string_view label);

struct EvidenceRow {
  std::string name;   // "postgres (pid 4711)"
  std::string value;  // "71 %"
};
struct Evidence {
  std::string title;  // "Top processes by CPU"
  std::vector<EvidenceRow> rows;
};

/// The title of evidence that tells what was done about an alert: see docs/actions.md.
inline constexpr std::string_view kActionsTitle = "Actions";

struct Notification {
  Kind kind = Kind::firing;
  std::string key;          // idempotency key: the same for every attempt to deliver this very message
  std::string fingerprint;  // of the alert: the same for firing and resolved
  std::string rule_key;
  std::string group;
  std::string alert;     // the rule's name
  std::string severity;  // the label, as written
  std::string instance;  // "" when the alert is about more than one host
  Labels labels;
  Labels annotations;
  double value = 0;
  std::string expr;
  std::int64_t active_since_ms = 0;
  std::int64_t fired_at_ms = 0;
  std::int64_t resolved_at_ms = 0;  // 0 while firing
  /// Of what is no alert: "Maintenance begins", and "Database upgrade on db-1 until 2026-11-21 22:00 UTC". Of
  /// alerts "", as their names say it.
  std::string occasion, title;
  std::string reason;  // why resolved, when not simply because the condition is false
  /// Resolved only: value and texts are those of its end, when its condition was false, not of when it was
  /// true.
  bool is_of_its_end = false;
  std::vector<Evidence> evidence;
  std::string link;  // to the alert in the dashboard; "" without external_url
  friend bool operator==(const Notification&, const Notification&) = default;
};
inline bool operator==(const EvidenceRow& a, const EvidenceRow& b) {
  return a.name == b.name && a.value == b.value;
}
inline bool operator==(const Evidence& a, const Evidence& b) {
  return a.title == b.title && a.rows == b.rows;
}

/// Alerts that are told of together: a group of a route of alertmanager.yml.
struct Group {
  std::string key;                   // Alertmanager's groupKey
  std::string receiver;              // of alertmanager.yml, "" no channel
  Labels labels;                     // those it is grouped by
  std::vector<Notification> alerts;  // those that fire, then those that are resolved; never empty
  std::uint64_t left_out = 0;        // more of them than a message has room for
  friend bool operator==(const Group&, const Group&) = default;
};

/// JSON for the outbox; decode(encode(n)) == n. Errc::parse on anything else.
std::string encode(const Notification& notification);
Result<Notification> decode_notification(std::string_view json);
/// A message of the outbox on its way to one receiver: a notification, or a group of them.
struct Row {
  std::int64_t id = 0;   // 0: could not be stored, lives in memory only
  std::string receiver;  // the endpoint's name
  std::int64_t created_ms = 0;
  int attempts = 0;
  std::int64_t next_attempt_ms = 0;
  /// Of a group: what it is filed under, that is key, kind (firing while anything fires), and the group's key
  /// as fingerprint, rule_key and alert.
  Notification note;
  std::optional<Group> group{};
};

/// What a row says, as JSON for the outbox: its notification, and its group if it has one.
std::string encode_body(const Row& row);
/// Fills in what encode_body() wrote. Errc::parse on anything else.
Result<void> decode_body(std::string_view json, Row& row);

/// What became of rows: told to the owner of the outbox.
enum class Outcome : std::uint8_t { delivered, postponed, dead };
struct Delivery {
  std::vector<std::int64_t> ids;
  Outcome outcome = Outcome::delivered;
  int attempts = 0;
  std::int64_t next_attempt_ms = 0;  // postponed only
  std::string error;
  std::optional<ThreadChange> thread{};  // delivered only: what is to be remembered with it
  /// To be called once it is stored, or cannot be: the next message waits for that. May be empty.
  std::function<void()> noted{};
};

}  // namespace vigil::notify
