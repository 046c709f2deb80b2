// The inside of one action of a template, {{ $value | humanize }}: a pipeline of commands, and the words in
// front of it. Internal to the templates.
#pragma once

#include "aggregator/rules/template_tree.h"
#include "common/error.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::rules {

/// Parentheses in each other, and actions.
inline constexpr int kMaxTemplateDepth = 50;

/// Without blanks at its end; at its front.
std::string_view trim_right(std::string_view text);
std::string_view trim_left(std::string_view text);

/// What is known where an action stands: variables, and whether `.` is still what the template began with.
struct Surroundings {
  explicit Surroundings(const TemplateLanguage& in) : language(&in), dot_is_root(in.of_rules) {
    if (in.of_rules) variables = {"", "labels", "externalLabels", "externalURL", "value"};
  }

  const TemplateLanguage* language;
  std::vector<std::string> variables{""};
  bool dot_is_root;
  bool in_loop = false;
  bool queries = false;

  bool knows(std::string_view name) const {
    return std::find(variables.begin(), variables.end(), name) != variables.end();
  }
  /// Of the variables that are there from the beginning, those that are no maps.
  bool is_plain(std::string_view name) const {
    return language->of_rules && (name == "value" || name == "externalURL") &&
           std::count(variables.begin(), variables.end(), name) == 1;
  }
};

/// The inside of one {{ action }}.
class ActionParser {
 public:
  ActionParser(std::string_view text, Surroundings& around) : text_(text), around_(&around) {}

  /// A pipeline that may declare variables; `names` of them at most.
  Result<std::unique_ptr<Pipeline>> declaring(std::size_t names);

  /// A quoted name in front, as of `template`.
  Result<std::string> take_name(std::string_view what);

  /// A word at the front, such as `if`, without taking anything else.
  std::string_view take_word();
  bool at_end();
  std::string_view rest() const { return text_; }

 private:
  void skip_space() { text_ = trim_left(text_); }
  bool take(char c);
  bool at_operand();
  Result<std::unique_ptr<Pipeline>> pipeline(int depth);
  Result<Command> command(int depth, bool piped);
  Result<void> check(const Command& command, bool piped) const;
  Result<const TemplateFunction*> function(std::string_view word) const;
  Result<Operand> operand(int depth);
  Result<Operand> quoted(char quote);
  Result<Operand> number();
  Result<Operand> rune();
  Result<Operand> variable();
  Result<Operand> dot();

  /// Fields of what the template began with: there are four.
  Result<Operand> known_root(Operand operand) const;
  Result<Operand> with_fields(Operand operand, std::string_view name);

  /// A word that begins right here.
  std::string_view take_word_here();

  struct Declaration {
    Pipeline::Names names = Pipeline::Names::none;
    std::vector<std::string> variables;
  };
  /// `$x :=`, `$x =`, `$i, $x :=` in front; nothing taken when there is none.
  Result<Declaration> declaration(std::size_t most);

  static constexpr std::size_t kOwnVariables = 5;  // at the top of a template; in one's own there is one

  std::string_view text_;
  Surroundings* around_;
};

}  // namespace vigil::rules
