#include "aggregator/promql/functions.h"
#include "aggregator/promql/literals.h"
#include "aggregator/promql/parser_impl.h"
#include "aggregator/promql/suggest.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace vigil::promql {
namespace {

// Timestamps beyond this would overflow when ranges and offsets are added; it is about 285,000 years.
constexpr double kMaxTimestampMs = 9.0e15;

std::optional<AggregateOp> aggregate_op(std::string_view word) {
  for (std::size_t i = 0; i < kAggregateOps; ++i) {
    const auto op = static_cast<AggregateOp>(i);
    if (is_keyword(word, to_string(op))) return op;
  }
  return std::nullopt;
}

bool takes_parameter(AggregateOp op) {
  return op >= AggregateOp::topk;
}

TimeShift* shift_of(Expr& expr) {
  if (auto* selector = std::get_if<VectorSelector>(&expr.node)) return &selector->shift;
  if (auto* matrix = std::get_if<MatrixSelector>(&expr.node)) return &matrix->selector.shift;
  if (auto* subquery = std::get_if<Subquery>(&expr.node)) return &subquery->shift;
  return nullptr;
}

}  // namespace

bool is_keyword(std::string_view text, std::string_view lower) {
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; };
  return std::ranges::equal(text, lower, same);
}

bool Parser::at_keyword(std::string_view lower) const {
  return peek().kind == TokenKind::identifier && is_keyword(peek().text, lower);
}

Result<ExprPtr> Parser::parse_word() {
  const Token& token = peek();
  const Token& after = peek_next();
  const bool call = after.kind == TokenKind::left_paren;
  if (const auto op = aggregate_op(token.text)) {
    const bool grouped = after.kind == TokenKind::identifier &&
                         (is_keyword(after.text, "by") || is_keyword(after.text, "without"));
    // An aggregation's name alone is a metric's name, as in Prometheus.
    if (call || grouped) return parse_aggregate(*op);
  } else if (call) {
    return parse_call();
  }
  // Prometheus's grammar lets other words of the language be metrics' names, but not these.
  for (const std::string_view word : {"on", "ignoring", "bool", "group_left", "group_right", "atan2"}) {
    if (is_keyword(token.text, word)) return parse_error(token.at, "unexpected \"{}\"", token.text);
  }
  return parse_selector();
}

Result<ExprPtr> Parser::parse_call() {
  const Token& name = peek();
  Call call;
  call.function = find_function(name.text);
  if (!call.function)
    return parse_error(name.at, "unknown function \"{}\"{}", name.text, suggest_function(name.text));
  ++pos_;
  auto args = parse_arguments(call.function);
  if (!args) return args.error();
  call.args = std::move(*args);
  return make(name.at, std::move(call));
}

Result<std::vector<ExprPtr>> Parser::parse_arguments(const Function* function) {
  const Token& open = peek();
  if (auto opened = expect(TokenKind::left_paren, "\"(\""); !opened) return opened.error();
  std::vector<ExprPtr> args;
  if (accept(TokenKind::right_paren)) return args;
  for (;;) {
    // The second argument of info() holds matchers of labels that need not be there.
    any_selector_ =
        function && function->name == "info" && args.size() == 1 && peek().kind == TokenKind::left_brace;
    auto arg = parse_binary(Precedence::lowest);
    if (!arg) return arg.error();
    args.push_back(std::move(*arg));
    if (accept(TokenKind::right_paren)) return args;
    if (!accept(TokenKind::comma)) return unclosed(open, "\",\" or \")\"");
  }
}

Result<ExprPtr> Parser::parse_aggregate(AggregateOp op) {
  const Token& name = peek();
  ++pos_;
  Aggregate aggregate;
  aggregate.op = op;
  const auto before = parse_grouping(aggregate);
  if (!before) return before.error();
  const Position open = peek().at;
  auto args = parse_arguments();
  if (!args) return args.error();
  if (!*before) {
    if (const auto after = parse_grouping(aggregate); !after) return after.error();
  }
  const std::size_t wanted = takes_parameter(op) ? 2 : 1;
  if (args->size() != wanted) {
    return parse_error(open, "wrong number of arguments for {}: expected {}, found {}", to_string(op), wanted,
                       args->size());
  }
  if (wanted == 2) aggregate.param = std::move(args->front());
  aggregate.expr = std::move(args->back());
  return make(name.at, std::move(aggregate));
}

