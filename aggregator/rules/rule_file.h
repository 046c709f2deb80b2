// A rule file as written: YAML in, plain values out, nothing of it understood yet but the shape. The format
// is Prometheus's (groups of rules) and a few optional keys of our own (rule_extras.h): unknown keys are
// errors.
#pragma once

#include "common/config/fields.h"
#include "common/error.h"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::rules {

using config::PlacedText;

/// What a rule makes of a series that has no data any more: the alert stays as it is, the condition counts as
/// false, or as true.
enum class OnNoData : std::uint8_t { keep, ok, alert };

/// An action of the configuration that a rule wants: its name alone, or with `on: resolved`.
struct RawAction {
  PlacedText run;
  bool on_resolved = false;
};
void decode(const config::Value& value, RawAction& out);
void describe(config::Fields& fields, RawAction& action);

struct RawRule {
  PlacedText record;
  PlacedText alert;
  PlacedText expr;
  std::optional<std::chrono::milliseconds> hold;
  std::optional<std::chrono::milliseconds> keep_firing_for;
  std::map<std::string, PlacedText> labels;
  std::map<std::string, PlacedText> annotations;
  PlacedText clear;
  std::optional<std::chrono::milliseconds> clear_for;
  PlacedText times;
  OnNoData on_no_data = OnNoData::keep;
  PlacedText known;
  std::optional<std::chrono::milliseconds> steady;
  PlacedText flapping;
  std::map<std::string, PlacedText> evidence;
  PlacedText runbook;
  std::vector<RawAction> actions;
  config::Value at;
};
void decode(const config::Value& value, RawRule& out);
void describe(config::Fields& fields, RawRule& rule);

struct RawGroup {
  PlacedText name;
  std::optional<std::chrono::milliseconds> interval;
  std::optional<std::chrono::milliseconds> query_offset;
  std::int64_t limit = 0;
  std::map<std::string, PlacedText> labels;
  std::vector<RawRule> rules;
};
void describe(config::Fields& fields, RawGroup& group);

struct RawFile {
  std::vector<RawGroup> groups;
};
void describe(config::Fields& fields, RawFile& file);

/// A file read, with the document that collects what is wrong with it.
struct RuleFile {
  std::string name;
  config::Document document;
  RawFile content;
};

/// Fails only when the text is not YAML at all; other errors wait in `document` for its result().
Result<RuleFile> parse_rule_file(std::string_view text, std::string name);

/// Of a metric, a label or an annotation: any text in UTF-8, as since Prometheus 3, but none.
bool is_name(std::string_view name);

}  // namespace vigil::rules
