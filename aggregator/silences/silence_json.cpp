#include "aggregator/silences/silence_json.h"

#include "common/json/fields.h"

namespace vigil::silences {
namespace {

namespace json = boost::json;
using std::chrono::seconds;

json::object to_json(const calendar::RecurringWindow& window) {
  return {{"start_s", window.start().time_since_epoch().count()},  // local time
          {"length_s", window.length().count()},
          {"zone", window.zone().name()},
          {"rule", calendar::to_string(window.recurrence())}};
}

Result<calendar::RecurringWindow> read_window(const json::object& from, calendar::Zones& zones) {
  const auto zone = zones.find(json_fields::text_at(from, "zone"));
  if (!zone) return zone.error();
  auto rule = calendar::parse_recurrence(json_fields::text_at(from, "rule"));
  if (!rule) return rule.error();
  return calendar::RecurringWindow::create(
      calendar::local_seconds(seconds(json_fields::integer_at(from, "start_s"))),
      seconds(json_fields::integer_at(from, "length_s")), *zone, std::move(*rule));
}

}  // namespace

std::string encode(const Silence& silence) {
  json::object out{{"id", silence.id},
                   {"matchers", matchers::to_string(silence.matchers)},
                   {"starts_ms", silence.starts_ms},
                   {"ends_ms", silence.ends_ms},
                   {"author", silence.author},
                   {"comment", silence.comment},
                   {"updated_ms", silence.updated_ms}};
  if (silence.window) out["window"] = to_json(*silence.window);
  if (silence.maintenance) {
    out["maintenance"] = encode(*silence.maintenance);
    out["progress"] = encode(silence.progress);
  }
  return json::serialize(out);
}

Result<Silence> decode_silence(std::string_view text, calendar::Zones& zones) {
  const auto parsed = json_fields::parse_object(text, "silence");
  if (!parsed) return parsed.error();
  const json::object& from = *parsed;
  Silence silence;
  silence.id = json_fields::text_at(from, "id");
  if (silence.id.empty()) return fail(Errc::parse, "silence: lacks its id");
  auto matchers = matchers::parse_matchers(json_fields::text_at(from, "matchers"));
  if (!matchers) return matchers.error();
  silence.matchers = std::move(matchers->matchers);
  silence.starts_ms = json_fields::integer_at(from, "starts_ms");
  silence.ends_ms = json_fields::integer_at(from, "ends_ms");
  silence.author = json_fields::text_at(from, "author");
  silence.comment = json_fields::text_at(from, "comment");
  silence.updated_ms = json_fields::integer_at(from, "updated_ms");
  if (const json::value* window = from.if_contains("window"); window != nullptr && window->is_object()) {
    auto read = read_window(window->get_object(), zones);
    if (!read) return read.error();
    silence.window = std::move(*read);
  }
  if (const std::string plan = json_fields::text_at(from, "maintenance"); !plan.empty()) {
    auto read = decode_plan(plan);
    if (!read) return read.error();
    silence.maintenance = std::move(*read);
    auto progress = decode_progress(json_fields::text_at(from, "progress"));
    if (!progress) return progress.error();
    silence.progress = std::move(*progress);
  }
  return silence;
}

}  // namespace vigil::silences
