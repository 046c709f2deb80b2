#include "aggregator/actions/run.h"

#include "aggregator/notify/json_parts.h"
#include "aggregator/notify/text.h"
#include "common/process/program.h"
#include "common/text/human.h"

#include <algorithm>
#include <array>

namespace vigil::actions {
namespace {

namespace json = boost::json;

constexpr std::array<std::pair<std::string_view, Trigger>, 4> kTriggers{
    {{"firing", Trigger::firing},
     {"resolved", Trigger::resolved},
     {"manual", Trigger::manual},
     {"maintenance", Trigger::maintenance}}};
constexpr std::array<std::pair<std::string_view, RunState>, 11> kStates{
    {{"needs_approval", RunState::needs_approval},
     {"queued", RunState::queued},
     {"running", RunState::running},
     {"succeeded", RunState::succeeded},
     {"failed", RunState::failed},
     {"unknown", RunState::unknown},
     {"dry_run", RunState::dry_run},
     {"skipped", RunState::skipped},
     {"rejected", RunState::rejected},
     {"expired", RunState::expired},
     {"cancelled", RunState::cancelled}}};

/// Far below what one text of an environment may have, 128 KiB.
constexpr std::size_t kVariableBytes = 4'096;

template <class E, std::size_t n>
std::string_view word_of(const std::array<std::pair<std::string_view, E>, n>& words, E value) {
  return std::ranges::find(words, value, &std::pair<std::string_view, E>::second)->first;
}

template <class E, std::size_t n>
Result<E> value_of(const std::array<std::pair<std::string_view, E>, n>& words, std::string_view word) {
  const auto* found = std::ranges::find(words, word, &std::pair<std::string_view, E>::first);
  if (found == words.end()) return fail(Errc::parse, "'{}' is no word of a run", word);
  return found->second;
}

json::value number_or_null(const std::optional<double>& value) {
  return value ? json::value(notify::number_text(*value)) : json::value();
}

std::optional<double> optional_number(const json::object& from, std::string_view key) {
  const auto* found = from.if_contains(key);
  if (found == nullptr || !found->is_string()) return std::nullopt;
  return notify::number_at(from, key);
}

json::object alert_of(const Run& run) {
  return {{"name", run.subject.alert},
          {"fingerprint", run.subject.fingerprint},
          {"labels", notify::to_json(run.subject.labels)},
          {"annotations", notify::to_json(run.subject.annotations)},
          {"value", notify::number_text(run.subject.value)}};
}

/// One line: what is read by lines stays one.
std::string variable(std::string_view name, std::string_view value) {
  return fmt::format("{}={}", name, notify::one_line(notify::cut(value, kVariableBytes)));
}

}  // namespace

std::string_view to_string(Trigger trigger) {
  return word_of(kTriggers, trigger);
}
std::string_view to_string(RunState state) {
  return word_of(kStates, state);
}

bool Run::is_over() const {
  return state != RunState::needs_approval && state != RunState::queued && state != RunState::running;
}

std::string encode(const Run& run) {
  return json::serialize(
      json::object{{"number", run.number},
                   {"action", run.action},
                   {"trigger", to_string(run.trigger)},
                   {"host", run.subject.host},
                   {"alert", alert_of(run)},
                   {"state", to_string(run.state)},
                   {"reason", run.reason},
                   {"author", run.author},
                   {"comment", run.comment},
                   {"created_ms", run.created_ms},
                   {"started_ms", run.started_ms},
                   {"ended_ms", run.ended_ms},
                   {"code", run.outcome.code ? json::value(*run.outcome.code) : json::value()},
                   {"output", run.outcome.output},
                   {"output_cut", run.outcome.is_output_cut ? 1 : 0},
                   {"effect", run.effect},
                   {"before", number_or_null(run.before)},
                   {"after", number_or_null(run.after)},
                   {"measure_at_ms", run.measure_at_ms},
                   {"measured", run.is_measured ? 1 : 0}});
}

Result<Run> decode_run(std::string_view body) {
  const auto parsed = notify::parse_object(body, "run");
  if (!parsed) return parsed.error();
  Run run;
  run.number = notify::integer_at(*parsed, "number");
  run.action = notify::text_at(*parsed, "action");
  const auto trigger = value_of(kTriggers, notify::text_at(*parsed, "trigger"));
  const auto state = value_of(kStates, notify::text_at(*parsed, "state"));
  if (!trigger) return trigger.error();
  if (!state) return state.error();
  run.trigger = *trigger;
  run.state = *state;
  run.subject.host = notify::text_at(*parsed, "host");
  if (const auto* alert = parsed->if_contains("alert"); alert != nullptr && alert->is_object()) {
    const json::object& fields = alert->get_object();
    run.subject.alert = notify::text_at(fields, "name");
    run.subject.fingerprint = notify::text_at(fields, "fingerprint");
    run.subject.labels = notify::labels_at(fields, "labels");
    run.subject.annotations = notify::labels_at(fields, "annotations");
    run.subject.value = notify::number_at(fields, "value");
  }
  run.reason = notify::text_at(*parsed, "reason");
  run.author = notify::text_at(*parsed, "author");
  run.comment = notify::text_at(*parsed, "comment");
  run.created_ms = notify::integer_at(*parsed, "created_ms");
  run.started_ms = notify::integer_at(*parsed, "started_ms");
  run.ended_ms = notify::integer_at(*parsed, "ended_ms");
  if (const auto* code = parsed->if_contains("code"); code != nullptr && code->is_int64())
    run.outcome.code = static_cast<int>(code->get_int64());
  run.outcome.state = run.state;
  run.outcome.output = notify::text_at(*parsed, "output");
  run.outcome.is_output_cut = notify::integer_at(*parsed, "output_cut") != 0;
  run.effect = notify::text_at(*parsed, "effect");
  run.before = optional_number(*parsed, "before");
  run.after = optional_number(*parsed, "after");
  run.measure_at_ms = notify::integer_at(*parsed, "measure_at_ms");
  run.is_measured = notify::integer_at(*parsed, "measured") != 0;
  return run;
}

std::string payload_of(const Run& run) {
  return json::serialize(json::object{{"version", 1},
                                      {"run", run.id},
                                      {"action", run.action},
                                      {"trigger", to_string(run.trigger)},
                                      {"host", run.subject.host},
                                      {"author", run.author},
                                      {"comment", run.comment},
                                      {"alert", run.subject.alert.empty() ? json::value() : alert_of(run)}});
}

std::vector<std::string> environment_of(const Run& run) {
  return {kProgramPath,
          "LANG=C.UTF-8",
          variable("VIGIL_ACTION", run.action),
          variable("VIGIL_RUN", run.id),
          variable("VIGIL_TRIGGER", to_string(run.trigger)),
          variable("VIGIL_HOST", run.subject.host),
          variable("VIGIL_ALERT", run.subject.alert),
          variable("VIGIL_SEVERITY", run.subject.labels.get("severity")),
          variable("VIGIL_VALUE", run.subject.alert.empty() ? "" : notify::number_text(run.subject.value)),
          variable("VIGIL_AUTHOR", run.author)};
}

std::string_view short_id(const Run& run) {
  constexpr std::size_t kBytes = 8;
  return std::string_view(run.id).substr(0, kBytes);
}

std::string sentence_of(const Run& run) {
  std::string state(to_string(run.state));
  std::ranges::replace(state, '_', ' ');
  std::string out = state;
  if (run.state == RunState::needs_approval) out += ": vigil actions approve " + std::string(short_id(run));
  if (!run.reason.empty()) out += ": " + run.reason;
  if (run.is_measured && run.before && run.after) {
    out += fmt::format("; {} before, {} after", format_si(*run.before), format_si(*run.after));
  }
  return out;
}

std::string author_of(const Run& run) {
  if (run.author.empty()) return {};
  return fmt::format("; by {}{}{}", run.author, run.comment.empty() ? "" : ": ", run.comment);
}

std::string entry_of(const Run& run) {
  const std::int64_t at_ms = run.has_begun() ? run.started_ms : run.created_ms;
  return fmt::format("{} UTC: {}{}", format_rfc3339(at_ms).substr(11, 8), sentence_of(run), author_of(run));
}

}  // namespace vigil::actions
