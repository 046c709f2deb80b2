// The syntax tree of a template. Internal to the templates.
#pragma once

#include "aggregator/rules/template.h"
#include "aggregator/rules/template_functions.h"
#include "aggregator/rules/template_value.h"

#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace vigil::rules {

enum class Root : std::uint8_t { value, labels, external_labels, external_url };

/// `$labels.instance`: a root and, for labels, the name of one.
struct Path {
  Root root = Root::value;
  std::string label;  // "" for the root itself
};

struct Pipeline;

/// A word of a command: a literal, a path, or a parenthesised pipeline.
struct Operand {
  std::variant<TemplateValue, Path, std::unique_ptr<Pipeline>> what;
};

/// `humanize $value`: a function and its arguments, or a single operand.
struct Command {
  const TemplateFunction* function = nullptr;
  std::vector<Operand> operands;
};

/// Commands joined by `|`: the result of one is the last argument of the next.
struct Pipeline {
  std::vector<Command> commands;
};

/// Plain text, an action, or an `if` with its branches (an else has no condition).
struct Template::Node {
  struct Branch {
    std::unique_ptr<Pipeline> condition;
    std::vector<Node> body;
  };
  std::string text;
  std::unique_ptr<Pipeline> action;
  std::vector<Branch> branches;
};

/// The tree of `text`.
Result<std::vector<Template::Node>> parse_template(std::string_view text);

}  // namespace vigil::rules
