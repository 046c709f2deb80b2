// The types of PromQL. Internal to the parser.
#pragma once

#include "aggregator/promql/ast.h"
#include "common/error.h"

namespace vigil::promql {

/// The type of a node whose children are checked already, or what is wrong with it, with a position.
Result<ValueType> check_node(const Expr& expr);

}  // namespace vigil::promql
