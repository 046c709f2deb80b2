// A value of a template that has members and methods of its own: what a program gives its templates beside
// plain values. Immutable; shared by all who look at it.
#pragma once

#include "aggregator/rules/template_functions.h"
#include "aggregator/rules/template_value.h"
#include "common/error.h"

#include <string>
#include <string_view>

namespace vigil::rules {

class TemplateObject {
 public:
  virtual ~TemplateObject() = default;
  TemplateObject() = default;
  TemplateObject(const TemplateObject&) = delete;
  TemplateObject& operator=(const TemplateObject&) = delete;

  /// As Go names it.
  virtual std::string_view type() const = 0;
  /// A field, or what a method gives for these arguments.
  virtual Result<TemplateValue> member(const std::string& name, TemplateArgs args) const = 0;
  /// What it is to whoever asks for no member: {{ range }}, {{ if }}, a function, printing. Never an object.
  virtual TemplateValue plain() const = 0;
};

/// The plain value of an object, anything else as it is.
inline TemplateValue plain_value(const TemplateValue& value) {
  const auto* object = std::get_if<TemplateObjectPtr>(&value);
  return object != nullptr ? (*object)->plain() : value;
}

/// Of objects with fields only.
Error no_such_member(const TemplateObject& object, std::string_view name);

}  // namespace vigil::rules
