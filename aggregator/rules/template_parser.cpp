#include "aggregator/rules/template_action.h"
#include "aggregator/rules/template_tree.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

namespace vigil::rules {
namespace {

class TemplateParser {
 public:
  TemplateParser(std::string_view text, const TemplateLanguage& language)
      : around_(language), whole_(text), text_(text) {}

  /// Where the action begins that is read now; the end of the text, where it lacks one.
  std::size_t at() const { return at_; }

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
    if (depth > kMaxTemplateDepth) return fail(Errc::limit, "actions nested too deep");
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
    tree_.called.push_back(*name);
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
    at_ = whole_.size() - text_.size() + std::min(open, text_.size());
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
  std::string_view whole_;
  std::string_view text_;  // of it, what is to be read
  std::size_t at_ = 0;
  std::string_view pending_;  // what follows `end` or `else` in its action
  bool trim_next_ = false;    // the last action ended with " -}}"
};

}  // namespace

Result<Template::Tree> parse_template(std::string_view text, const TemplateLanguage& language,
                                      std::size_t* at) {
  if (text.size() > language.max_bytes) return fail(Errc::limit, "longer than {} bytes", language.max_bytes);
  TemplateParser parser(text, language);
  auto tree = parser.parse();
  if (at != nullptr) *at = parser.at();
  return tree;
}

}  // namespace vigil::rules
