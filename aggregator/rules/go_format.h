// Numbers and formats as Go's fmt package prints them: templates of published rules rely on it. Internal to
// the templates.
#pragma once

#include "aggregator/rules/template_value.h"

#include <span>
#include <string>
#include <string_view>

namespace vigil::rules {

/// The shortest digits that read back, exponent form below 1e-4 and from 10^`exponent_from` on: 21 for %v, 21
/// for print, 6 for %g.
std::string go_float(double value, int exponent_from);

/// %v
std::string go_print(const TemplateValue& value);

/// fmt.Sprintf: verbs v s q d f F e E g G x X t %, flags, width and precision (to 512 at most). A value that
/// does not fit its verb shows as Go shows it, `%!d(float64=1.5)`; printf never fails.
std::string go_sprintf(std::string_view format, std::span<const TemplateValue> args);

}  // namespace vigil::rules
