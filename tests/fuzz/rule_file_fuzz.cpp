// Rule files: any bytes give rules or errors with their place, and every template that parses expands.
#include "aggregator/promql/parser.h"
#include "aggregator/rules/rewrite.h"
#include "aggregator/rules/rule_file.h"
#include "aggregator/rules/template.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

namespace {

void expand(const std::string& text) {
  using namespace vigil;
  static const Labels kLabels{{"instance", "web"}, {"device", "sda"}};
  const auto compiled = rules::Template::parse(text);
  static const rules::TemplateQuery kQuery = [](std::string_view) {
    return std::vector<std::pair<Labels, double>>{{kLabels, 1.5}, {{{"instance", "a"}}, 2}};
  };
  if (compiled) compiled->expand_or_error({kLabels, 91.5, kLabels, "https://vigil.example", 1500, &kQuery});
}

/// What a threshold is changed to must be read back as it was written.
void rewrite(const std::string& text) {
  using namespace vigil;
  const auto parsed = promql::parse(text);
  if (!parsed) return;
  static_cast<void>(rules::presence_of(**parsed));
  if (!rules::set_threshold(**parsed, 42.5)) return;
  const auto again = promql::parse(promql::to_string(**parsed));
  if (!again || rules::threshold(**again) != 42.5) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  expand(std::string(text));
  rewrite(std::string(text));
  auto file = vigil::rules::parse_rule_file(text, "fuzz.yml");
  if (!file) return 0;
  static_cast<void>(file->document.result());
  for (const auto& group : file->content.groups) {
    for (const auto& rule : group.rules) {
      rewrite(rule.expr.text);
      for (const auto& [name, value] : rule.labels) expand(value.text);
      for (const auto& [name, value] : rule.annotations) expand(value.text);
    }
  }
  return 0;
}
