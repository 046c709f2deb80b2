#include "aggregator/promql/literals.h"
#include "aggregator/rules/template_tree.h"

#include <cctype>
#include <charconv>

namespace vigil::rules {
namespace {

constexpr int kMaxDepth = 50;
constexpr std::size_t kMaxTemplateBytes = 65'536;

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::string_view trim_right(std::string_view text) {
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}
std::string_view trim_left(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

/// The inside of one {{ action }}.
class ActionParser {
 public:
  explicit ActionParser(std::string_view text) : text_(text) {}

  Result<std::unique_ptr<Pipeline>> pipeline(int depth) {
    if (depth > kMaxDepth) return fail(Errc::limit, "parentheses nested too deep");
    auto result = std::make_unique<Pipeline>();
    do {
      auto next = command(depth, !result->commands.empty());
      if (!next) return next.error();
      result->commands.push_back(std::move(*next));
      skip_space();
    } while (take('|'));
    return result;
  }

  /// A word at the front, such as `if`, without taking anything else.
  std::string_view take_word() {
    skip_space();
    std::size_t length = 0;
    while (length < text_.size() && is_word(text_[length])) ++length;
    const std::string_view word = text_.substr(0, length);
    text_.remove_prefix(length);
    return word;
  }

  bool at_end() {
    skip_space();
    return text_.empty();
  }
  std::string_view rest() const { return text_; }

 private:
  void skip_space() { text_ = trim_left(text_); }
  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool at_operand() {
    skip_space();
    return !text_.empty() && text_.front() != '|' && text_.front() != ')';
  }

  Result<Command> command(int depth, bool piped) {
    Command result;
    skip_space();
    if (!text_.empty() && std::isalpha(static_cast<unsigned char>(text_.front())) != 0) {
      const std::string_view saved = text_;
      const std::string_view word = take_word();
      if (word == "true" || word == "false" || word == "nil") {
        text_ = saved;
      } else if (const auto found = function(word)) {
        result.function = *found;
      } else {
        return found.error();
      }
    }
    while (at_operand()) {
      auto next = operand(depth);
      if (!next) return next.error();
      result.operands.push_back(std::move(*next));
    }
    if (const auto fits = check(result, piped); !fits) return fits.error();
    return result;
  }

  static Result<void> check(const Command& command, bool piped) {
    if (command.function == nullptr) {
      if (command.operands.empty()) return fail(Errc::parse, "missing value for command");
      if (command.operands.size() > 1) return fail(Errc::parse, "can't give argument to non-function");
      if (piped) return fail(Errc::parse, "non executable command in pipeline");
      return {};
    }
    const std::size_t given = command.operands.size() + (piped ? 1 : 0);
    if (given < command.function->min_args || given > command.function->max_args) {
      return fail(Errc::parse, "wrong number of args for {}: want {}{}, got {}", command.function->name,
                  command.function->max_args > command.function->min_args ? "at least " : "",
                  command.function->min_args, given);
    }
    return {};
  }

  static Result<const TemplateFunction*> function(std::string_view word) {
    if (const TemplateFunction* found = find_template_function(word)) return found;
    if (is_unsupported_word(word)) {
      return fail(Errc::parse, "\"{}\" is not supported in templates by this version of vigil", word);
    }
    const std::string_view nearest = suggest_template_function(word);
    return fail(Errc::parse, "function \"{}\" not defined{}", word,
                nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest));
  }

  Result<Operand> operand(int depth) {
    const char c = text_.front();
    if (c == '"' || c == '`') return quoted(c);
    if (c == '$' || c == '.') return path();
    if (c == '(') {
      text_.remove_prefix(1);
      auto inner = pipeline(depth + 1);
      if (!inner) return inner.error();
      if (!take(')')) return fail(Errc::parse, "unclosed left parenthesis");
      return Operand{std::move(*inner)};
    }
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '+') return number();
    const std::string_view word = take_word();
    if (word == "true" || word == "false") return Operand{TemplateValue(word == "true")};
    if (word == "nil") return Operand{TemplateValue()};
    if (word.empty()) return fail(Errc::parse, "unexpected \"{}\" in operand", c);
    const auto found = function(word);
    if (!found) return found.error();
    // A function without arguments may stand as an argument: `eq externalURL "..."`.
    auto call = std::make_unique<Pipeline>();
    call->commands.push_back(Command{*found, {}});
    if ((*found)->min_args > 0) return fail(Errc::parse, "{} needs arguments: put it in parentheses", word);
    return Operand{std::move(call)};
  }

