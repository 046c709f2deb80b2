// Annotation and label templates, in the language of Prometheus's rule files: Go's text/template with
// Prometheus's functions. Parsed when a rule file is loaded, expanded when an alert changes.
//
//   {{ $labels.instance }} is at {{ $value | printf "%.1f" }}%{{ if gt $value 95.0 }}, act now{{ end }}
//   {{ range query "topk(3, node_load1)" }}{{ .Labels.instance }} {{ .Value }}, {{ end }}
//
// The whole language: pipelines, variables, if, with, range, break, continue, define, template, block,
// comments, trim markers, and the functions of template_functions.h.
#pragma once

#include "common/error.h"
#include "common/series.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::rules {

/// Answers {{ query "..." }}: an instant vector at the time of the evaluation.
using TemplateQuery = std::function<Result<std::vector<std::pair<Labels, double>>>(std::string_view)>;

/// What a template can see. References what outlives the expansion.
struct TemplateData {
  const Labels& labels;  // of the sample, with __name__ as in Prometheus
  double value = 0;
  const Labels& external_labels;
  std::string_view external_url;
  std::int64_t now_ms = 0;
  const TemplateQuery* query = nullptr;  // null: there is nothing to ask
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
  /// Errc::limit when it becomes too long, or loops too often.
  Result<std::string> expand(const TemplateData& data) const;

  /// The expansion, or "<error expanding template: ...>" in its place: an alert is never lost to its words.
  /// Well-formed UTF-8 without NUL: texts can cut characters in two, and what is stored could not be read
  /// again.
  std::string expand_or_error(const TemplateData& data) const;

  /// Whether expanding it asks something of the storage.
  bool queries() const;

  struct Node;
  struct Tree;

 private:
  std::unique_ptr<const Tree> tree_;  // null: an empty text
};

}  // namespace vigil::rules
