// One thing to tell people: an alert began to fire, or it is resolved. A value: everything a message needs is
// in it, so that it can wait in the outbox over restarts and be rendered when its time has come.
#pragma once

#include "common/error.h"
#include "common/series.h"

#include <cstdint>
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
  std::string reason;               // why resolved, when not simply because the condition is false
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

/// JSON for the outbox; decode(encode(n)) == n. Errc::parse on anything else.
std::string encode(const Notification& notification);
Result<Notification> decode_notification(std::string_view json);

/// A notification of the outbox on its way to one receiver.
struct Row {
  std::int64_t id = 0;  // 0: could not be stored, lives in memory only
  std::string receiver;
  std::int64_t created_ms = 0;
  int attempts = 0;
  std::int64_t next_attempt_ms = 0;
  Notification note;
};

/// What became of rows: told to the owner of the outbox.
enum class Outcome : std::uint8_t { delivered, postponed, dead };
struct Delivery {
  std::vector<std::int64_t> ids;
  Outcome outcome = Outcome::delivered;
  int attempts = 0;
  std::int64_t next_attempt_ms = 0;  // postponed only
  std::string error;
};

}  // namespace vigil::notify
