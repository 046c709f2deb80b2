#include "aggregator/rules/template.h"

#include "aggregator/rules/template_expansion.h"
#include "aggregator/rules/template_tree.h"
#include "common/text/utf8.h"

#include <utility>

namespace vigil::rules {

Template::Template() = default;
Template::~Template() = default;
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;

Result<Template> Template::parse(std::string_view text) {
  auto tree = parse_template(text, rule_language());
  if (!tree) return tree.error();
  Template result;
  result.tree_ = std::make_unique<const Tree>(std::move(*tree));
  return result;
}

Result<std::string> Template::expand(const TemplateData& data) const {
  if (!tree_) return std::string();
  return Expansion(*tree_, data).run();
}

std::string Template::expand_or_error(const TemplateData& data) const {
  const auto text = expand(data);
  return well_formed(text ? *text : fmt::format("<error expanding template: {}>", text.error().message));
}

bool Template::queries() const {
  return tree_ && tree_->queries;
}

}  // namespace vigil::rules
