// Numbers and formats as Go's fmt package prints them: templates of published rules rely on it. Internal to
// the templates.
#pragma once

#include "aggregator/rules/template_value.h"

#include <span>
#include <string>
#include <string_view>

namespace vigil::rules {

/// %v and %g: the shortest digits that read back, in exponent form below 1e-4 and from 1e+06 on:
/// "1.234567e+06".
std::string go_float(double value);

/// %v
std::string go_print(const TemplateValue& value);

/// fmt.Sprintf: verbs v s q d f F e E g G x X t c U T %, flags, width and precision (to 512 at most, also as
/// arguments), indexes of arguments. A value that
/// does not fit its verb shows as Go shows it, `%!d(float64=1.5)`; printf never fails.
std::string go_sprintf(std::string_view format, std::span<const TemplateValue> args);

}  // namespace vigil::rules
