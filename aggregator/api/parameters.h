// Parameters as Prometheus's API takes them. Every error names its parameter and what would be right.
#pragma once

#include "aggregator/http/message.h"
#include "aggregator/promql/evaluator.h"
#include "aggregator/promql/storage.h"
#include "common/error.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator::api {

/// Seconds since 1970 with a fraction ("1435781451.781") or RFC 3339: Unix milliseconds.
Result<std::int64_t> parse_timestamp(std::string_view text);
/// Seconds with a fraction ("15", "0.5") or "1h30m": milliseconds.
Result<std::int64_t> parse_seconds_or_duration(std::string_view text);

/// A parameter that is a time; `fallback` when it is absent or empty, and without one it must be there.
Result<std::int64_t> time_parameter(const http::Request& request, const std::string& name,
                                    std::optional<std::int64_t> fallback);
/// A parameter that is a duration, more than 0; nothing when it is absent or empty.
Result<std::optional<std::chrono::milliseconds>> duration_parameter(const http::Request& request,
                                                                    const std::string& name);
/// A whole number; 0, also when it is absent: no limit.
Result<std::size_t> limit_parameter(const http::Request& request, const std::string& name = "limit");

/// `start`, `end` and `step` of a range query: in order, and not too many steps.
Result<promql::TimeRange> range_parameters(const http::Request& request, std::int64_t max_steps);
/// `start` and `end` where both may be absent.
struct TimeSpan {
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
};
Result<TimeSpan> span_parameters(const http::Request& request);

using MatcherLists = std::vector<std::vector<promql::Matcher>>;
/// `match[]`: a list of matchers for each. One that takes every series is an error, as in Prometheus.
Result<MatcherLists> match_parameters(const http::Request& request);

/// The label that a path means: "U__" begins Prometheus's escaping of names that are not
/// [a-zA-Z_][a-zA-Z0-9_]*
/// ("U__a_2e_b" is "a.b"; what does not follow the rules stays as it is).
std::string unescape_name(std::string_view name);

}  // namespace vigil::aggregator::api
