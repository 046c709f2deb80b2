#include "aggregator/promql/literals.h"
#include "aggregator/rules/template_tree.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace vigil::rules {
namespace {

constexpr int kMaxDepth = 50;
constexpr std::size_t kMaxTemplateBytes = 65'536;

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::string_view trim_right(std::string_view text) {
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}
std::string_view trim_left(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

/// What is known where an action stands: variables, and whether `.` is still what the template began with.
struct Surroundings {
  std::vector<std::string> variables{"", "labels", "externalLabels", "externalURL", "value"};
  bool dot_is_root = true;
  bool in_loop = false;
  bool queries = false;

  bool knows(std::string_view name) const {
    return std::find(variables.begin(), variables.end(), name) != variables.end();
  }
  /// Of the variables that are there from the beginning, those that are no maps.
  bool is_plain(std::string_view name) const {
    return (name == "value" || name == "externalURL") &&
           std::count(variables.begin(), variables.end(), name) == 1;
  }
};

/// The inside of one {{ action }}.
class ActionParser {
 public:
  ActionParser(std::string_view text, Surroundings& around) : text_(text), around_(&around) {}

  /// A pipeline that may declare variables; `names` of them at most.
  Result<std::unique_ptr<Pipeline>> declaring(std::size_t names) {
    auto declared = declaration(names);
    if (!declared) return declared.error();
    auto result = pipeline(0);
    if (!result) return result;
    if ((*result)->commands.empty()) return result;
    (*result)->names = declared->names;
    (*result)->variables = std::move(declared->variables);
    if (declared->names == Pipeline::Names::declares) {
      for (const std::string& name : (*result)->variables) around_->variables.push_back(name);
    }
    return result;
  }

  /// A quoted name in front, as of `template`.
  Result<std::string> take_name(std::string_view what) {
    skip_space();
    if (text_.empty() || (text_.front() != '"' && text_.front() != '`'))
      return fail(Errc::parse, "{} needs a name in quotes", what);
    auto name = quoted(text_.front());
    if (!name) return name.error();
    return std::get<std::string>(std::get<TemplateValue>(name->what));
  }

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
        if (word == "query") around_->queries = true;
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
    const std::string_view nearest = suggest_template_function(word);
    return fail(Errc::parse, "function \"{}\" not defined{}", word,
                nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest));
  }

