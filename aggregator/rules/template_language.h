// What a template may say beside the words of Go's text/template: its functions, and what it begins with. One
// value per use of the templates. Internal to the templates and to who gives them functions of its own.
#pragma once

#include "aggregator/rules/template_functions.h"

#include <cstddef>
#include <string_view>
#include <vector>

namespace vigil::rules {

struct TemplateLanguage {
  std::vector<TemplateFunction> functions;
  /// Prometheus's variables and the four fields of `.`; otherwise a template begins with any value, whose
  /// members may be methods with arguments: {{ .StartsAt.Format "15:04" }}.
  bool of_rules = false;
  std::size_t max_bytes = 65'536;  // of a text that is parsed

  /// Null when there is none of that name.
  const TemplateFunction* find(std::string_view name) const;
  /// The known name most like `name`, or "".
  std::string_view suggest(std::string_view name) const;
};

/// That of Prometheus's rule files.
const TemplateLanguage& rule_language();

}  // namespace vigil::rules
