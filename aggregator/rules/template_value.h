// What flows through a template's pipelines. Internal to the templates.
#pragma once

#include "common/series.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace vigil::rules {

/// Nothing, a truth, an integer literal, a number, text, or a set of labels (which outlives the expansion).
using TemplateValue = std::variant<std::monostate, bool, std::int64_t, double, std::string, const Labels*>;

/// As Go names it: "float64", "string", ...
std::string_view type_name(const TemplateValue& value);

/// What {{ if }} asks: not empty, not zero.
bool is_true(const TemplateValue& value);

}  // namespace vigil::rules
