// What flows through a template's pipelines. Internal to the templates.
#pragma once

#include "common/series.h"

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vigil::rules {

struct TemplateSample;
struct TemplateList;
struct TemplateMap;
struct TemplateRoot;
class TemplateObject;
using TemplateObjectPtr = std::shared_ptr<const TemplateObject>;

/// A moment or a length of time: prints as Go's time.Time and time.Duration.
struct TemplateTime {
  double unix_seconds = 0;
  friend auto operator<=>(const TemplateTime&, const TemplateTime&) = default;  // NOLINT
};
struct TemplateDuration {
  double seconds = 0;
  friend auto operator<=>(const TemplateDuration&, const TemplateDuration&) = default;  // NOLINT
};

/// Of a sample, which it keeps alive, or of what outlives the expansion.
using TemplateLabels = std::shared_ptr<const Labels>;
inline TemplateLabels outliving(const Labels& labels) {
  return {TemplateLabels(), &labels};
}

/// Nothing, a truth, an integer literal, a number, text, a set of labels; what query and args give; the data
/// a template begins with; an object with members of its own.
using TemplateValue = std::variant<std::monostate, bool, std::int64_t, double, std::string, TemplateLabels,
                                   std::shared_ptr<const TemplateSample>, std::shared_ptr<const TemplateList>,
                                   std::shared_ptr<const TemplateMap>, TemplateTime, TemplateDuration,
                                   const TemplateRoot*, TemplateObjectPtr>;

/// A sample of a query's answer.
struct TemplateSample {
  Labels labels;  // with __name__
  double value = 0;
};
struct TemplateList {
  std::vector<TemplateValue> items;
};
struct TemplateMap {
  std::map<std::string, TemplateValue> entries;
};

/// As Go names it: "float64", "string", ...
std::string_view type_name(const TemplateValue& value);

/// What {{ if }} asks: not empty, not zero.
bool is_true(const TemplateValue& value);

}  // namespace vigil::rules
