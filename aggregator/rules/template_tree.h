// The syntax tree of a template. Internal to the templates.
#pragma once

#include "aggregator/rules/template.h"
#include "aggregator/rules/template_functions.h"
#include "aggregator/rules/template_language.h"
#include "aggregator/rules/template_value.h"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace vigil::rules {

/// What `.` is at the beginning, and `$`.
struct TemplateRoot {
  const TemplateData* data = nullptr;
};

struct Pipeline;

/// `$name`; "" for `$`.
struct Variable {
  std::string name;
};
/// `.`
struct Dot {};

/// A word of a command: a literal, a variable, the dot, or a parenthesised pipeline, and what is taken of it:
/// `.Labels.instance` is the dot with two fields.
struct Operand {
  std::variant<TemplateValue, Variable, Dot, std::unique_ptr<Pipeline>> what;
  std::vector<std::string> fields;
};

/// `humanize $value`: a function and its arguments, or an operand, whose last field is a method when
/// arguments follow.
struct Command {
  const TemplateFunction* function = nullptr;
  std::vector<Operand> operands;
};

/// Commands joined by `|`: the result of one is the last argument of the next. `$x := ...` declares.
struct Pipeline {
  enum class Names : std::uint8_t { none, declares, assigns };
  Names names = Names::none;
  std::vector<std::string> variables;  // of range at most two
  std::vector<Command> commands;
};

struct Template::Node {
  enum class Kind : std::uint8_t { text, action, branch, range, with, call, leave_loop, next_round };
  struct Branch {
    std::unique_ptr<Pipeline> pipeline;  // null: else
    std::vector<Node> body;
  };
  Kind kind = Kind::text;
  std::string text;                    // plain, or the name of the template that is called
  std::unique_ptr<Pipeline> pipeline;  // of an action, or what is given to the template
  std::vector<Branch> branches;  // of branch, with and range: the first, `else if` and `else with`, else
};

struct Template::Tree {
  std::vector<Node> nodes;
  std::map<std::string, std::vector<Node>, std::less<>> defined;
  std::vector<std::string> called;  // names of templates, as they are written
  bool queries = false;
};

/// The tree of `text`.
/// `at`: where the action begins that is wrong.
Result<Template::Tree> parse_template(std::string_view text, const TemplateLanguage& language,
                                      std::size_t* at = nullptr);

/// What bounds an expansion.
struct TemplateLimits {
  std::size_t text_bytes = kMaxTextBytes;        // of the text, and of any one value
  std::size_t made_bytes = 256 * kMaxTextBytes;  // of all texts on the way together
  int steps = 100'000;                           // nodes and commands run: loops may be nested
  std::chrono::milliseconds patience{10'000};    // what a text asks of the storage included
};

}  // namespace vigil::rules
