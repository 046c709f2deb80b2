// A text of a channel: any bytes are a template or an error, and a template written over alerts with hostile
// labels ends, within its bounds, as a text or an error; in HTML no value becomes markup.
#include "aggregator/channels/functions.h"
#include "aggregator/channels/html_output.h"
#include "aggregator/channels/template_data.h"
#include "aggregator/rules/template_set.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace vigil;

namespace {

notify::Group hostile_group() {
  notify::Notification note;
  note.key = note.fingerprint = "0123456789abcdef";
  note.alert = "A<script>x</script>";
  note.instance = "web-1\r\nX: y";
  note.severity = "critical";
  note.labels = Labels{{"alertname", note.alert}, {"instance", note.instance}, {"q", "\"'`&<>\xff{{ . }}"}};
  note.annotations = Labels{{"summary", "<script>x</script> {{ .Status }}"}, {"runbook_url", "javascript:x"}};
  note.active_since_ms = note.fired_at_ms = 1'795'269'485'000;
  notify::Notification over = note;
  over.kind = notify::Kind::resolved;
  over.resolved_at_ms = 1'795'270'000'000;
  return {R"({}:{a="b"})", "ops", {{"a", "b"}}, {note, over}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const notify::Group group = hostile_group();
  rules::TemplateSet set(channels::language());
  static_cast<void>(set.add(text));
  const auto parsed = set.parse(text);
  if (!parsed) return 0;
  const rules::TemplateValue dot = channels::template_data(group, "https://vigil.example.org");
  static_cast<void>(parsed->expand({.dot = dot, .now_ms = 1'795'270'000'000}));
  const auto html =
      parsed->expand({.dot = dot, .now_ms = 1'795'270'000'000, .write = channels::HtmlOutput()});
  const bool has_markup =
      text.find('<') != std::string_view::npos || text.find("safeHtml") != std::string_view::npos;
  if (html && !has_markup && html->find('<') != std::string::npos) std::abort();
  return 0;
}
