// The recursive-descent parser. Internal: parser.cpp holds the expression levels, parser_operands.cpp what
// stands at the leaves, check.cpp the types.
#pragma once

#include "aggregator/promql/ast.h"
#include "aggregator/promql/lexer.h"
#include "aggregator/promql/parser.h"

#include <optional>
#include <vector>

namespace vigil::promql {

class Parser {
 public:
  /// `tokens` must outlive the parser.
  explicit Parser(const std::vector<Token>& tokens) : tokens_(tokens) {}
  Result<ExprPtr> parse_all();

 private:
  enum class Precedence : std::uint8_t { lowest, alternative, intersection, comparison, sum, product, power };
  static Precedence next(Precedence p) { return static_cast<Precedence>(static_cast<int>(p) + 1); }

  struct Operator {
    BinaryOp op;
    Precedence precedence;
  };

  struct DepthGuard {
    explicit DepthGuard(int& depth) : depth_(depth) { ++depth_; }
    ~DepthGuard() { --depth_; }
    DepthGuard(const DepthGuard&) = delete;
    DepthGuard& operator=(const DepthGuard&) = delete;
    int& depth_;
  };

  // Expressions, from the loosest binding inwards.
  Result<ExprPtr> parse_binary(Precedence minimum);
  Result<ExprPtr> parse_right_side(ExprPtr lhs, Operator op, Position at);
  Result<void> parse_matching(Binary& binary, bool& has_modifier);
  Result<ExprPtr> parse_unary();
  Result<ExprPtr> parse_postfix();
  Result<ExprPtr> parse_primary();
  std::optional<Operator> peek_operator() const;

  // Behind an operand.
  Result<ExprPtr> parse_range(ExprPtr expr);
  Result<ExprPtr> parse_offset(ExprPtr expr);
  Result<ExprPtr> parse_at(ExprPtr expr);

  // Operands.
  Result<ExprPtr> parse_word();
  Result<ExprPtr> parse_call();
  Result<ExprPtr> parse_aggregate(AggregateOp op);
  Result<bool> parse_grouping(Aggregate& aggregate);
  Result<ExprPtr> parse_selector();
  Result<void> parse_matchers(VectorSelector& selector);
  Result<void> parse_matcher(VectorSelector& selector);
  struct WrittenMatcher {
    MatchOp op;
    std::string label;
    const Token& value;
  };
  static Result<void> add_matcher(VectorSelector& selector, const Token& at, WrittenMatcher written);
  Result<std::vector<std::string>> parse_label_list();
  Result<std::string> parse_label_name();
  /// `function` is null for an aggregation.
  Result<std::vector<ExprPtr>> parse_arguments(const Function* function = nullptr);
  Result<std::int64_t> parse_span(std::string_view what);

  /// A checked node; fails when its types do not fit or the tree grows too high.
  Result<ExprPtr> make(Position at, decltype(Expr::node) node);
  static Error too_deep(Position at);

  const Token& peek() const { return tokens_[pos_]; }
  const Token& peek_next() const { return tokens_[std::min(pos_ + 1, tokens_.size() - 1)]; }
  bool at_keyword(std::string_view lower) const;
  bool accept(TokenKind kind);
  Result<void> expect(TokenKind kind, std::string_view what);
  /// "expected WHAT, found TOKEN" at the current token.
  Error expected(std::string_view what) const;
  /// The same; at the end of input it also says what was opened and never closed.
  Error unclosed(const Token& open, std::string_view what) const;
  Error left_over() const;

  const std::vector<Token>& tokens_;
  std::size_t pos_ = 0;
  int depth_ = 0;
  bool any_selector_ = false;  // the selector that begins here may match everything
};

/// True when `text` is `lower`, whatever its case.
bool is_keyword(std::string_view text, std::string_view lower);

}  // namespace vigil::promql
