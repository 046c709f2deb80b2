#include "aggregator/promql/functions.h"

#include "aggregator/promql/implementations.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vigil::promql {
namespace {

using Scalars = std::span<const double>;
constexpr ValueType kScalar = ValueType::scalar;
constexpr ValueType kVector = ValueType::vector;
constexpr ValueType kMatrix = ValueType::matrix;
constexpr ValueType kString = ValueType::string;
constexpr double kDegree = std::numbers::pi / 180;

SampleFn sample(SampleFn apply) {
  return apply;
}

/// Wraps a function of <cmath> of one argument.
template <double (*F)(double)>
double math(double value, Scalars) {
  return F(value);
}

// In alphabetical order: name, result, arguments, least and most arguments, implementation, and what is
// special.
// clang-format off
const std::array kFunctions = {
  Function{"abs", kVector, {kVector}, 1, 1, math<std::fabs>},
  Function{"absent", kVector, {kVector}, 1, 1, call_absent},
  Function{"absent_over_time", kVector, {kMatrix}, 1, 1, call_absent_over_time},
  Function{"acos", kVector, {kVector}, 1, 1, math<std::acos>},
  Function{"acosh", kVector, {kVector}, 1, 1, math<std::acosh>},
  Function{"asin", kVector, {kVector}, 1, 1, math<std::asin>},
  Function{"asinh", kVector, {kVector}, 1, 1, math<std::asinh>},
  Function{"atan", kVector, {kVector}, 1, 1, math<std::atan>},
  Function{"atanh", kVector, {kVector}, 1, 1, math<std::atanh>},
  Function{"avg_over_time", kVector, {kMatrix}, 1, 1, range_avg},
  Function{"ceil", kVector, {kVector}, 1, 1, math<std::ceil>},
  Function{"changes", kVector, {kMatrix}, 1, 1, range_changes},
  Function{"clamp", kVector, {kVector, kScalar, kScalar}, 3, 3, sample_clamp},
  Function{"clamp_max", kVector, {kVector, kScalar}, 2, 2, sample([](double v, Scalars s) { return go_min(s[0], v); })},
  Function{"clamp_min", kVector, {kVector, kScalar}, 2, 2, sample([](double v, Scalars s) { return go_max(s[0], v); })},
  Function{"cos", kVector, {kVector}, 1, 1, math<std::cos>},
  Function{"cosh", kVector, {kVector}, 1, 1, math<std::cosh>},
  Function{"count_over_time", kVector, {kMatrix}, 1, 1, range_count},
  Function{"day_of_month", kVector, {kVector}, 0, 1, date_day_of_month},
  Function{"day_of_week", kVector, {kVector}, 0, 1, date_day_of_week},
  Function{"day_of_year", kVector, {kVector}, 0, 1, date_day_of_year},
  Function{"days_in_month", kVector, {kVector}, 0, 1, date_days_in_month},
  Function{"deg", kVector, {kVector}, 1, 1, sample([](double v, Scalars) { return v / kDegree; })},
  Function{"delta", kVector, {kMatrix}, 1, 1, range_delta},
  Function{"deriv", kVector, {kMatrix}, 1, 1, range_deriv},
  Function{"double_exponential_smoothing", kVector, {kMatrix, kScalar, kScalar}, 3, 3, call_double_exponential_smoothing},
  Function{"end", kScalar, {}, 0, 0, call_end},
  Function{"exp", kVector, {kVector}, 1, 1, math<std::exp>},
  Function{"first_over_time", kVector, {kMatrix}, 1, 1, range_first, NameRule::keeps},
  Function{"floor", kVector, {kVector}, 1, 1, math<std::floor>},
  Function{"histogram_fraction", kVector, {kScalar, kScalar, kVector}, 3, 3, call_histogram_fraction},
  Function{"histogram_quantile", kVector, {kScalar, kVector}, 2, 2, call_histogram_quantile},
  Function{"histogram_quantiles", kVector, {kVector, kString, kScalar, kScalar}, 3, 12, call_histogram_quantiles},
  Function{"hour", kVector, {kVector}, 0, 1, date_hour},
  Function{"idelta", kVector, {kMatrix}, 1, 1, range_idelta},
  Function{"increase", kVector, {kMatrix}, 1, 1, range_increase, NameRule::drops, Hint::counter},
  Function{"info", kVector, {kVector, kVector}, 1, 2, call_info},
  Function{"irate", kVector, {kMatrix}, 1, 1, range_irate},
  Function{"label_join", kVector, {kVector, kString, kString, kString}, 3, kVariadic, call_label_join},
  Function{"label_replace", kVector, {kVector, kString, kString, kString, kString}, 5, 5, call_label_replace},
  Function{"last_over_time", kVector, {kMatrix}, 1, 1, range_last, NameRule::keeps},
  Function{"ln", kVector, {kVector}, 1, 1, math<std::log>},
  Function{"log10", kVector, {kVector}, 1, 1, math<std::log10>},
  Function{"log2", kVector, {kVector}, 1, 1, math<std::log2>},
  Function{"mad_over_time", kVector, {kMatrix}, 1, 1, range_median_deviation},
  Function{"max_of", kScalar, {kScalar, kScalar}, 2, 2, call_max_of},
  Function{"max_over_time", kVector, {kMatrix}, 1, 1, range_max},
  Function{"min_of", kScalar, {kScalar, kScalar}, 2, 2, call_min_of},
  Function{"min_over_time", kVector, {kMatrix}, 1, 1, range_min},
  Function{"minute", kVector, {kVector}, 0, 1, date_minute},
  Function{"month", kVector, {kVector}, 0, 1, date_month},
  Function{"pi", kScalar, {}, 0, 0, call_pi},
  Function{"predict_linear", kVector, {kMatrix, kScalar}, 2, 2, range_predict_linear},
  Function{"present_over_time", kVector, {kMatrix}, 1, 1, range_present},
  Function{"quantile_over_time", kVector, {kScalar, kMatrix}, 2, 2, range_quantile, NameRule::drops, Hint::quantile},
  Function{"rad", kVector, {kVector}, 1, 1, sample([](double v, Scalars) { return v * kDegree; })},
  Function{"range", kScalar, {}, 0, 0, call_range},
  Function{"rate", kVector, {kMatrix}, 1, 1, range_rate, NameRule::drops, Hint::counter},
  Function{"resets", kVector, {kMatrix}, 1, 1, range_resets},
  Function{"round", kVector, {kVector, kScalar}, 1, 2, sample_round},
  Function{"scalar", kScalar, {kVector}, 1, 1, call_scalar},
  Function{"sgn", kVector, {kVector}, 1, 1, sample_sgn},
  Function{"sin", kVector, {kVector}, 1, 1, math<std::sin>},
  Function{"sinh", kVector, {kVector}, 1, 1, math<std::sinh>},
  Function{"sort", kVector, {kVector}, 1, 1, call_sort},
  Function{"sort_by_label", kVector, {kVector, kString}, 1, kVariadic, call_sort_by_label},
  Function{"sort_by_label_desc", kVector, {kVector, kString}, 1, kVariadic, call_sort_by_label_desc},
  Function{"sort_desc", kVector, {kVector}, 1, 1, call_sort_desc},
  Function{"sqrt", kVector, {kVector}, 1, 1, math<std::sqrt>},
  Function{"start", kScalar, {}, 0, 0, call_start},
  Function{"stddev_over_time", kVector, {kMatrix}, 1, 1, range_stddev},
  Function{"stdvar_over_time", kVector, {kMatrix}, 1, 1, range_stdvar},
  Function{"step", kScalar, {}, 0, 0, call_step},
  Function{"sum_over_time", kVector, {kMatrix}, 1, 1, range_sum},
  Function{"tan", kVector, {kVector}, 1, 1, math<std::tan>},
  Function{"tanh", kVector, {kVector}, 1, 1, math<std::tanh>},
  Function{"time", kScalar, {}, 0, 0, call_time},
  Function{"timestamp", kVector, {kVector}, 1, 1, call_timestamp},
  Function{"ts_of_first_over_time", kVector, {kMatrix}, 1, 1, range_time_of_first},
  Function{"ts_of_last_over_time", kVector, {kMatrix}, 1, 1, range_time_of_last},
  Function{"ts_of_max_over_time", kVector, {kMatrix}, 1, 1, range_time_of_max},
  Function{"ts_of_min_over_time", kVector, {kMatrix}, 1, 1, range_time_of_min},
  Function{"vector", kVector, {kScalar}, 1, 1, call_vector},
  Function{"year", kVector, {kVector}, 0, 1, date_year},
};
// clang-format on

}  // namespace

const Function* find_function(std::string_view name) {
  const auto at = std::ranges::lower_bound(kFunctions, name, {}, &Function::name);
  return at != kFunctions.end() && at->name == name ? &*at : nullptr;
}

std::size_t named_arguments(const Function& function) {
  return function.max_args > function.min_args ? function.min_args + 1U : function.max_args;
}

std::span<const Function> all_functions() {
  return kFunctions;
}

}  // namespace vigil::promql