  Result<Operand> quoted(char quote) {
    std::size_t end = 1;
    while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' && quote == '"' ? 2 : 1;
    if (end >= text_.size()) return fail(Errc::parse, "unterminated quoted string");
    const auto decoded = promql::unquote(text_.substr(0, end + 1));
    if (!decoded) return fail(Errc::parse, "bad escape in string {}", text_.substr(0, end + 1));
    text_.remove_prefix(end + 1);
    return Operand{TemplateValue(*decoded)};
  }

  Result<Operand> number() {
    std::size_t length = 1;
    while (length < text_.size() && (is_word(text_[length]) || text_[length] == '.')) ++length;
    std::string_view digits = text_.substr(0, length);
    text_.remove_prefix(length);
    if (digits.front() == '+') digits.remove_prefix(1);
    const char* const last = digits.data() + digits.size();
    std::int64_t whole = 0;
    if (const auto [end, error] = std::from_chars(digits.data(), last, whole);
        error == std::errc{} && end == last) {
      return Operand{TemplateValue(whole)};
    }
    double value = 0;
    if (const auto [end, error] = std::from_chars(digits.data(), last, value);
        error == std::errc{} && end == last) {
      return Operand{TemplateValue(value)};
    }
    return fail(Errc::parse, "bad number syntax: \"{}\"", digits);
  }

  Result<Operand> path() {
    const bool variable = take('$');
    if (!variable) take('.');
    const std::string_view root = take_word();
    constexpr std::pair<std::string_view, Root> kRoots[] = {{"value", Root::value},
                                                            {"labels", Root::labels},
                                                            {"externalLabels", Root::external_labels},
                                                            {"externalURL", Root::external_url},
                                                            {"Value", Root::value},
                                                            {"Labels", Root::labels},
                                                            {"ExternalLabels", Root::external_labels},
                                                            {"ExternalURL", Root::external_url}};
    for (const auto& [name, meaning] : kRoots) {
      const bool is_field = std::isupper(static_cast<unsigned char>(name.front())) != 0;
      if (name == root && is_field != variable) return path_below(meaning, root);
    }
    return fail(Errc::parse,
                "undefined variable \"{}{}\"; known are $value, $labels, $externalLabels, $externalURL",
                variable ? "$" : ".", root);
  }

  Result<Operand> path_below(Root root, std::string_view name) {
    Path path{root, {}};
    if (take('.')) {
      path.label = take_word();
      if (path.label.empty()) return fail(Errc::parse, "a label name must follow \"{}.\"", name);
      if (root == Root::value || root == Root::external_url) {
        return fail(Errc::parse, "can't evaluate field {} in {}", path.label, name);
      }
    }
    return Operand{std::move(path)};
  }

  std::string_view text_;
};

class TemplateParser {
 public:
  explicit TemplateParser(std::string_view text) : text_(text) {}

  Result<std::vector<Template::Node>> parse() {
    std::vector<Template::Node> nodes;
    const auto stopped = body(nodes, 0);
    if (!stopped) return stopped.error();
    if (!stopped->empty()) return fail(Errc::parse, "unexpected {{{{{}}}}}", *stopped);
    return nodes;
  }

 private:
  /// Reads up to {{end}}, {{else...}} or the end of the text; gives that word, or "".
  Result<std::string_view> body(std::vector<Template::Node>& nodes, int depth) {
    if (depth > kMaxDepth) return fail(Errc::limit, "actions nested too deep");
    while (!text_.empty()) {
      const auto inside = next_action(nodes);
      if (!inside) return inside.error();
      if (!*inside) break;
      if ((*inside)->starts_with("/*")) continue;
      ActionParser peek(**inside);
      const std::string_view word = peek.take_word();
      if (word == "end" || word == "else") {
        pending_ = peek.rest();
        return word;
      }
      if (word == "if") {
        if (auto done = branches(nodes.emplace_back(), peek, depth); !done) return done.error();
        continue;
      }
      auto pipeline = whole(ActionParser(**inside));
      if (!pipeline) return pipeline.error();
      nodes.emplace_back().action = std::move(*pipeline);
    }
    return std::string_view();
  }

