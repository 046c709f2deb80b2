#include "aggregator/promql/ast.h"

namespace vigil::promql {

std::string_view to_string(ValueType type) {
  switch (type) {
    case ValueType::scalar:
      return "scalar";
    case ValueType::vector:
      return "instant vector";
    case ValueType::matrix:
      return "range vector";
    case ValueType::string:
      break;
  }
  return "string";
}

std::string_view to_string(AggregateOp op) {
  switch (op) {
    case AggregateOp::sum:
      return "sum";
    case AggregateOp::avg:
      return "avg";
    case AggregateOp::min:
      return "min";
    case AggregateOp::max:
      return "max";
    case AggregateOp::count:
      return "count";
    case AggregateOp::group:
      return "group";
    case AggregateOp::stddev:
      return "stddev";
    case AggregateOp::stdvar:
      return "stdvar";
    case AggregateOp::topk:
      return "topk";
    case AggregateOp::bottomk:
      return "bottomk";
    case AggregateOp::quantile:
      return "quantile";
    case AggregateOp::count_values:
      return "count_values";
    case AggregateOp::limitk:
      return "limitk";
    case AggregateOp::limit_ratio:
      break;
  }
  return "limit_ratio";
}

std::string_view to_string(BinaryOp op) {
  switch (op) {
    case BinaryOp::add:
      return "+";
    case BinaryOp::sub:
      return "-";
    case BinaryOp::mul:
      return "*";
    case BinaryOp::div:
      return "/";
    case BinaryOp::mod:
      return "%";
    case BinaryOp::pow:
      return "^";
    case BinaryOp::atan2:
      return "atan2";
    case BinaryOp::eq:
      return "==";
    case BinaryOp::ne:
      return "!=";
    case BinaryOp::gt:
      return ">";
    case BinaryOp::lt:
      return "<";
    case BinaryOp::ge:
      return ">=";
    case BinaryOp::le:
      return "<=";
    case BinaryOp::set_and:
      return "and";
    case BinaryOp::set_or:
      return "or";
    case BinaryOp::set_unless:
      break;
  }
  return "unless";
}

const Expr& strip_parens(const Expr& expr) {
  const Expr* at = &expr;
  while (const auto* paren = std::get_if<Paren>(&at->node)) at = paren->expr.get();
  return *at;
}

}  // namespace vigil::promql
