// The function table of the templates: one line per function. Internal to the templates.
#pragma once

#include "aggregator/rules/template.h"
#include "aggregator/rules/template_value.h"
#include "common/error.h"

#include <span>
#include <string_view>

namespace vigil::rules {

struct TemplateFunction {
  std::string_view name;
  std::size_t min_args = 0;
  std::size_t max_args = 0;
  Result<TemplateValue> (*call)(std::span<const TemplateValue> args, const TemplateData& data) = nullptr;
};

/// Null when there is none of that name.
const TemplateFunction* find_template_function(std::string_view name);

/// What Prometheus has and vigil has not (yet): "range", "query", ...
bool is_unsupported_word(std::string_view name);

/// The known name most like `name`, or "".
std::string_view suggest_template_function(std::string_view name);

// The humanize functions by themselves, for messages. As in Prometheus: "1.235k", "1.206Ki", "1h 2m 3s".
std::string humanize(double value);
std::string humanize_1024(double value);
std::string humanize_duration(double seconds);
std::string humanize_percentage(double ratio);
/// "2026-11-21 14:00:05.25 +0000 UTC"
std::string humanize_timestamp(double unix_seconds);

}  // namespace vigil::rules
