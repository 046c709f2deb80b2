#include "aggregator/rules/config.h"

namespace vigil::rules {
namespace {

constexpr std::pair<std::string_view, Preset> kPresets[] = {{"production", Preset::production},
                                                            {"staging", Preset::staging},
                                                            {"development", Preset::development},
                                                            {"none", Preset::none}};

}  // namespace

std::string_view to_string(Preset preset) {
  for (const auto& [word, meaning] : kPresets) {
    if (meaning == preset) return word;
  }
  return "none";
}

void describe(config::Fields& fields, Override& change) {
  fields.required("alert", change.alert, "The rules of this name are changed.");
  fields.field("severity", change.severity,
               "Only the rule of this severity: warning and critical often share a name.");
  fields.field("group", change.group, "Only the rules of this group.");
  fields.field("threshold", change.threshold, "Replaces the number of the expression's first comparison.");
  fields.field("for", change.hold, "Replaces how long it must be true before it fires.");
  fields.field("keep_firing_for", change.keep_firing_for,
               "Replaces how long it fires on after it was last true.");
  fields.field("expr", change.expr, "Replaces the expression.");
  fields.field("labels", change.labels, "Sets labels; an empty text removes one.");
  fields.field("annotations", change.annotations, "Sets annotations; an empty text removes one.");
  fields.field("disabled", change.disabled, "Switches the rule off.");
}

void describe(config::Fields& fields, RulesConfig& rules) {
  fields.choice("preset", rules.preset, std::span<const std::pair<std::string_view, Preset>>(kPresets),
                "The shipped rules to begin with.");
  fields.paths(
      "files", rules.files,
      "Rule files in Prometheus's format, or patterns of them such as /etc/vigil/rules/*.yml. A rule "
      "with group, name and severity of a shipped one replaces it.");
  fields.field("interval", rules.interval, "How often groups without an interval are evaluated.");
  fields.field("external_labels", rules.external_labels, "What templates see as $externalLabels.");
  fields.field("overrides", rules.overrides, "Changes to single rules, whatever file they are from.");
  fields.field("expected_containers", rules.expected_containers,
               "Containers that must run, by host: the alert ContainerMissing. None: nobody looks.");
  fields.field("steady_series", rules.steady_series,
               "Series that must go on while their host lives: the alert SeriesStale. None: nobody looks.");
  fields.require("interval", rules.interval.count() > 0, "must be more than 0");
}

}  // namespace vigil::rules