  Result<void> branches(Template::Node& node, ActionParser condition, int depth) {
    bool last = false;
    while (true) {
      auto& branch = node.branches.emplace_back();
      if (!last) {
        auto pipeline = whole(condition);
        if (!pipeline) return pipeline.error();
        branch.condition = std::move(*pipeline);
      }
      const auto stopped = body(branch.body, depth + 1);
      if (!stopped) return stopped.error();
      if (stopped->empty())
        return fail(Errc::parse, "unexpected end of the text: {{{{ if }}}} without {{{{ end }}}}");
      ActionParser rest(pending_);
      if (*stopped == "end") {
        return rest.at_end() ? Result<void>() : fail(Errc::parse, "unexpected \"{}\" in end", pending_);
      }
      if (last) return fail(Errc::parse, "expected end; found {{{{else}}}}");
      if (rest.at_end()) {
        last = true;
      } else if (rest.take_word() != "if") {
        return fail(Errc::parse, "unexpected \"{}\" in else", trim_left(pending_));
      }
      condition = rest;
    }
  }

  static Result<std::unique_ptr<Pipeline>> whole(ActionParser parser) {
    auto pipeline = parser.pipeline(0);
    if (pipeline && !parser.at_end()) return fail(Errc::parse, "unexpected \"{}\" in command", parser.rest());
    return pipeline;
  }

  /// Adds the text before the next action and gives the action's inside; nothing at the end of the text.
  Result<std::optional<std::string_view>> next_action(std::vector<Template::Node>& nodes) {
    const std::size_t open = text_.find("{{");
    std::string_view before = text_.substr(0, open);
    if (trim_next_) before = trim_left(before);
    trim_next_ = false;
    if (open == std::string_view::npos) {
      add_text(nodes, before);
      text_ = {};
      return std::optional<std::string_view>();
    }
    std::string_view rest = text_.substr(open + 2);
    if (rest.size() > 1 && rest[0] == '-' && std::isspace(static_cast<unsigned char>(rest[1])) != 0) {
      before = trim_right(before);
      rest.remove_prefix(1);
    }
    add_text(nodes, before);
    const auto close = find_close(rest);
    if (!close) return close.error();
    std::string_view inside = rest.substr(0, *close);
    text_ = rest.substr(*close + 2);
    if (inside.size() > 1 && inside.back() == '-' &&
        std::isspace(static_cast<unsigned char>(inside[inside.size() - 2])) != 0) {
      inside.remove_suffix(1);
      trim_next_ = true;
    }
    return std::optional(trim_left(inside));
  }

  static void add_text(std::vector<Template::Node>& nodes, std::string_view text) {
    if (!text.empty()) nodes.emplace_back().text = text;
  }

  /// Where "}}" stands outside of strings and comments.
  static Result<std::size_t> find_close(std::string_view text) {
    if (trim_left(text).starts_with("/*")) {
      const std::size_t end = text.find("*/");
      const std::size_t close = end == std::string_view::npos ? end : text.find("}}", end);
      return close == std::string_view::npos ? Result<std::size_t>(fail(Errc::parse, "unclosed comment"))
                                             : close;
    }
    char quote = 0;
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
      if (quote != 0) {
        if (text[i] == '\\' && quote == '"') {
          ++i;
        } else if (text[i] == quote) {
          quote = 0;
        }
      } else if (text[i] == '"' || text[i] == '`') {
        quote = text[i];
      } else if (text[i] == '}' && text[i + 1] == '}') {
        return i;
      }
    }
    return fail(Errc::parse, "unclosed action");
  }

  std::string_view text_;
  std::string_view pending_;  // what follows `end` or `else` in its action
  bool trim_next_ = false;    // the last action ended with " -}}"
};

}  // namespace

Result<std::vector<Template::Node>> parse_template(std::string_view text) {
  if (text.size() > kMaxTemplateBytes) return fail(Errc::limit, "longer than {} bytes", kMaxTemplateBytes);
  return TemplateParser(text).parse();
}

}  // namespace vigil::rules
