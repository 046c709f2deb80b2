// Annotation and label templates, in the language of Prometheus's rule files: Go's text/template, of which
// this is the part that host rules use. Parsed when a rule file is loaded, expanded when an alert changes.
//
//   {{ $labels.instance }} is at {{ $value | printf "%.1f" }}%{{ if gt $value 95.0 }}, act now{{ end }}
//
// Supported: $value, $labels, $externalLabels, $externalURL (and .Value, .Labels, .ExternalLabels,
// .ExternalURL), literals, pipelines, parentheses, comments, trim markers, if / else if / else / end, and the
// functions of template_functions.h. `range`, `with`, `query` and what belongs to them are refused when the
// file is loaded, with the name of what is missing.
#pragma once

#include "common/error.h"
#include "common/series.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::rules {

/// What a template can see. References what outlives the expansion.
struct TemplateData {
  const Labels& labels;  // of the sample, without __name__
  double value = 0;
  const Labels& external_labels;
  std::string_view external_url;
};

class Template {
 public:
  Template();
  ~Template();
  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;

  /// Errc::parse: "unclosed action", "function \"humanise\" not defined; did you mean humanize?"
  static Result<Template> parse(std::string_view text);

  /// Errc::invalid_argument when a function does not accept what it is given, as in {{ humanize "x" }}.
  Result<std::string> expand(const TemplateData& data) const;

  /// The expansion, or "<error expanding template: ...>" in its place: an alert is never lost to its words.
  std::string expand_or_error(const TemplateData& data) const;

  struct Node;

 private:
  std::vector<Node> nodes_;
};

}  // namespace vigil::rules
