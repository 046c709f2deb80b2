// The expression over several lines, as Prometheus's /api/v1/format_query and its text box lay it out.
#pragma once

#include "aggregator/promql/ast.h"

#include <string>

namespace vigil::promql {

/// What fits into this many bytes stays on one line.
inline constexpr std::size_t kPrettyLineBytes = 100;

/// Aggregations, calls, binary operators and parentheses whose text is longer than kPrettyLineBytes put each
/// operand on its own lines, two spaces deeper; selectors and literals are never split. Without a newline at
/// the end. parse() reads the same tree from it.
std::string pretty(const Expr& expr);

}  // namespace vigil::promql