  Result<Operand> operand(int depth) {
    const char c = text_.front();
    if (c == '"' || c == '`') return quoted(c);
    if (c == '$') return variable();
    if (c == '.' && (text_.size() < 2 || std::isdigit(static_cast<unsigned char>(text_[1])) == 0))
      return dot();
    if (c == '(') {
      text_.remove_prefix(1);
      auto inner = pipeline(depth + 1);
      if (!inner) return inner.error();
      if (!take(')')) return fail(Errc::parse, "unclosed left parenthesis");
      return with_fields(Operand{std::move(*inner), {}}, ")");
    }
    if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '+' || c == '.') return number();
    const std::string_view word = take_word();
    if (word == "true" || word == "false") return Operand{TemplateValue(word == "true"), {}};
    if (word == "nil") return Operand{TemplateValue(), {}};
    if (word.empty()) return fail(Errc::parse, "unexpected \"{}\" in operand", c);
    const auto found = function(word);
    if (!found) return found.error();
    // A function without arguments may stand as an argument: `eq externalURL "..."`.
    auto call = std::make_unique<Pipeline>();
    call->commands.push_back(Command{*found, {}});
    if ((*found)->min_args > 0) return fail(Errc::parse, "{} needs arguments: put it in parentheses", word);
    return Operand{std::move(call), {}};
  }

  Result<Operand> quoted(char quote) {
    std::size_t end = 1;
    while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' && quote == '"' ? 2 : 1;
    if (end >= text_.size()) return fail(Errc::parse, "unterminated quoted string");
    const auto decoded = promql::unquote(text_.substr(0, end + 1));
    if (!decoded) return fail(Errc::parse, "bad escape in string {}", text_.substr(0, end + 1));
    text_.remove_prefix(end + 1);
    return Operand{TemplateValue(*decoded), {}};
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
      return Operand{TemplateValue(whole), {}};
    }
    double value = 0;
    if (const auto [end, error] = std::from_chars(digits.data(), last, value);
        error == std::errc{} && end == last) {
      return Operand{TemplateValue(value), {}};
    }
    return fail(Errc::parse, "bad number syntax: \"{}\"", digits);
  }

  Result<Operand> variable() {
    take('$');
    const std::string name(take_word_here());
    if (!around_->knows(name)) {
      return fail(Errc::parse,
                  "undefined variable \"${}\"; known are $value, $labels, $externalLabels, $externalURL",
                  name);
    }
    auto operand = with_fields(Operand{Variable{name}, {}}, "$" + name);
    if (!operand || operand->fields.empty()) return operand;
    if (around_->is_plain(name))
      return fail(Errc::parse, "can't evaluate field {} in ${}", operand->fields[0], name);
    if (name.empty()) return known_root(std::move(*operand));
    return operand;
  }

  Result<Operand> dot() {
    if (text_.size() < 2 || !is_word(text_[1])) {
      take('.');
      return Operand{Dot{}, {}};
    }
    auto operand = with_fields(Operand{Dot{}, {}}, "");
    if (!operand || !around_->dot_is_root) return operand;
    return known_root(std::move(*operand));
  }

  /// Fields of what the template began with: there are four.
  Result<Operand> known_root(Operand operand) const {
    constexpr std::string_view kFields[] = {"Value", "Labels", "ExternalLabels", "ExternalURL"};
    if (std::find(std::begin(kFields), std::end(kFields), operand.fields[0]) != std::end(kFields))
      return operand;
    if (around_->variables.size() < kOwnVariables) return operand;  // in a template of one's own
    return fail(Errc::parse, "there is no .{}; known are .Value, .Labels, .ExternalLabels, .ExternalURL",
                operand.fields[0]);
  }

  Result<Operand> with_fields(Operand operand, std::string_view name) {
    while (!text_.empty() && text_.front() == '.') {
      take('.');
      const std::string_view field = take_word_here();
      if (field.empty()) return fail(Errc::parse, "a name must follow \"{}.\"", name);
      operand.fields.emplace_back(field);
    }
    return operand;
  }

  /// A word that begins right here.
  std::string_view take_word_here() {
    if (text_.empty() || !is_word(text_.front())) return {};
    return take_word();
  }

  struct Declaration {
    Pipeline::Names names = Pipeline::Names::none;
    std::vector<std::string> variables;
  };
  /// `$x :=`, `$x =`, `$i, $x :=` in front; nothing taken when there is none.
  Result<Declaration> declaration(std::size_t most) {
    const std::string_view saved = text_;
    Declaration result;
    do {
      skip_space();
      if (!take('$')) break;
      result.variables.emplace_back(take_word_here());
      skip_space();
    } while (result.variables.size() < most && take(','));
    skip_space();
    if (text_.starts_with(":=")) {
      text_.remove_prefix(2);
      result.names = Pipeline::Names::declares;
    } else if (text_.starts_with("=")) {
      text_.remove_prefix(1);
      result.names = Pipeline::Names::assigns;
      for (const std::string& name : result.variables) {
        if (!around_->knows(name)) return fail(Errc::parse, "undefined variable \"${}\"", name);
      }
    } else {
      text_ = saved;
      return Declaration{};
    }
    if (result.variables.empty() || std::any_of(result.variables.begin(), result.variables.end(),
                                                [](const auto& name) { return name.empty(); }))
      return fail(Errc::parse, "a variable's name must stand before its value");
    return result;
  }

  static constexpr std::size_t kOwnVariables = 5;  // at the top of a template; in one's own there is one

  std::string_view text_;
  Surroundings* around_;
};

class TemplateParser {
 public:
  explicit TemplateParser(std::string_view text) : text_(text) {}

  Result<Template::Tree> parse() {
    const auto stopped = body(tree_.nodes, 0);
    if (!stopped) return stopped.error();
    if (!stopped->empty()) return fail(Errc::parse, "unexpected {{{{{}}}}}", *stopped);
    tree_.queries = around_.queries;
    return std::move(tree_);
  }

 private:
  using Node = Template::Node;

  /// Reads up to {{end}}, {{else...}} or the end of the text; gives that word, or "".
  Result<std::string_view> body(std::vector<Node>& nodes, int depth) {
    if (depth > kMaxDepth) return fail(Errc::limit, "actions nested too deep");
    while (!text_.empty()) {
      const auto inside = next_action(nodes);
      if (!inside) return inside.error();
      if (!*inside) break;
      if ((*inside)->starts_with("/*")) continue;
      ActionParser action(**inside, around_);
      const std::string_view word = action.take_word();
      if (word == "end" || word == "else") {
        pending_ = action.rest();
        return word;
      }
      if (const auto done = keyword(word, action, nodes, depth); !done) return done.error();
      if (is_keyword(word)) continue;
      auto pipeline = whole(ActionParser(**inside, around_), 1);
      if (!pipeline) return pipeline.error();
      Node& node = nodes.emplace_back();
      node.kind = Node::Kind::action;
      node.pipeline = std::move(*pipeline);
    }
    return std::string_view();
  }

  static bool is_keyword(std::string_view word) {
    constexpr std::string_view kWords[] = {"if",    "with",     "range", "define",
                                           "block", "template", "break", "continue"};
    return std::find(std::begin(kWords), std::end(kWords), word) != std::end(kWords);
  }

