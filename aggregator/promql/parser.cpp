#include "aggregator/promql/parser.h"

#include "aggregator/promql/check.h"
#include "aggregator/promql/parser_impl.h"

#include <algorithm>

namespace vigil::promql {

Result<ExprPtr> Parser::make(Position at, decltype(Expr::node) node) {
  auto expr = std::make_unique<Expr>();
  expr->node = std::move(node);
  expr->line = at.line;
  expr->column = at.column;
  for_each_child(*expr,
                 [&expr](const Expr& child) { expr->height = std::max(expr->height, child.height + 1); });
  if (expr->height > kMaxDepth) return too_deep(at);
  auto type = check_node(*expr);
  if (!type) return type.error();
  expr->type = *type;
  return expr;
}

Error Parser::too_deep(Position at) {
  return fail(Errc::limit, "{}:{}: parse error: the expression is nested deeper than {}", at.line, at.column,
              kMaxDepth);
}

Error Parser::expected(std::string_view what) const {
  return parse_error(peek().at, "expected {}, found {}", what, describe(peek()));
}

Error Parser::unclosed(const Token& open, std::string_view what) const {
  if (peek().kind != TokenKind::end) return expected(what);
  return parse_error(peek().at, "expected {}, found end of input; {} at {}:{} is not closed", what,
                     describe(open), open.at.line, open.at.column);
}

/// What stands where an expression should have ended.
Error Parser::left_over() const {
  switch (peek().kind) {
    case TokenKind::right_paren:
    case TokenKind::right_brace:
    case TokenKind::right_bracket:
      return parse_error(peek().at, "{} closes nothing", describe(peek()));
    case TokenKind::assign:
      return parse_error(peek().at, "expected an operator or end of input, found \"=\"; write == to compare");
    default:
      return expected("an operator or end of input");
  }
}

bool Parser::accept(TokenKind kind) {
  if (peek().kind != kind) return false;
  ++pos_;
  return true;
}

Result<void> Parser::expect(TokenKind kind, std::string_view what) {
  if (accept(kind)) return {};
  return expected(what);
}

Result<ExprPtr> Parser::parse_all() {
  if (peek().kind == TokenKind::end)
    return parse_error(peek().at, "expected an expression, found end of input");
  auto expr = parse_binary(Precedence::lowest);
  if (!expr) return expr;
  if (peek().kind != TokenKind::end) return left_over();
  return expr;
}

std::optional<Parser::Operator> Parser::peek_operator() const {
  switch (peek().kind) {
    case TokenKind::add:
      return Operator{BinaryOp::add, Precedence::sum};
    case TokenKind::sub:
      return Operator{BinaryOp::sub, Precedence::sum};
    case TokenKind::mul:
      return Operator{BinaryOp::mul, Precedence::product};
    case TokenKind::div:
      return Operator{BinaryOp::div, Precedence::product};
    case TokenKind::mod:
      return Operator{BinaryOp::mod, Precedence::product};
    case TokenKind::pow:
      return Operator{BinaryOp::pow, Precedence::power};
    case TokenKind::eq:
      return Operator{BinaryOp::eq, Precedence::comparison};
    case TokenKind::ne:
      return Operator{BinaryOp::ne, Precedence::comparison};
    case TokenKind::gt:
      return Operator{BinaryOp::gt, Precedence::comparison};
    case TokenKind::lt:
      return Operator{BinaryOp::lt, Precedence::comparison};
    case TokenKind::ge:
      return Operator{BinaryOp::ge, Precedence::comparison};
    case TokenKind::le:
      return Operator{BinaryOp::le, Precedence::comparison};
    case TokenKind::identifier:
      break;
    default:
      return std::nullopt;
  }
  if (at_keyword("atan2")) return Operator{BinaryOp::atan2, Precedence::product};
  if (at_keyword("and")) return Operator{BinaryOp::set_and, Precedence::intersection};
  if (at_keyword("unless")) return Operator{BinaryOp::set_unless, Precedence::intersection};
  if (at_keyword("or")) return Operator{BinaryOp::set_or, Precedence::alternative};
  return std::nullopt;
}

Result<ExprPtr> Parser::parse_binary(Precedence minimum) {
  const DepthGuard guard(depth_);
  if (depth_ > kMaxDepth) return too_deep(peek().at);
  auto lhs = parse_unary();
  while (lhs) {
    const auto op = peek_operator();
    if (!op || op->precedence < minimum) break;
    const Position at = peek().at;
    ++pos_;
    lhs = parse_right_side(std::move(*lhs), *op, at);
  }
  return lhs;
}

Result<ExprPtr> Parser::parse_right_side(ExprPtr lhs, Operator op, Position at) {
  Binary binary;
  binary.op = op.op;
  bool has_modifier = false;
  if (auto parsed = parse_matching(binary, has_modifier); !parsed) return parsed.error();
  // ^ groups to the right, everything else to the left.
  auto rhs = parse_binary(op.precedence == Precedence::power ? op.precedence : next(op.precedence));
  if (!rhs) return rhs;
  const bool both_vectors = lhs->type == ValueType::vector && (*rhs)->type == ValueType::vector;
  if (has_modifier && !both_vectors)
    return parse_error(at, "on, ignoring and group modifiers need instant vectors on both sides");
  const Position start{lhs->line, lhs->column};
  binary.lhs = std::move(lhs);
  binary.rhs = std::move(*rhs);
  return make(start, std::move(binary));
}

Result<void> Parser::parse_matching(Binary& binary, bool& has_modifier) {
  if (at_keyword("bool")) {
    if (!is_comparison(binary.op))
      return parse_error(peek().at, "bool is for comparisons only, not for \"{}\"", to_string(binary.op));
    binary.comparison = ComparisonMode::boolean;
    ++pos_;
  }
  const bool on = at_keyword("on");
  if (!on && !at_keyword("ignoring")) return {};
  has_modifier = true;
  ++pos_;
  binary.matching.mode = on ? MatchMode::on : MatchMode::ignoring;
  auto labels = parse_label_list();
  if (!labels) return labels.error();
  binary.matching.labels = std::move(*labels);
  const bool left = at_keyword("group_left");
  if (!left && !at_keyword("group_right")) return {};
  if (is_set_operator(binary.op))
    return parse_error(peek().at, "no grouping is possible with \"{}\"", to_string(binary.op));
  const Position at = peek().at;
  ++pos_;
  binary.matching.cardinality = left ? Cardinality::many_to_one : Cardinality::one_to_many;
  if (peek().kind != TokenKind::left_paren) return {};
  auto include = parse_label_list();
  if (!include) return include.error();
  for (const std::string& label : *include) {
    if (on && std::ranges::find(binary.matching.labels, label) != binary.matching.labels.end()) {
      return parse_error(at, "label \"{}\" cannot be both in on and in the group modifier", label);
    }
  }
  binary.matching.include = std::move(*include);
  return {};
}

Result<ExprPtr> Parser::parse_unary() {
  const Token& token = peek();
  if (token.kind != TokenKind::add && token.kind != TokenKind::sub) return parse_postfix();
  ++pos_;
  // A sign binds like a product: -a ^ b is -(a ^ b), -a * b is (-a) * b.
  auto operand = parse_binary(Precedence::power);
  if (!operand) return operand;
  if (auto* number = std::get_if<NumberLiteral>(&(*operand)->node)) {
    if (token.kind == TokenKind::sub) number->value = -number->value;
    (*operand)->line = token.at.line;
    (*operand)->column = token.at.column;
    return operand;
  }
  return make(token.at,
              Unary{token.kind == TokenKind::sub ? UnaryOp::minus : UnaryOp::plus, std::move(*operand)});
}

Result<ExprPtr> Parser::parse_postfix() {
  auto expr = parse_primary();
  while (expr) {
    if (peek().kind == TokenKind::left_bracket) {
      expr = parse_range(std::move(*expr));
    } else if (at_keyword("offset")) {
      expr = parse_offset(std::move(*expr));
    } else if (peek().kind == TokenKind::at) {
      expr = parse_at(std::move(*expr));
    } else {
      break;
    }
  }
  return expr;
}

Result<ExprPtr> Parser::parse_primary() {
  const Token& token = peek();
  switch (token.kind) {
    case TokenKind::number:
      ++pos_;
      return make(token.at, NumberLiteral{token.number});
    case TokenKind::duration:
      ++pos_;
      return make(token.at, NumberLiteral{token.number, NumberForm::duration});
    case TokenKind::string:
      ++pos_;
      return make(token.at, StringLiteral{token.decoded});
    case TokenKind::left_brace:
      return parse_selector();
    case TokenKind::identifier:
      return parse_word();
    case TokenKind::left_paren:
      break;
    default:
      return expected("an expression");
  }
  ++pos_;
  auto inner = parse_binary(Precedence::lowest);
  if (!inner) return inner;
  if (!accept(TokenKind::right_paren)) return unclosed(token, "\")\"");
  return make(token.at, Paren{std::move(*inner)});
}

Result<std::unique_ptr<Expr>> parse(std::string_view query) {
  if (query.size() > kMaxQueryBytes)
    return fail(Errc::limit, "the query has {} bytes; at most {} are allowed", query.size(), kMaxQueryBytes);
  const auto tokens = tokenize(query);
  if (!tokens) return tokens.error();
  return Parser(*tokens).parse_all();
}

Result<VectorSelector> parse_selector(std::string_view text) {
  auto expr = parse(text);
  if (!expr) return expr.error();
  auto* selector = std::get_if<VectorSelector>(&(*expr)->node);
  if (!selector)
    return fail(Errc::parse,
                "1:1: parse error: expected a selector such as up{{job=\"node\"}}, found an expression");
  return std::move(*selector);
}

}  // namespace vigil::promql
