#include "aggregator/alerts/messages.h"

#include "common/text/letter_case.h"

namespace vigil::alerts {
namespace {

/// "Disk: no data", "(no data)" and "There is no data." do with "no data", "piano data" does not.
bool ends_with_words(std::string_view text, std::string_view words) {
  text = text.substr(0, text.find_last_not_of(".!) ") + 1);
  if (text.size() < words.size() || !is_same_in_any_case(text.substr(text.size() - words.size()), words))
    return false;
  if (text.size() == words.size()) return true;
  constexpr std::string_view kBefore = " (:;,.-\"'";
  return kBefore.find(text[text.size() - words.size() - 1]) != std::string_view::npos;
}

}  // namespace

notify::Notification firing_now(const AlertBook& book, const Alert& alert, std::string_view external_url) {
  notify::Notification note = to_notification(alert, notify::Kind::firing, external_url);
  note.annotations = book.annotations_now(alert);
  return note;
}

void append_to_summary(Labels& annotations, std::string_view text) {
  const std::string_view summary = annotations.get("summary");
  if (ends_with_words(summary, text)) return;
  annotations.set("summary", summary.empty() ? std::string(text) : fmt::format("{} ({})", summary, text));
}

void say_calm(notify::Notification& note) {
  append_to_summary(note.annotations, "still firing, no longer flapping");
}

notify::Notification to_notification(const Alert& alert, notify::Kind kind, std::string_view external_url) {
  notify::Notification note;
  note.kind = kind;
  note.key = fmt::format("{}-{}-{}", alert.fingerprint, alert.fired_at_ms, to_string(kind));
  note.fingerprint = alert.fingerprint;
  note.rule_key = alert.rule->key;
  note.group = alert.rule->group;
  note.alert = alert.rule->name;
  note.severity = alert.severity();
  note.instance = alert.instance();
  note.labels = alert.labels;
  note.annotations = alert.annotations;
  note.value = alert.value;
  note.expr = alert.rule->expr_text;
  note.active_since_ms = alert.active_since_ms;
  note.fired_at_ms = alert.fired_at_ms;
  if (kind == notify::Kind::resolved) {
    note.resolved_at_ms = alert.resolved_at_ms;
    note.reason = alert.reason;
    note.is_of_its_end = alert.rule->extras.measured && alert.reason.empty();
  }
  note.evidence = alert.evidence;
  if (!external_url.empty()) {
    const bool slash = external_url.ends_with('/');
    note.link = fmt::format("{}{}alerts/{}", external_url, slash ? "" : "/", alert.fingerprint);
  }
  return note;
}

}  // namespace vigil::alerts