  Result<void> keyword(std::string_view word, ActionParser action, std::vector<Node>& nodes, int depth) {
    if (word == "if" || word == "with" || word == "range") {
      Node& node = nodes.emplace_back();
      node.kind = word == "if" ? Node::Kind::branch : word == "with" ? Node::Kind::with : Node::Kind::range;
      return branches(node, action, depth);
    }
    if (word == "define") return define(action, nodes, depth);
    if (word == "block" || word == "template") return call(word, action, nodes, depth);
    if (word == "break" || word == "continue") {
      if (!around_.in_loop) return fail(Errc::parse, "{{{{{}}}}} outside {{{{range}}}}", word);
      if (!action.at_end()) return fail(Errc::parse, "unexpected \"{}\" in {}", action.rest(), word);
      nodes.emplace_back().kind = word == "break" ? Node::Kind::leave_loop : Node::Kind::next_round;
    }
    return {};
  }

  /// The body of a template of one's own: it sees none of the variables around it.
  Result<void> define_body(const std::string& name, int depth) {
    const Surroundings outside = around_;
    around_.variables.assign(1, "");
    around_.dot_is_root = false;
    around_.in_loop = false;
    std::vector<Node> nodes;
    const auto stopped = body(nodes, depth + 1);
    const bool queries = around_.queries;
    around_ = outside;
    around_.queries = queries;
    if (!stopped) return stopped.error();
    if (*stopped != "end") return fail(Errc::parse, "template \"{}\" has no {{{{ end }}}}", name);
    tree_.defined[name] = std::move(nodes);
    return {};
  }

  Result<void> define(ActionParser action, const std::vector<Node>& nodes, int depth) {
    if (depth > 0 || &nodes != &tree_.nodes) return fail(Errc::parse, "unexpected {{{{define}}}}");
    const auto name = action.take_name("define");
    if (!name) return name.error();
    if (!action.at_end()) return fail(Errc::parse, "unexpected \"{}\" in define", action.rest());
    return define_body(*name, depth);
  }

  Result<void> call(std::string_view word, ActionParser action, std::vector<Node>& nodes, int depth) {
    auto name = action.take_name(word);
    if (!name) return name.error();
    std::unique_ptr<Pipeline> pipeline;
    if (!action.at_end()) {
      auto given = whole(action, 1);
      if (!given) return given.error();
      pipeline = std::move(*given);
    }
    if (word == "block") {
      if (!pipeline) return fail(Errc::parse, "missing value for block");
      if (auto done = define_body(*name, depth); !done) return done;
    }
    Node& node = nodes.emplace_back();
    node.kind = Node::Kind::call;
    node.text = std::move(*name);
    node.pipeline = std::move(pipeline);
    return {};
  }

  static std::string_view word_of(Node::Kind kind) {
    return kind == Node::Kind::branch ? "if" : kind == Node::Kind::with ? "with" : "range";
  }

  Result<void> branches(Node& node, ActionParser condition, int depth) {
    const Surroundings outside = around_;
    bool last = false;
    while (true) {
      auto& branch = node.branches.emplace_back();
      const Surroundings before = around_;
      if (!last) {
        if (condition.at_end()) return fail(Errc::parse, "missing value for {}", word_of(node.kind));
        auto pipeline = whole(condition, node.kind == Node::Kind::range ? 2 : 1);
        if (!pipeline) return pipeline.error();
        branch.pipeline = std::move(*pipeline);
        if (node.kind != Node::Kind::branch) around_.dot_is_root = false;
        if (node.kind == Node::Kind::range) around_.in_loop = true;
      }
      const std::size_t declared = around_.variables.size();
      const auto stopped = body(branch.body, depth + 1);
      if (!stopped) return stopped.error();
      around_.variables.resize(declared);
      around_.dot_is_root = before.dot_is_root;
      around_.in_loop = before.in_loop;
      if (stopped->empty()) {
        return fail(Errc::parse, "unexpected end of the text: {{{{ {} }}}} without {{{{ end }}}}",
                    word_of(node.kind));
      }
      ActionParser rest(pending_, around_);
      if (*stopped == "end") {
        around_.variables = outside.variables;
        return rest.at_end() ? Result<void>() : fail(Errc::parse, "unexpected \"{}\" in end", pending_);
      }
      if (last) return fail(Errc::parse, "expected end; found {{{{else}}}}");
      if (rest.at_end()) {
        last = true;
      } else if (node.kind == Node::Kind::range || rest.take_word() != word_of(node.kind)) {
        return fail(Errc::parse, "unexpected \"{}\" in else", trim_left(pending_));
      }
      condition = rest;
    }
  }

  static Result<std::unique_ptr<Pipeline>> whole(ActionParser parser, std::size_t names) {
    auto pipeline = parser.declaring(names);
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

  Template::Tree tree_;
  Surroundings around_;
  std::string_view text_;
  std::string_view pending_;  // what follows `end` or `else` in its action
  bool trim_next_ = false;    // the last action ended with " -}}"
};

}  // namespace

Result<Template::Tree> parse_template(std::string_view text) {
  if (text.size() > kMaxTemplateBytes) return fail(Errc::limit, "longer than {} bytes", kMaxTemplateBytes);
  return TemplateParser(text).parse();
}

}  // namespace vigil::rules