Result<bool> Parser::parse_grouping(Aggregate& aggregate) {
  const bool by = at_keyword("by");
  if (!by && !at_keyword("without")) return false;
  ++pos_;
  aggregate.grouping = by ? Grouping::by : Grouping::without;
  auto labels = parse_label_list();
  if (!labels) return labels.error();
  aggregate.labels = std::move(*labels);
  return true;
}

Result<std::vector<std::string>> Parser::parse_label_list() {
  const Token& open = peek();
  if (auto opened = expect(TokenKind::left_paren, "\"(\" and label names"); !opened) return opened.error();
  std::vector<std::string> labels;
  while (!accept(TokenKind::right_paren)) {
    auto label = parse_label_name();
    if (!label) return label.error();
    labels.push_back(std::move(*label));
    if (accept(TokenKind::right_paren)) break;
    if (!accept(TokenKind::comma)) return unclosed(open, "\",\" or \")\"");
  }
  return labels;
}

Result<std::string> Parser::parse_label_name() {
  const Token& token = peek();
  // Inf and NaN are numbers to the lexer but fine as label names.
  const bool word =
      token.kind == TokenKind::identifier || (token.kind == TokenKind::number && std::isalpha(token.text[0]));
  if (word && token.text.find(':') == std::string_view::npos) {
    ++pos_;
    return std::string(token.text);
  }
  if (token.kind != TokenKind::string) return expected("a label name");
  if (token.decoded.empty() || !is_utf8(token.decoded))
    return parse_error(token.at, "a label name must be UTF-8 and not empty");
  ++pos_;
  return token.decoded;
}

Result<ExprPtr> Parser::parse_selector() {
  const bool any = std::exchange(any_selector_, false);
  const Token& first = peek();
  VectorSelector selector;
  if (first.kind == TokenKind::identifier) {
    selector.name = first.text;
    ++pos_;
  }
  if (peek().kind == TokenKind::left_brace) {
    if (auto parsed = parse_matchers(selector); !parsed) return parsed.error();
  }
  if (!selector.name.empty()) {
    auto matcher = Matcher::create(MatchOp::equal, std::string(kMetricName), selector.name);
    if (!matcher) return matcher.error();
    selector.matchers.push_back(std::move(*matcher));
  }
  if (any) return make(first.at, std::move(selector));
  const auto selective = [](const Matcher& matcher) { return !matcher.matches(std::string_view{}); };
  if (std::ranges::none_of(selector.matchers, selective)) {
    return parse_error(first.at, "a selector needs a name or a matcher that does not match the empty string");
  }
  return make(first.at, std::move(selector));
}

Result<void> Parser::parse_matchers(VectorSelector& selector) {
  const Token& open = peek();
  ++pos_;
  while (!accept(TokenKind::right_brace)) {
    if (auto parsed = parse_matcher(selector); !parsed) return parsed;
    if (accept(TokenKind::right_brace)) break;
    if (!accept(TokenKind::comma)) return unclosed(open, "\",\" or \"}\"");
  }
  return {};
}

Result<void> Parser::parse_matcher(VectorSelector& selector) {
  const Token& token = peek();
  const TokenKind after = peek_next().kind;
  if (token.kind == TokenKind::string && (after == TokenKind::comma || after == TokenKind::right_brace)) {
    if (token.decoded.empty() || !is_utf8(token.decoded))
      return parse_error(token.at, "a metric name must be UTF-8 and not empty");
    ++pos_;
    return add_matcher(selector, token, {MatchOp::equal, std::string(kMetricName), token});
  }
  auto label = parse_label_name();
  if (!label) return label.error();
  MatchOp op = MatchOp::equal;
  switch (peek().kind) {
    case TokenKind::assign:
      break;
    case TokenKind::ne:
      op = MatchOp::not_equal;
      break;
    case TokenKind::match_regex:
      op = MatchOp::regex;
      break;
    case TokenKind::match_not_regex:
      op = MatchOp::not_regex;
      break;
    default:
      return expected("=, !=, =~ or !~");
  }
  ++pos_;
  const Token& value = peek();
  if (value.kind == TokenKind::identifier)
    return parse_error(value.at, "expected a quoted label value, found {}; write \"{}\"", describe(value),
                       value.text);
  if (value.kind != TokenKind::string) return expected("a quoted label value");
  ++pos_;
  return add_matcher(selector, token, {op, std::move(*label), value});
}

