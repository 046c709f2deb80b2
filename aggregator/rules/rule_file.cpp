#include "aggregator/rules/rule_file.h"

#include "common/series.h"
#include "common/text/utf8.h"

#include <array>
#include <set>

namespace vigil::rules {
namespace {

constexpr std::array<std::pair<std::string_view, OnNoData>, 3> kOnNoData{
    {{"keep", OnNoData::keep}, {"ok", OnNoData::ok}, {"alert", OnNoData::alert}}};
constexpr std::array<std::pair<std::string_view, bool>, 2> kOn{{{"firing", false}, {"resolved", true}}};

}  // namespace

void decode(const config::Value& value, RawRule& out) {
  out.at = value;
  config::Fields fields(value);
  describe(fields, out);
  fields.finish();
  if (out.runbook.at && out.alert.at) out.annotations.try_emplace("runbook_url", out.runbook);
}

void describe(config::Fields& fields, RawRule& rule) {
  fields.field("alert", rule.alert, "Name of the alert.");
  fields.field("record", rule.record, "Name of the recorded metric.");
  fields.required("expr", rule.expr, "PromQL; every series it gives is an alert.");
  fields.field("for", rule.hold, "How long it must be true before it fires.");
  fields.field("keep_firing_for", rule.keep_firing_for, "How long it fires on after it was last true.");
  fields.field("labels", rule.labels, "Labels added to the alert; templates.");
  fields.field("annotations", rule.annotations, "What people read; templates.");
  fields.field(
      "clear", rule.clear,
      "When it is over, if not when `expr` is false: another threshold, or PromQL that is true then.");
  fields.field("clear_for", rule.clear_for, "How long that must be so.");
  fields.field("times", rule.times, "Instead of `for`: how many of the last evaluations, as in 3 of 5.");
  fields.choice("on_no_data", rule.on_no_data,
                std::span<const std::pair<std::string_view, OnNoData>>(kOnNoData),
                "What a series without data means: the alert stays, is over, or fires.");
  fields.field("known", rule.known,
               "PromQL that has a sample of each label set of which `expr` knows whether it is true.");
  fields.field("steady", rule.steady,
               "Of on_no_data: alert: what had data for a shorter time is not missed.");
  fields.field("flapping", rule.flapping, "So many beginnings and ends are one message, as in 6 in 30m.");
  fields.field("evidence", rule.evidence, "PromQL by title, asked when it begins; templates.");
  fields.field("runbook", rule.runbook, "Address of what to do: the annotation runbook_url.");
  fields.field("actions", rule.actions,
               "Actions of the configuration that run when it fires, or on resolved.");
}

void decode(const config::Value& value, RawAction& out) {
  if (value.is_scalar()) return decode(value, out.run);
  config::Fields fields(value);
  describe(fields, out);
  fields.finish();
}

void describe(config::Fields& fields, RawAction& action) {
  fields.required("run", action.run, "Name of the action.");
  fields.choice("on", action.on_resolved, std::span<const std::pair<std::string_view, bool>>(kOn),
                "When it runs.");
}

void describe(config::Fields& fields, RawGroup& group) {
  fields.required("name", group.name, "Name of the group, once per file.");
  fields.field("interval", group.interval, "How often the rules are evaluated; 0 as when absent.");
  fields.field("query_offset", group.query_offset, "Evaluate this far in the past.");
  fields.field("limit", group.limit, "Most alerts one rule may have; 0: any number.");
  fields.field("labels", group.labels, "Labels added to every rule of the group.");
  fields.field("rules", group.rules, "The rules.");
  fields.require("limit", group.limit >= 0, "must be 0 or more");
}

void describe(config::Fields& fields, RawFile& file) {
  fields.field("groups", file.groups, "Groups of rules that share an interval.");
}

namespace {

void check_extras(const RawRule& rule) {
  const bool has_extras = rule.clear.at || rule.clear_for || rule.times.at || rule.flapping.at ||
                          rule.known.at || rule.steady || rule.on_no_data != OnNoData::keep ||
                          !rule.evidence.empty() || rule.runbook.at || !rule.actions.empty();
  if (has_extras && rule.record.at) {
    rule.record.at.error(
        "a recording rule has no clear, clear_for, times, on_no_data, known, steady, flapping, evidence, "
        "runbook or actions");
  }
  if (rule.clear_for && !rule.clear.at)
    rule.at.error("clear_for: there is no clear; keep_firing_for is for the expression itself");
  if (rule.clear_for && rule.keep_firing_for)
    rule.at.error("clear_for and keep_firing_for are one time: write clear_for");
  if (rule.steady && rule.on_no_data != OnNoData::alert)
    rule.at.error("steady: it says which missing data is an alert; there is no on_no_data: alert");
  if (rule.known.at && rule.on_no_data == OnNoData::ok)
    rule.known.at.error("on_no_data: ok makes no difference between what is false and what is not known");
  if (rule.times.at && rule.hold) rule.times.at.error("times is instead of for: write one of them");
}

void check_shape(const RawRule& rule) {
  const bool is_alert = static_cast<bool>(rule.alert.at);
  const bool is_record = static_cast<bool>(rule.record.at);
  if (is_alert == is_record) {
    rule.at.error(is_alert ? "a rule is either an alert or a record, not both"
                           : "missing key alert (or record)");
  }
  if (is_alert && rule.alert.text.empty()) rule.alert.at.error("must not be empty");
  if (is_record && !is_name(rule.record.text))
    rule.record.at.error(fmt::format("'{}' is not a valid metric name", rule.record.text));
  const auto is_set = [](const auto& time) { return time && time->count() > 0; };
  check_extras(rule);
  if (is_record && (is_set(rule.hold) || is_set(rule.keep_firing_for) || !rule.annotations.empty())) {
    rule.record.at.error("a recording rule has no for, keep_firing_for or annotations");
  }
  for (const auto& [name, value] : rule.labels) {
    if (!is_name(name) || name == kMetricName)
      value.at.error(fmt::format("'{}' is not a valid label name", name));
  }
  for (const auto& [name, value] : rule.annotations) {
    if (!is_name(name)) value.at.error(fmt::format("'{}' is not a valid annotation name", name));
  }
}

}  // namespace

bool is_name(std::string_view name) {
  return !name.empty() && is_utf8(name);
}

Result<RuleFile> parse_rule_file(std::string_view text, std::string name) {
  auto document = config::Document::parse(text, name);
  if (!document) return document.error();
  RuleFile file{std::move(name), std::move(*document), {}};
  decode(file.document.root(), file.content);
  std::set<std::string> names;
  for (const RawGroup& group : file.content.groups) {
    if (group.name.at && group.name.text.empty()) group.name.at.error("must not be empty");
    if (group.name.at && !names.insert(group.name.text).second)
      group.name.at.error("this group is in the file twice");
    for (const RawRule& rule : group.rules) check_shape(rule);
  }
  return file;
}

}  // namespace vigil::rules
