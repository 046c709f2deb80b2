// The function table of the templates: one line per function. Internal to the templates.
#pragma once

#include "aggregator/rules/template.h"
#include "aggregator/rules/template_value.h"
#include "common/error.h"

#include <span>
#include <string_view>

namespace vigil::rules {

/// Of an expansion, and of any one text on the way to it.
inline constexpr std::size_t kMaxTextBytes = 65'536;

using TemplateArgs = std::span<const TemplateValue>;

struct TemplateFunction {
  /// Whether all arguments are evaluated, or only as many as decide; `tmpl` is done where the templates are.
  /// Objects come as their plain values, unless it takes them as they are.
  enum class Kind : std::uint8_t { plain, all_of, any_of, tmpl, of_objects };
  std::string_view name;
  std::size_t min_args = 0;
  std::size_t max_args = 0;
  Result<TemplateValue> (*call)(TemplateArgs args, const TemplateData& data) = nullptr;
  Kind kind = Kind::plain;
};

// Parts of the table, one file each.
std::span<const TemplateFunction> number_functions();  // humanize and its kin, comparisons
std::span<const TemplateFunction> text_functions();    // words, patterns, escapes, links
std::span<const TemplateFunction> data_functions();    // query and what is done with its answer

// What several of them need.
/// A number, or text that is one.
Result<double> template_number(const TemplateValue& value);
Result<std::string> template_text(const TemplateValue& value);
/// `value.name`, as Go finds fields and keys, or what the method of that name gives.
Result<TemplateValue> template_field(const TemplateValue& value, const std::string& name);

// The humanize functions by themselves, for messages. As in Prometheus: "1.235k", "1.206Ki", "1h 2m 3s".
std::string humanize(double value);
std::string humanize_1024(double value);
std::string humanize_duration(double seconds);
std::string humanize_percentage(double ratio);
/// "2026-11-21 14:00:05.25 +0000 UTC"
std::string humanize_timestamp(double unix_seconds);

}  // namespace vigil::rules
