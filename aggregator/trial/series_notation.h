// Series as unit tests of rules write them: a metric with its labels, and values in short.
//
//   up{job="node", instance="a"}      1 0 _ stale 1+2x3 5x2 _x4
//
// `_` no sample, `a+bxn` a, a+b, ... n more times, `axn` the same with b = 0, `_xn` n times no sample,
// `stale` a staleness marker. Pure; safe on any bytes.
#pragma once

#include "common/error.h"
#include "common/series.h"

#include <optional>
#include <string_view>
#include <vector>

namespace vigil::trial {

/// At most this many values of one series: `1x1000000000` is a slip.
inline constexpr std::size_t kMaxValues = 1'000'000;

/// `up{job="node"}`, `{"my.metric", job="node"}`, `{}`: with __name__ when it has a name.
Result<Labels> parse_metric(std::string_view text);

/// One entry per interval; nothing where there is no sample.
Result<std::vector<std::optional<double>>> parse_values(std::string_view text);

}  // namespace vigil::trial
