#include "aggregator/promql/check.h"

#include "aggregator/promql/functions.h"
#include "aggregator/promql/lexer.h"
#include "aggregator/promql/literals.h"

namespace vigil::promql {
namespace {

Position position(const Expr& expr) {
  return {expr.line, expr.column};
}

/// What would make `found` fit, for the mistakes that are made most.
std::string_view remedy(const Expr& found, ValueType wanted) {
  if (wanted == ValueType::matrix && found.type == ValueType::vector) {
    return std::holds_alternative<VectorSelector>(found.node)
               ? "; put a range such as [5m] behind the selector"
               : "; put a subquery such as [5m:1m] behind the expression";
  }
  if (wanted == ValueType::vector && found.type == ValueType::matrix)
    return "; take the range away, or put a function such as rate() or avg_over_time() around it";
  if (wanted == ValueType::vector && found.type == ValueType::scalar)
    return "; vector() makes one of a number";
  if (wanted == ValueType::scalar && found.type == ValueType::vector)
    return "; scalar() makes a number of a vector with one element";
  return "";
}

Error type_error(const Expr& found, std::string_view where, ValueType wanted) {
  return parse_error(position(found), "expected type {} in {}, found {}{}", to_string(wanted), where,
                     to_string(found.type), remedy(found, wanted));
}

bool is_number(const Expr& expr) {
  return expr.type == ValueType::scalar || expr.type == ValueType::vector;
}

Result<ValueType> check_binary(const Binary& binary) {
  for (const Expr* side : {binary.lhs.get(), binary.rhs.get()}) {
    if (!is_number(*side)) {
      return parse_error(position(*side), "\"{}\" needs scalars or instant vectors on both sides, found {}",
                         to_string(binary.op), to_string(side->type));
    }
    if (is_set_operator(binary.op) && side->type == ValueType::scalar) {
      return parse_error(position(*side), "set operator \"{}\" is not possible with a scalar",
                         to_string(binary.op));
    }
  }
  const bool scalars = binary.lhs->type == ValueType::scalar && binary.rhs->type == ValueType::scalar;
  if (scalars && is_comparison(binary.op) && binary.comparison == ComparisonMode::filter) {
    return parse_error(position(*binary.lhs), "comparisons between scalars must use the bool modifier");
  }
  return scalars ? ValueType::scalar : ValueType::vector;
}

Result<ValueType> check_aggregate(const Aggregate& aggregate) {
  if (aggregate.expr->type != ValueType::vector)
    return type_error(*aggregate.expr, "the aggregation", ValueType::vector);
  if (!aggregate.param) return ValueType::vector;
  const bool label = aggregate.op == AggregateOp::count_values;
  const ValueType wanted = label ? ValueType::string : ValueType::scalar;
  if (aggregate.param->type != wanted)
    return type_error(*aggregate.param, "the aggregation's parameter", wanted);
  if (label) {
    const std::string& name = std::get<StringLiteral>(strip_parens(*aggregate.param).node).value;
    if (name.empty() || !is_utf8(name))
      return parse_error(position(*aggregate.param), "invalid label name {}", quote(name));
  }
  return ValueType::vector;
}

Result<ValueType> check_call(const Expr& expr, const Call& call) {
  const Function& function = *call.function;
  const std::size_t count = call.args.size();
  if (count < function.min_args || count > function.max_args) {
    const std::string wanted = function.min_args == function.max_args ? fmt::format("{}", function.min_args)
                               : function.max_args == kVariadic
                                   ? fmt::format("at least {}", function.min_args)
                                   : fmt::format("{} to {}", function.min_args, function.max_args);
    return parse_error(position(expr), "wrong number of arguments for {}(): expected {}, found {}",
                       function.name, wanted, count);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const ValueType wanted = function.args[std::min(i, named_arguments(function) - 1)];
    if (call.args[i]->type != wanted)
      return type_error(*call.args[i], fmt::format("call of {}()", function.name), wanted);
  }
  if (function.name == "info" && count == 2) {
    const auto* selector = std::get_if<VectorSelector>(&call.args[1]->node);
    if (!selector || !selector->name.empty() || selector->shift.offset_ms != 0 ||
        selector->shift.at != AtKind::none) {
      return parse_error(
          position(*call.args[1]),
          "expected label matchers only, such as {{version=~\".+\"}}, as the second argument of info()");
    }
  }
  return function.result;
}

struct Checker {
  const Expr& expr;
  Result<ValueType> operator()(const NumberLiteral&) const { return ValueType::scalar; }
  Result<ValueType> operator()(const StringLiteral&) const { return ValueType::string; }
  Result<ValueType> operator()(const VectorSelector&) const { return ValueType::vector; }
  Result<ValueType> operator()(const MatrixSelector&) const { return ValueType::matrix; }
  Result<ValueType> operator()(const Subquery& subquery) const {
    if (subquery.expr->type != ValueType::vector)
      return type_error(*subquery.expr, "the subquery", ValueType::vector);
    return ValueType::matrix;
  }
  Result<ValueType> operator()(const Call& call) const { return check_call(expr, call); }
  Result<ValueType> operator()(const Aggregate& aggregate) const { return check_aggregate(aggregate); }
  Result<ValueType> operator()(const Unary& unary) const {
    if (!is_number(*unary.expr)) {
      return parse_error(position(*unary.expr), "a sign needs a scalar or an instant vector, found {}",
                         to_string(unary.expr->type));
    }
    return unary.expr->type;
  }
  Result<ValueType> operator()(const Binary& binary) const { return check_binary(binary); }
  Result<ValueType> operator()(const Paren& paren) const { return paren.expr->type; }
};

}  // namespace

Result<ValueType> check_node(const Expr& expr) {
  return std::visit(Checker{expr}, expr.node);
}

}  // namespace vigil::promql