/// `at` is where the matcher begins.
Result<void> Parser::add_matcher(VectorSelector& selector, const Token& at, WrittenMatcher written) {
  if (written.label == kMetricName) {
    const auto names = [](const Matcher& matcher) {
      return matcher.name() == kMetricName && matcher.op() == MatchOp::equal;
    };
    const auto named = std::ranges::find_if(selector.matchers, names);
    const bool outside = !selector.name.empty();
    if (outside || (named != selector.matchers.end() && written.op == MatchOp::equal)) {
      return parse_error(at.at, "the metric name is already set to {}",
                         quote(outside ? selector.name : named->value()));
    }
  }
  auto matcher = Matcher::create(written.op, std::move(written.label), written.value.decoded);
  if (!matcher) return parse_error(written.value.at, "{}", matcher.error().message);
  selector.matchers.push_back(std::move(*matcher));
  return {};
}

Result<std::int64_t> Parser::parse_span(std::string_view what) {
  const Token& token = peek();
  if (token.kind != TokenKind::number && token.kind != TokenKind::duration) return expected(what);
  const double ms = std::round(token.number * 1000);
  if (!(ms >= 0 && ms <= static_cast<double>(kMaxDurationMs)))
    return parse_error(token.at, "duration out of range");
  ++pos_;
  return static_cast<std::int64_t>(ms);
}

Result<ExprPtr> Parser::parse_range(ExprPtr expr) {
  const Token& open = peek();
  const Position at = open.at;
  const Position start{expr->line, expr->column};
  ++pos_;
  const auto range = parse_span("a duration such as 5m");
  if (!range) return range.error();
  if (*range == 0) return parse_error(at, "the range must be greater than 0");
  if (!accept(TokenKind::colon)) {
    if (!accept(TokenKind::right_bracket)) return unclosed(open, "\":\" or \"]\"");
    auto* selector = std::get_if<VectorSelector>(&expr->node);
    if (!selector)
      return parse_error(at, "a range is only possible behind a selector; use a subquery: [{}:]",
                         format_duration_ms(*range));
    if (selector->shift.offset_ms != 0 || selector->shift.at != AtKind::none) {
      return parse_error(at, "offset and @ stand behind the range, not before it");
    }
    return make(start, MatrixSelector{std::move(*selector), *range});
  }
  Subquery subquery{std::move(expr), *range, 0, {}};
  if (peek().kind != TokenKind::right_bracket) {
    const Position step_at = peek().at;
    const auto step = parse_span("a step such as 1m, or \"]\"");
    if (!step) return step.error();
    if (*step == 0) return parse_error(step_at, "the step must be greater than 0");
    subquery.step_ms = *step;
  }
  if (!accept(TokenKind::right_bracket)) return unclosed(open, "\"]\"");
  return make(start, std::move(subquery));
}

Result<ExprPtr> Parser::parse_offset(ExprPtr expr) {
  const Position at = peek().at;
  ++pos_;
  TimeShift* shift = shift_of(*expr);
  if (!shift) return parse_error(at, "offset must stand behind a selector or a subquery");
  const bool negative = accept(TokenKind::sub);
  if (!negative) accept(TokenKind::add);
  const auto offset = parse_span("a duration such as 5m");
  if (!offset) return offset.error();
  if (shift->offset_ms != 0) return parse_error(at, "offset is given twice");
  shift->offset_ms = negative ? -*offset : *offset;
  return expr;
}

Result<ExprPtr> Parser::parse_at(ExprPtr expr) {
  const Position at = peek().at;
  ++pos_;
  TimeShift* shift = shift_of(*expr);
  if (!shift) return parse_error(at, "@ must stand behind a selector or a subquery");
  if (shift->at != AtKind::none) return parse_error(at, "@ is given twice");
  if (at_keyword("start") || at_keyword("end")) {
    shift->at = at_keyword("start") ? AtKind::start : AtKind::end;
    ++pos_;
    if (auto opened = expect(TokenKind::left_paren, "\"()\""); !opened) return opened.error();
    if (auto closed = expect(TokenKind::right_paren, "\")\""); !closed) return closed.error();
    return expr;
  }
  const bool negative = accept(TokenKind::sub);
  if (!negative) accept(TokenKind::add);
  const Token& token = peek();
  if (token.kind != TokenKind::number && token.kind != TokenKind::duration)
    return expected("a Unix time, start() or end()");
  const double ms = std::round(token.number * 1000);
  if (!(ms <= kMaxTimestampMs)) return parse_error(token.at, "timestamp out of range");
  ++pos_;
  shift->at = AtKind::time;
  shift->at_ms = static_cast<std::int64_t>(negative ? -ms : ms);
  return expr;
}

}  // namespace vigil::promql
