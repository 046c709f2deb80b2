#include "aggregator/rules/template_functions.h"

#include "aggregator/rules/go_format.h"
#include "aggregator/rules/template_language.h"
#include "common/text/human.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <compare>
#include <vector>

namespace vigil::rules {
namespace {

using Args = TemplateArgs;

template <std::string (*kFormat)(double)>
Result<TemplateValue> number_to_text(Args args, const TemplateData& /*data*/) {
  const auto value = template_number(args[0]);
  if (!value) return value.error();
  return TemplateValue(kFormat(*value));
}

std::strong_ordering order(std::string_view a, std::string_view b) {
  return a.compare(b) <=> 0;
}

/// Go refuses to compare a float with an integer literal; here `gt $value 95` means what it says.
Result<std::partial_ordering> compare(const TemplateValue& a, const TemplateValue& b) {
  const auto* left = std::get_if<std::string>(&a);
  const auto* right = std::get_if<std::string>(&b);
  if (left != nullptr && right != nullptr) return std::partial_ordering(order(*left, *right));
  if (std::holds_alternative<bool>(a) && std::holds_alternative<bool>(b)) {
    return std::partial_ordering(std::get<bool>(a) <=> std::get<bool>(b));
  }
  if (left != nullptr || right != nullptr || a.index() < 2 || b.index() < 2 || a.index() > 3 ||
      b.index() > 3) {
    return fail(Errc::invalid_argument, "cannot compare {} with {}", type_name(a), type_name(b));
  }
  const auto x = template_number(a);
  const auto y = template_number(b);
  return *x <=> *y;
}

using Accept = bool (*)(std::partial_ordering);

template <Accept kAccept>
Result<TemplateValue> comparison(Args args, const TemplateData& /*data*/) {
  const auto ordering = compare(args[0], args[1]);
  if (!ordering) return ordering.error();
  return TemplateValue(kAccept(*ordering));
}

/// True when the first equals any of the others.
Result<TemplateValue> equal(Args args, const TemplateData& /*data*/) {
  for (const TemplateValue& other : args.subspan(1)) {
    const auto ordering = compare(args[0], other);
    if (!ordering) return ordering.error();
    if (std::is_eq(*ordering)) return TemplateValue(true);
  }
  return TemplateValue(false);
}

Result<TemplateValue> negate(Args args, const TemplateData& /*data*/) {
  return TemplateValue(!is_true(args[0]));
}

Result<TemplateValue> parse_seconds(Args args, const TemplateData& /*data*/) {
  const auto value = template_text(args[0]);
  if (!value) return value.error();
  const auto parsed = parse_duration(*value);
  if (!parsed) return parsed.error();
  return TemplateValue(static_cast<double>(parsed->count()) / 1000);
}

Result<TemplateValue> to_time(Args args, const TemplateData& /*data*/) {
  const auto seconds = template_number(args[0]);
  if (!seconds) return seconds.error();
  return TemplateValue(TemplateTime{*seconds});
}
Result<TemplateValue> to_duration(Args args, const TemplateData& /*data*/) {
  const auto seconds = template_number(args[0]);
  if (!seconds) return seconds.error();
  return TemplateValue(TemplateDuration{*seconds});
}
Result<TemplateValue> now(Args /*args*/, const TemplateData& data) {
  return TemplateValue(static_cast<double>(data.now_ms) / 1000);
}

constexpr std::size_t kMany = 64;
constexpr TemplateFunction kFunctions[] = {
    {"humanize", 1, 1, number_to_text<humanize>},
    {"humanize1024", 1, 1, number_to_text<humanize_1024>},
    {"humanizeDuration", 1, 1, number_to_text<humanize_duration>},
    {"humanizePercentage", 1, 1, number_to_text<humanize_percentage>},
    {"humanizeTimestamp", 1, 1, number_to_text<humanize_timestamp>},
    {"parseDuration", 1, 1, parse_seconds},
    {"toTime", 1, 1, to_time},
    {"toDuration", 1, 1, to_duration},
    {"now", 0, 0, now},
    {"eq", 2, kMany, equal},
    {"ne", 2, 2, comparison<[](std::partial_ordering o) { return std::is_neq(o); }>},
    {"lt", 2, 2, comparison<[](std::partial_ordering o) { return std::is_lt(o); }>},
    {"le", 2, 2, comparison<[](std::partial_ordering o) { return std::is_lteq(o); }>},
    {"gt", 2, 2, comparison<[](std::partial_ordering o) { return std::is_gt(o); }>},
    {"ge", 2, 2, comparison<[](std::partial_ordering o) { return std::is_gteq(o); }>},
    {"and", 1, kMany, nullptr, TemplateFunction::Kind::all_of},
    {"or", 1, kMany, nullptr, TemplateFunction::Kind::any_of},
    {"not", 1, 1, negate},
};

}  // namespace

std::span<const TemplateFunction> number_functions() {
  return kFunctions;
}

Result<double> template_number(const TemplateValue& value) {
  if (const auto* d = std::get_if<double>(&value)) return *d;
  if (const auto* i = std::get_if<std::int64_t>(&value)) return static_cast<double>(*i);
  if (const auto* text = std::get_if<std::string>(&value)) {
    double parsed = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), parsed);
    if (error == std::errc{} && end == text->data() + text->size()) return parsed;
    return fail(Errc::invalid_argument, "\"{}\" is not a number", *text);
  }
  return fail(Errc::invalid_argument, "cannot use {} as a number", type_name(value));
}

Result<std::string> template_text(const TemplateValue& value) {
  if (const auto* string = std::get_if<std::string>(&value)) return *string;
  return fail(Errc::invalid_argument, "expected string; got {}", type_name(value));
}

const TemplateFunction* TemplateLanguage::find(std::string_view name) const {
  const auto found = std::find_if(functions.begin(), functions.end(),
                                  [name](const TemplateFunction& function) { return function.name == name; });
  return found == functions.end() ? nullptr : &*found;
}

std::string_view TemplateLanguage::suggest(std::string_view name) const {
  std::vector<std::string_view> names;
  names.reserve(functions.size());
  for (const TemplateFunction& function : functions) names.push_back(function.name);
  return vigil::suggest(name, names);
}

const TemplateLanguage& rule_language() {
  static const TemplateLanguage language = [] {
    TemplateLanguage made;
    made.of_rules = true;
    for (const auto part : {number_functions(), text_functions(), data_functions()})
      made.functions.insert(made.functions.end(), part.begin(), part.end());
    return made;
  }();
  return language;
}

}  // namespace vigil::rules
