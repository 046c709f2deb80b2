// Layering of rules: shipped files, the user's files, overrides. Rules here are still drafts: values as
// written, each with where it came from.
#pragma once

#include "aggregator/rules/rule_file.h"
#include "aggregator/rules/rule_set.h"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::rules {

/// What the name of a shipped file begins with: "preset production".
inline constexpr std::string_view kPresetPrefix = "preset ";

struct Draft {
  const RawGroup* group = nullptr;  // lives in its RuleFile
  RawRule rule;
  std::string file;  // "preset production", "/etc/vigil/rules/web.yml"
  std::string expr;  // overrides applied
  std::chrono::milliseconds interval{};
  std::vector<Origin> explain;

  std::string_view name() const { return rule.alert.at ? rule.alert.text : rule.record.text; }
  std::string_view severity() const;
};

/// Adds the rules of `file`; alerts with group, name and severity of a shipped one take its place.
void add_layer(std::vector<Draft>& drafts, const RuleFile& file, std::chrono::milliseconds default_interval);

/// Applies one override to every draft it names. The error says why there was nothing to apply it to.
Result<void> apply_override(std::vector<Draft>& drafts, const Override& change);

}  // namespace vigil::rules
