#include "aggregator/silences/maintenance.h"

#include "aggregator/promql/parser.h"
#include "aggregator/silences/silence.h"
#include "common/json/fields.h"
#include "common/text/utf8.h"

#include <algorithm>

namespace vigil::silences {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

constexpr std::size_t kMostTexts = 20;
constexpr std::size_t kMostTextBytes = 4096;
constexpr milliseconds kLongestNotice = std::chrono::days(60);

/// The begin of the notice that is due: of several the one nearest to the begin.
std::int64_t due_notice_ms(const MaintenancePlan& plan, std::int64_t begin_ms, std::int64_t now_ms) {
  std::int64_t due = 0;
  for (const milliseconds notice : plan.notices) {
    const std::int64_t at = begin_ms - notice.count();
    if (at <= now_ms) due = std::max(due, at);
  }
  return due;
}

json::array texts(const std::vector<std::string>& from) {
  json::array out;
  for (const std::string& text : from) out.push_back(json::string(text));
  return out;
}

json::array checks_json(const std::vector<MaintenanceCheck>& checks) {
  json::array out;
  for (const MaintenanceCheck& check : checks)
    out.push_back(json::object{{"name", check.name}, {"expr", check.expr}});
  return out;
}

std::vector<MaintenanceCheck> checks_at(const json::object& from, std::string_view key) {
  std::vector<MaintenanceCheck> out;
  const json::value* list = from.if_contains(key);
  if (list == nullptr || !list->is_array()) return out;
  for (const json::value& each : list->get_array()) {
    if (!each.is_object()) continue;
    out.push_back(
        {json_fields::text_at(each.get_object(), "name"), json_fields::text_at(each.get_object(), "expr")});
  }
  return out;
}

Result<void> check_all(const std::vector<MaintenanceCheck>& checks, std::string_view when) {
  for (const MaintenanceCheck& check : checks) {
    if (check.expr.size() > kMostTextBytes)
      return fail(Errc::invalid_argument, "a check {} takes more than {} bytes", when, kMostTextBytes);
    const auto parsed = promql::parse(check.expr);
    if (!parsed)
      return fail(Errc::invalid_argument, "the check {} '{}': {}", when, check.expr, parsed.error().message);
    const auto type = (*parsed)->type;
    if (type != promql::ValueType::vector && type != promql::ValueType::scalar)
      return fail(Errc::invalid_argument, "the check {} '{}' gives a {}; it must give samples of now", when,
                  check.expr, to_string(type));
  }
  return {};
}

}  // namespace

std::string_view to_string(MaintenanceStep step) {
  switch (step) {
    case MaintenanceStep::notice:
      return "notice";
    case MaintenanceStep::ask_before:
      return "ask_before";
    case MaintenanceStep::begin:
      return "begin";
    case MaintenanceStep::ask_after:
      return "ask_after";
    case MaintenanceStep::end:
      return "end";
    case MaintenanceStep::cancelled:
      break;
  }
  return "cancelled";
}

Result<void> check(const MaintenancePlan& plan) {
  if (plan.title.empty()) return fail(Errc::invalid_argument, "a maintenance needs a title: what is done");
  if (printable(plan.title) != plan.title || printable(plan.impact) != plan.impact)
    return fail(Errc::invalid_argument, "title and impact are one line each, without control characters");
  if (plan.title.size() > 200 || plan.impact.size() > kMostTextBytes)
    return fail(Errc::invalid_argument, "the title takes at most 200 bytes, the impact {}", kMostTextBytes);
  const std::size_t most = std::max({plan.receivers.size(), plan.notices.size(), plan.before.size(),
                                     plan.after.size(), plan.run_before.size(), plan.run_after.size()});
  if (most > kMostTexts)
    return fail(Errc::invalid_argument, "at most {} receivers, notices, checks and actions each", kMostTexts);
  for (const milliseconds notice : plan.notices) {
    if (notice.count() <= 0 || notice > kLongestNotice)
      return fail(Errc::invalid_argument, "a notice comes more than nothing and at most 60 days before");
  }
  if (!plan.notices.empty() && plan.receivers.empty())
    return fail(Errc::invalid_argument, "a notice needs somebody who is told: a receiver");
  if (auto fine = check_all(plan.before, "before"); !fine) return fine;
  return check_all(plan.after, "after");
}

std::string encode(const MaintenancePlan& plan) {
  json::array notices;
  for (const milliseconds notice : plan.notices) notices.push_back(notice.count());
  return json::serialize(json::object{{"title", plan.title},
                                      {"impact", plan.impact},
                                      {"receivers", texts(plan.receivers)},
                                      {"notices_ms", std::move(notices)},
                                      {"before", checks_json(plan.before)},
                                      {"after", checks_json(plan.after)},
                                      {"run_before", texts(plan.run_before)},
                                      {"run_after", texts(plan.run_after)}});
}

