#include "aggregator/rules/template_set.h"

#include "aggregator/rules/template_expansion.h"
#include "aggregator/rules/template_tree.h"
#include "common/text/human.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace vigil::rules {

Result<std::string> SetTemplate::expand(const TemplateStart& start) const {
  static const Labels none;
  const TemplateData data{
      .labels = none, .external_labels = none, .external_url = {}, .now_ms = start.now_ms};
  constexpr TemplateLimits kLimits{.text_bytes = 1 << 20,
                                   .made_bytes = 64 << 20,
                                   .steps = 2'000'000,
                                   .patience = std::chrono::milliseconds(500)};
  return Expansion(*tree_, data, *named_, kLimits).run(start);
}

namespace {

/// "line:column", both from 1.
std::string place_of(std::string_view text, std::size_t at) {
  const std::string_view before = text.substr(0, at);
  const std::size_t line_begin = before.rfind('\n') + 1;  // 0 in the first line
  return fmt::format("{}:{}", 1 + std::count(before.begin(), before.end(), '\n'), at - line_begin + 1);
}

}  // namespace

Result<void> TemplateSet::add(std::string_view text) {
  std::size_t at = 0;
  auto tree = parse_template(text, *language_, &at);
  if (!tree) return fail(tree.error().code, "{}: {}", place_of(text, at), tree.error().message);
  const auto shared = std::make_shared<const Template::Tree>(std::move(*tree));
  auto named = *named_;
  for (const auto& [name, nodes] : shared->defined) named[name] = shared;
  named_ = std::make_shared<const NamedTemplates>(std::move(named));
  return {};
}

Result<SetTemplate> TemplateSet::parse(std::string_view text) const {
  auto tree = parse_template(text, *language_);
  if (!tree) return tree.error();
  for (const std::string& name : tree->called) {
    if (tree->defined.contains(name) || defines(name)) continue;
    std::vector<std::string_view> names;
    for (const auto& [known, defined] : *named_) names.emplace_back(known);
    const std::string_view nearest = suggest(name, names);
    return fail(Errc::parse, "template \"{}\" not defined{}", name,
                nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest));
  }
  SetTemplate made;
  made.tree_ = std::make_shared<const Template::Tree>(std::move(*tree));
  made.named_ = named_;
  return made;
}

}  // namespace vigil::rules
