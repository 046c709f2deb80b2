#include "aggregator/rules/template_action.h"

#include "aggregator/promql/literals.h"
#include "common/text/utf8.h"

#include <cctype>
#include <charconv>
#include <limits>
#include <optional>

namespace vigil::rules {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

/// How far a number reaches: as Go's scanner, signs of exponents included.
std::size_t number_length(std::string_view text) {
  std::size_t length = text.front() == '+' || text.front() == '-' ? 1 : 0;
  const bool is_hex = text.substr(length).starts_with("0x") || text.substr(length).starts_with("0X");
  while (length < text.size()) {
    const char c = text[length];
    const char before = length > 0 ? text[length - 1] : ' ';
    const std::string_view exponent = is_hex ? "pP" : "eE";
    const bool is_sign = (c == '+' || c == '-') && exponent.find(before) != std::string_view::npos;
    if (!is_word(c) && c != '.' && !is_sign) break;
    ++length;
  }
  return length;
}

/// Without its underscores, which stand between digits, or behind what says the base.
std::optional<std::string> without_underscores(std::string_view digits) {
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (digits[i] != '_') {
      out += digits[i];
      continue;
    }
    const bool between = i > 0 && i + 1 < digits.size() &&
                         std::isxdigit(static_cast<unsigned char>(digits[i + 1])) != 0 &&
                         std::isalnum(static_cast<unsigned char>(digits[i - 1])) != 0;
    if (!between) return std::nullopt;
  }
  return out;
}

/// Go's literals: decimal, 0x, 0o, 0b and 0 for octal; floats also hexadecimal (0x1p-2). With a point or an
/// exponent it is a float, as in Go.
std::optional<TemplateValue> parse_number(std::string_view literal) {
  const bool is_negative = literal.starts_with('-');
  if (is_negative || literal.starts_with('+')) literal.remove_prefix(1);
  const auto plain = without_underscores(literal);
  if (!plain || plain->empty()) return std::nullopt;
  std::string_view digits = *plain;
  const auto base_of = [](char c) {
    return c == 'x' || c == 'X' ? 16 : c == 'o' || c == 'O' ? 8 : c == 'b' || c == 'B' ? 2 : 0;
  };
  int base = digits.size() > 1 && digits.front() == '0' ? base_of(digits[1]) : 10;
  const bool is_float = digits.find_first_of(base == 16 ? ".pP" : ".eE") != std::string_view::npos;
  if (base == 0)
    base = is_float ? 10 : 8;
  else if (base != 10)
    digits.remove_prefix(2);
  const char* const last = digits.data() + digits.size();
  if (is_float) {
    double value = 0;
    const auto format = base == 16 ? std::chars_format::hex : std::chars_format::general;
    const auto [end, error] = std::from_chars(digits.data(), last, value, format);
    if (error != std::errc{} || end != last) return std::nullopt;
    return TemplateValue(is_negative ? -value : value);
  }
  std::uint64_t whole = 0;
  const auto [end, error] = std::from_chars(digits.data(), last, whole, base);
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (error != std::errc{} || end != last || whole > kMost + (is_negative ? 1 : 0)) return std::nullopt;
  return TemplateValue(static_cast<std::int64_t>(is_negative ? ~whole + 1 : whole));
}

/// The code point of a text of one character.
std::optional<char32_t> only_character(std::string_view text) {
  const std::size_t length = text.empty() ? 0 : character_length(text);
  if (length == 0 || length != text.size()) return std::nullopt;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (length == 1) return byte(0);
  char32_t point = byte(0) & (0x7F >> length);
  for (std::size_t i = 1; i < length; ++i) point = point << 6 | (byte(i) & 0x3F);
  return point;
}

}  // namespace

