#include "aggregator/api/rule_lists.h"

#include "aggregator/api/answer.h"
#include "aggregator/api/parameters.h"
#include "common/text/human.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

namespace vigil::aggregator::api {
namespace {

using alerts::AlertInfo;
using alerts::RuleInfo;

/// As Go prints a time that was never set.
constexpr std::string_view kNever = "0001-01-01T00:00:00Z";

std::string moment_text(std::int64_t t_ms) {
  return t_ms == 0 ? std::string(kNever) : format_rfc3339(t_ms);
}

double in_seconds(std::chrono::milliseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

/// "8.5e-01": of alerts, and only there, Prometheus writes values so.
std::string value_with_exponent(double value) {
  std::array<char, 64> buffer;
  std::string text;
  if (!std::isfinite(value)) {
    append_value(text, value);
    return text;
  }
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
  return {buffer.data(), end};
}

bool is_active(const AlertInfo& alert) {
  return alert.state == alerts::State::pending || alert.state == alerts::State::firing;
}

void write_alert(JsonWriter& json, const AlertInfo& alert) {
  json.begin_object().key("labels").labels(alert.labels).key("annotations").labels(alert.annotations);
  json.member("state", alerts::to_string(alert.state)).member("activeAt", moment_text(alert.active_since_ms));
  if (alert.keep_firing_since_ms != 0)
    json.member("keepFiringSince", moment_text(alert.keep_firing_since_ms));
  json.member("value", value_with_exponent(alert.value)).end_object();
}

void write_texts(JsonWriter& json, std::string_view key, const std::vector<rules::NamedTemplate>& texts) {
  std::vector<const rules::NamedTemplate*> sorted;
  sorted.reserve(texts.size());
  for (const auto& text : texts) sorted.push_back(&text);
  std::ranges::sort(sorted, {}, [](const auto* text) { return text->name; });
  json.key(key).begin_object();
  for (const auto* text : sorted) json.member(text->name, text->text);
  json.end_object();
}

/// What the parameters of the request leave.
struct RuleFilter {
  std::optional<rules::RuleKind> kind;
  std::vector<std::string> names;
  std::vector<std::string> groups;
  std::vector<std::string> files;
  MatcherLists matchers;
  bool with_alerts = true;

  static Result<RuleFilter> read(const http::Request& request);
  bool takes(const rules::Rule& rule) const;
};

bool is_listed(const std::vector<std::string>& list, const std::string& text) {
  return list.empty() || std::ranges::find(list, text) != list.end();
}

Result<RuleFilter> RuleFilter::read(const http::Request& request) {
  RuleFilter filter;
  const std::string type = request.get("type");
  if (type == "alert") {
    filter.kind = rules::RuleKind::alert;
  } else if (type == "record") {
    filter.kind = rules::RuleKind::record;
  } else if (!type.empty()) {
    return fail(Errc::invalid_argument, "parameter type: '{}' must be alert or record", type);
  }
  const std::string exclude = request.get("exclude_alerts");
  if (exclude == "true" || exclude == "1" || exclude == "t") {
    filter.with_alerts = false;
  } else if (!exclude.empty() && exclude != "false" && exclude != "0" && exclude != "f") {
    return fail(Errc::invalid_argument, "parameter exclude_alerts: '{}' must be true or false", exclude);
  }
  filter.names = request.all("rule_name[]");
  filter.groups = request.all("rule_group[]");
  filter.files = request.all("file[]");
  auto matchers = match_parameters(request);
  if (!matchers) return matchers.error();
  filter.matchers = std::move(*matchers);
  return filter;
}

bool RuleFilter::takes(const rules::Rule& rule) const {
  if (kind && rule.kind != *kind) return false;
  if (!is_listed(names, rule.name) || !is_listed(groups, rule.group) || !is_listed(files, rule.file))
    return false;
  if (matchers.empty()) return true;
  return std::ranges::any_of(matchers, [&rule](const auto& all) {
    return std::ranges::all_of(
        all, [&rule](const promql::Matcher& matcher) { return matcher.matches(rule.label(matcher.name())); });
  });
}

using AlertsByRule = std::map<std::string_view, std::vector<const AlertInfo*>>;  // by Rule::key

void write_alerting(JsonWriter& json, const RuleInfo& info, const std::vector<const AlertInfo*>& alerts) {
  const rules::Rule& rule = *info.rule;
  json.member("duration", in_seconds(rule.hold)).member("keepFiringFor", in_seconds(rule.keep_firing_for));
  write_texts(json, "labels", rule.labels);
  write_texts(json, "annotations", rule.annotations);
  json.key("alerts").begin_array();
  for (const AlertInfo* alert : alerts) write_alert(json, *alert);
  json.end_array();
}

double evaluation_seconds(const RuleInfo& info) {
  return static_cast<double>(info.last_duration_ns) / 1e9;
}

void write_health(JsonWriter& json, const RuleInfo& info) {
  json.member("health", alerts::to_string(info.health()));
  if (!info.last_error.empty()) json.member("lastError", info.last_error);
  json.member("evaluationTime", evaluation_seconds(info));
  json.member("lastEvaluation", moment_text(info.last_evaluation_ms));
}

void write_rule(JsonWriter& json, const RuleInfo& info, const AlertsByRule& alerts) {
  static const std::vector<const AlertInfo*> kNone;
  const rules::Rule& rule = *info.rule;
  const bool is_alert = rule.kind == rules::RuleKind::alert;
  json.begin_object();
  if (is_alert) json.member("state", alerts::to_string(info.state));
  json.member("name", rule.name).member("query", rule.expr_text);
  if (is_alert) {
    const auto at = alerts.find(rule.key);
    write_alerting(json, info, at == alerts.end() ? kNone : at->second);
  } else {
    write_texts(json, "labels", rule.labels);
  }
  write_health(json, info);
  json.member("type", is_alert ? "alerting" : "recording").end_object();
}

/// Rules of one group of one file stand together.
bool is_same_group(const RuleInfo& a, const RuleInfo& b) {
  return a.rule->group == b.rule->group && a.rule->file == b.rule->file;
}

/// Groups as they are in force: what a user's file puts in the place of a shipped rule lies among those.
void stand_together(std::vector<RuleInfo>& rules) {
  std::map<std::pair<std::string_view, std::string_view>, std::size_t>
      places;  // file and group, by appearance
  for (const RuleInfo& info : rules) places.try_emplace({info.rule->file, info.rule->group}, places.size());
  std::ranges::stable_sort(rules, {}, [&places](const RuleInfo& info) {
    return places.at({info.rule->file, info.rule->group});
  });
}

void write_group(JsonWriter& json, std::span<const RuleInfo> rules, const AlertsByRule& alerts) {
  const rules::Rule& first = *rules.front().rule;
  std::int64_t latest_ms = 0;
  double seconds = 0;
  json.begin_object().member("name", first.group).member("file", first.file).key("rules").begin_array();
  for (const RuleInfo& rule : rules) {
    write_rule(json, rule, alerts);
    latest_ms = std::max(latest_ms, rule.last_evaluation_ms);
    seconds += evaluation_seconds(rule);
  }
  json.end_array().member("interval", in_seconds(first.interval)).member("limit", first.limit);
  json.member("evaluationTime", seconds).member("lastEvaluation", moment_text(latest_ms)).end_object();
}

}  // namespace

http::Response rules_answer(const Errand& errand, const ApiSources& sources) {
  const auto filter = RuleFilter::read(errand.request);
  if (!filter) return bad_data(filter.error());
  auto rules = sources.rules();
  std::erase_if(rules, [&filter](const RuleInfo& info) { return !filter->takes(*info.rule); });
  stand_together(rules);
  const auto active = filter->with_alerts ? sources.alerts() : std::vector<AlertInfo>();
  AlertsByRule by_rule;
  for (const AlertInfo& alert : active) {
    if (is_active(alert)) by_rule[alert.rule_key].push_back(&alert);
  }
  return success([&](JsonWriter& json) {
    json.begin_object().key("groups").begin_array();
    for (auto at = rules.begin(); at != rules.end();) {
      const auto end =
          std::find_if(at, rules.end(), [&at](const RuleInfo& info) { return !is_same_group(*at, info); });
      write_group(json, {at, end}, by_rule);
      at = end;
    }
    json.end_array().end_object();
  });
}

http::Response alerts_answer(const ApiSources& sources) {
  return success([&sources](JsonWriter& json) {
    json.begin_object().key("alerts").begin_array();
    for (const AlertInfo& alert : sources.alerts()) {
      if (is_active(alert)) write_alert(json, alert);
    }
    json.end_array().end_object();
  });
}

http::Response alertmanagers_answer() {
  return success([](JsonWriter& json) {
    json.begin_object().key("activeAlertmanagers").begin_array().end_array();
    json.key("droppedAlertmanagers").begin_array().end_array().end_object();
  });
}

}  // namespace vigil::aggregator::api
