// The tree of an expression as JSON, for /api/v1/parse_query: the form that Prometheus gives its web page.
#pragma once

#include "aggregator/promql/ast.h"

#include <string>

namespace vigil::promql {

/// One JSON object per node, told apart by "type": "aggregation", "binaryExpr", "call", "matrixSelector",
/// "numberLiteral", "parenExpr", "stringLiteral", "subquery", "unaryExpr" or "vectorSelector"; keys in
/// alphabetical order, times in milliseconds, numbers as strings. Bytes of strings that are not UTF-8 become
/// U+FFFD.
std::string to_json(const Expr& expr);

}  // namespace vigil::promql
