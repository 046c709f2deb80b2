// Templates that know each other by name, and texts that call them: those of messages, which begin with any
// value instead of a rule's data.
//
//   TemplateSet set(language);
//   set.add(R"({{ define "subject" }}{{ .Status | toUpper }}{{ end }})");
//   const auto text = set.parse(R"([{{ template "subject" . }}])");
//   text->expand({.dot = data, .now_ms = now});
#pragma once

#include "aggregator/rules/template.h"
#include "aggregator/rules/template_language.h"
#include "aggregator/rules/template_value.h"
#include "common/error.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace vigil::rules {

/// What a template of a set begins with.
struct TemplateStart {
  TemplateValue dot;
  std::int64_t now_ms = 0;
  /// What is written for a value behind `before`, the text so far; empty: as fmt.Print has it.
  std::function<std::string(std::string_view before, const TemplateValue& value)> write{};
};

using NamedTemplates = std::map<std::string, std::shared_ptr<const Template::Tree>, std::less<>>;

/// A text of a set. Holds what it calls: later additions to the set do not change it.
class SetTemplate {
 public:
  /// Errors as those of Template::expand(). The text is 1 MiB at most.
  Result<std::string> expand(const TemplateStart& start) const;

 private:
  friend class TemplateSet;
  std::shared_ptr<const Template::Tree> tree_;
  std::shared_ptr<const NamedTemplates> named_;
};

/// A value: a copy goes its own way.
class TemplateSet {
 public:
  /// `language` must outlive the set and its texts.
  explicit TemplateSet(const TemplateLanguage& language) : language_(&language) {}

  /// Takes the definitions of `text`; one of a name that is there already takes its place. Errors
  /// begin with "line:column: ", of the action that is wrong.
  Result<void> add(std::string_view text);
  /// Errc::parse also when it calls a template by a name nobody defines.
  Result<SetTemplate> parse(std::string_view text) const;
  bool defines(std::string_view name) const { return named_->contains(name); }
  /// Names in order.
  const NamedTemplates& named() const { return *named_; }

 private:
  const TemplateLanguage* language_;
  std::shared_ptr<const NamedTemplates> named_ = std::make_shared<const NamedTemplates>();
};

}  // namespace vigil::rules