std::string_view trim_right(std::string_view text) {
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}
std::string_view trim_left(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

Result<std::unique_ptr<Pipeline>> ActionParser::declaring(std::size_t names) {
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

Result<std::string> ActionParser::take_name(std::string_view what) {
  skip_space();
  if (text_.empty() || (text_.front() != '"' && text_.front() != '`'))
    return fail(Errc::parse, "{} needs a name in quotes", what);
  auto name = quoted(text_.front());
  if (!name) return name.error();
  return std::get<std::string>(std::get<TemplateValue>(name->what));
}

Result<std::unique_ptr<Pipeline>> ActionParser::pipeline(int depth) {
  if (depth > kMaxTemplateDepth) return fail(Errc::limit, "parentheses nested too deep");
  auto result = std::make_unique<Pipeline>();
  do {
    auto next = command(depth, !result->commands.empty());
    if (!next) return next.error();
    result->commands.push_back(std::move(*next));
    skip_space();
  } while (take('|'));
  return result;
}

std::string_view ActionParser::take_word() {
  skip_space();
  std::size_t length = 0;
  while (length < text_.size() && is_word(text_[length])) ++length;
  const std::string_view word = text_.substr(0, length);
  text_.remove_prefix(length);
  return word;
}

bool ActionParser::at_end() {
  skip_space();
  return text_.empty();
}

bool ActionParser::take(char c) {
  if (text_.empty() || text_.front() != c) return false;
  text_.remove_prefix(1);
  return true;
}

bool ActionParser::at_operand() {
  skip_space();
  return !text_.empty() && text_.front() != '|' && text_.front() != ')';
}

Result<Command> ActionParser::command(int depth, bool piped) {
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

Result<void> ActionParser::check(const Command& command, bool piped) const {
  if (command.function == nullptr) {
    if (command.operands.empty()) return fail(Errc::parse, "missing value for command");
    if (!around_->language->of_rules && !command.operands.front().fields.empty()) return {};  // a method
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

Result<const TemplateFunction*> ActionParser::function(std::string_view word) const {
  if (const TemplateFunction* found = around_->language->find(word)) return found;
  const std::string_view nearest = around_->language->suggest(word);
  return fail(Errc::parse, "function \"{}\" not defined{}", word,
              nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest));
}

/// Of a rune between single quotes: its number.
Result<Operand> ActionParser::rune() {
  std::size_t end = 1;
  while (end < text_.size() && text_[end] != '\'') end += text_[end] == '\\' ? 2 : 1;
  if (end >= text_.size()) return fail(Errc::parse, "unterminated character constant");
  const std::string_view constant = text_.substr(0, end + 1);
  text_.remove_prefix(end + 1);
  const auto decoded = promql::unquote(constant);
  const auto point = decoded ? only_character(*decoded) : std::nullopt;
  if (!point) return fail(Errc::parse, "malformed character constant: {}", constant);
  return Operand{TemplateValue(static_cast<std::int64_t>(*point)), {}};
}

Result<Operand> ActionParser::operand(int depth) {
  const char c = text_.front();
  if (c == '\'') return rune();
  if (c == '"' || c == '`') return quoted(c);
  if (c == '$') return variable();
  if (c == '.' && (text_.size() < 2 || std::isdigit(static_cast<unsigned char>(text_[1])) == 0)) return dot();
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

Result<Operand> ActionParser::quoted(char quote) {
  std::size_t end = 1;
  while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' && quote == '"' ? 2 : 1;
  if (end >= text_.size()) return fail(Errc::parse, "unterminated quoted string");
  const auto decoded = promql::unquote(text_.substr(0, end + 1));
  if (!decoded) return fail(Errc::parse, "bad escape in string {}", text_.substr(0, end + 1));
  text_.remove_prefix(end + 1);
  return Operand{TemplateValue(*decoded), {}};
}

Result<Operand> ActionParser::number() {
  const std::size_t length = number_length(text_);
  const std::string_view digits = text_.substr(0, length);
  text_.remove_prefix(length);
  if (auto value = parse_number(digits)) return Operand{std::move(*value), {}};
  return fail(Errc::parse, "bad number syntax: \"{}\"", digits);
}

Result<Operand> ActionParser::variable() {
  take('$');
  const std::string name(take_word_here());
  if (!around_->knows(name)) {
    return fail(
        Errc::parse, "undefined variable \"${}\"{}", name,
        around_->language->of_rules ? "; known are $value, $labels, $externalLabels, $externalURL" : "");
  }
  auto operand = with_fields(Operand{Variable{name}, {}}, "$" + name);
  if (!operand || operand->fields.empty()) return operand;
  if (around_->is_plain(name))
    return fail(Errc::parse, "can't evaluate field {} in ${}", operand->fields[0], name);
  if (name.empty()) return known_root(std::move(*operand));
  return operand;
}

Result<Operand> ActionParser::dot() {
  if (text_.size() < 2 || !is_word(text_[1])) {
    take('.');
    return Operand{Dot{}, {}};
  }
  auto operand = with_fields(Operand{Dot{}, {}}, "");
  if (!operand || !around_->dot_is_root) return operand;
  return known_root(std::move(*operand));
}

Result<Operand> ActionParser::known_root(Operand operand) const {
  constexpr std::string_view kFields[] = {"Value", "Labels", "ExternalLabels", "ExternalURL"};
  if (std::find(std::begin(kFields), std::end(kFields), operand.fields[0]) != std::end(kFields))
    return operand;
  if (!around_->language->of_rules || around_->variables.size() < kOwnVariables)
    return operand;  // in a template of one's own
  return fail(Errc::parse, "there is no .{}; known are .Value, .Labels, .ExternalLabels, .ExternalURL",
              operand.fields[0]);
}

Result<Operand> ActionParser::with_fields(Operand operand, std::string_view name) {
  while (!text_.empty() && text_.front() == '.') {
    take('.');
    const std::string_view field = take_word_here();
    if (field.empty()) return fail(Errc::parse, "a name must follow \"{}.\"", name);
    operand.fields.emplace_back(field);
  }
  return operand;
}

std::string_view ActionParser::take_word_here() {
  if (text_.empty() || !is_word(text_.front())) return {};
  return take_word();
}

Result<ActionParser::Declaration> ActionParser::declaration(std::size_t most) {
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

}  // namespace vigil::rules
