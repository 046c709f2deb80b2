// From PromQL text to a type-checked tree. Pure; safe on any bytes; bounded in depth and size.
#pragma once

#include "aggregator/promql/ast.h"
#include "common/error.h"

#include <memory>
#include <string_view>

namespace vigil::promql {

inline constexpr std::size_t kMaxQueryBytes = 65'536;
inline constexpr int kMaxDepth = 200;  // of nested expressions: the tree is walked recursively

/// Fails with Errc::parse and a message of the form `1:12: parse error: expected ")", found end of input`:
/// line and column count from 1, columns in bytes. Queries that are too long or too deep fail with
/// Errc::limit. Whitespace and `#` comments are free; keywords are case-insensitive.
Result<std::unique_ptr<Expr>> parse(std::string_view query);

/// A lone selector, `up{job="node"}`, as in /api/v1/series and on the command line.
Result<VectorSelector> parse_selector(std::string_view text);

/// `90s`, `1h30m`, `1d` and the like, as in PromQL and Prometheus configuration files: milliseconds, not
/// negative.
Result<std::int64_t> parse_duration_ms(std::string_view text);

/// The shortest text that parse_duration_ms() reads back: "1h30m", "250ms", "0s".
std::string format_duration_ms(std::int64_t ms);

}  // namespace vigil::promql