Result<MaintenancePlan> decode_plan(std::string_view text) {
  const auto parsed = json_fields::parse_object(text, "maintenance");
  if (!parsed) return parsed.error();
  MaintenancePlan plan;
  plan.title = json_fields::text_at(*parsed, "title");
  if (plan.title.empty()) return fail(Errc::parse, "maintenance: lacks its title");
  plan.impact = json_fields::text_at(*parsed, "impact");
  plan.receivers = json_fields::texts_at(*parsed, "receivers");
  if (const json::value* list = parsed->if_contains("notices_ms"); list != nullptr && list->is_array()) {
    for (const json::value& each : list->get_array()) {
      if (each.is_int64()) plan.notices.emplace_back(each.get_int64());
    }
  }
  plan.before = checks_at(*parsed, "before");
  plan.after = checks_at(*parsed, "after");
  plan.run_before = json_fields::texts_at(*parsed, "run_before");
  plan.run_after = json_fields::texts_at(*parsed, "run_after");
  return plan;
}

std::string encode(const MaintenanceProgress& progress) {
  return json::serialize(json::object{{"begin_ms", progress.begin_ms},
                                      {"end_ms", progress.end_ms},
                                      {"noticed_ms", progress.noticed_ms},
                                      {"begun", progress.begun ? 1 : 0},
                                      {"ended", progress.ended ? 1 : 0},
                                      {"told_begin", progress.told_begin ? 1 : 0},
                                      {"asked_after", progress.asked_after ? 1 : 0},
                                      {"runs_before", texts(progress.runs_before)},
                                      {"runs_after", texts(progress.runs_after)},
                                      {"running", texts(progress.running)},
                                      {"missing", texts(progress.missing)}});
}

Result<MaintenanceProgress> decode_progress(std::string_view text) {
  const auto parsed = json_fields::parse_object(text, "progress of a maintenance");
  if (!parsed) return parsed.error();
  MaintenanceProgress progress;
  progress.begin_ms = json_fields::integer_at(*parsed, "begin_ms");
  progress.end_ms = json_fields::integer_at(*parsed, "end_ms");
  progress.noticed_ms = json_fields::integer_at(*parsed, "noticed_ms");
  progress.begun = json_fields::integer_at(*parsed, "begun") != 0;
  progress.ended = json_fields::integer_at(*parsed, "ended") != 0;
  progress.told_begin = json_fields::integer_at(*parsed, "told_begin") != 0;
  progress.asked_after = json_fields::integer_at(*parsed, "asked_after") != 0;
  progress.runs_before = json_fields::texts_at(*parsed, "runs_before");
  progress.runs_after = json_fields::texts_at(*parsed, "runs_after");
  progress.running = json_fields::texts_at(*parsed, "running");
  progress.missing = json_fields::texts_at(*parsed, "missing");
  return progress;
}

PlannedAction planned_action(const std::string& text) {
  const std::size_t at = text.find('@');
  return {text.substr(0, at), at == std::string::npos ? "" : text.substr(at + 1)};
}

std::optional<MaintenanceStep> next_step(const Silence& silence, MaintenanceProgress& progress,
                                         std::int64_t now_ms, const AreOver& are_over) {
  if (!silence.maintenance) return std::nullopt;
  const auto time = silence.time_at(now_ms);
  const bool is_same = time && time->begin_ms == progress.begin_ms;
  if (is_same) progress.end_ms = time->end_ms;  // it may have been made longer
  if (progress.begun && !progress.ended && (!is_same || now_ms >= progress.end_ms)) {
    progress.end_ms = std::min(progress.end_ms, now_ms);
    if (!silence.maintenance->run_after.empty() && !std::exchange(progress.asked_after, true))
      return MaintenanceStep::ask_after;
    if (!are_over(progress.runs_after)) return std::nullopt;
    progress.ended = true;
    return MaintenanceStep::end;
  }
  const bool waits = progress.noticed_ms != 0 && !progress.begun && !progress.ended;
  if (waits && !is_same) {
    // Ended before it began, moved to another time, or passed while nobody looked.
    progress.ended = true;
    const bool has_passed = now_ms >= progress.end_ms && silence.ends_ms > progress.begin_ms;
    return has_passed ? MaintenanceStep::end : MaintenanceStep::cancelled;
  }
  if (!time) return std::nullopt;
  if (!is_same) {
    progress = {};
    progress.begin_ms = time->begin_ms;
    progress.end_ms = time->end_ms;
  }
  if (now_ms >= progress.begin_ms) {
    const bool asks_first = !silence.maintenance->run_before.empty();
    if (!std::exchange(progress.begun, true)) {
      progress.told_begin = !asks_first;
      return asks_first ? MaintenanceStep::ask_before : MaintenanceStep::begin;
    }
    if (!asks_first || progress.told_begin || !are_over(progress.runs_before)) return std::nullopt;
    progress.told_begin = true;
    return MaintenanceStep::begin;
  }
  const std::int64_t due = due_notice_ms(*silence.maintenance, progress.begin_ms, now_ms);
  if (due <= progress.noticed_ms) return std::nullopt;
  progress.noticed_ms = due;
  return MaintenanceStep::notice;
}

}  // namespace vigil::silences
