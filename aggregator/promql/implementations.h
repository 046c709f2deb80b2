// The implementations behind the function table that are not one-liners in it. One declaration per function;
// the shapes are explained in functions.h.
#pragma once

#include "aggregator/promql/eval.h"

namespace vigil::promql {

// range_functions.cpp
void range_rate(const RangeSeries& series, std::span<double> out);
void range_increase(const RangeSeries& series, std::span<double> out);
void range_delta(const RangeSeries& series, std::span<double> out);
void range_irate(const RangeSeries& series, std::span<double> out);
void range_idelta(const RangeSeries& series, std::span<double> out);
void range_deriv(const RangeSeries& series, std::span<double> out);
void range_predict_linear(const RangeSeries& series, std::span<double> out);
void range_changes(const RangeSeries& series, std::span<double> out);
void range_resets(const RangeSeries& series, std::span<double> out);

// over_time_functions.cpp
void range_avg(const RangeSeries& series, std::span<double> out);
void range_min(const RangeSeries& series, std::span<double> out);
void range_max(const RangeSeries& series, std::span<double> out);
void range_sum(const RangeSeries& series, std::span<double> out);
void range_count(const RangeSeries& series, std::span<double> out);
void range_last(const RangeSeries& series, std::span<double> out);
void range_present(const RangeSeries& series, std::span<double> out);
void range_quantile(const RangeSeries& series, std::span<double> out);
void range_stddev(const RangeSeries& series, std::span<double> out);
void range_stdvar(const RangeSeries& series, std::span<double> out);

// point_functions.cpp
void range_first(const RangeSeries& series, std::span<double> out);
void range_time_of_first(const RangeSeries& series, std::span<double> out);
void range_time_of_last(const RangeSeries& series, std::span<double> out);
void range_time_of_max(const RangeSeries& series, std::span<double> out);
void range_time_of_min(const RangeSeries& series, std::span<double> out);
void range_median_deviation(const RangeSeries& series, std::span<double> out);
Result<Block> call_double_exponential_smoothing(Evaluator& evaluator, const Expr& expr, const Grid& grid);

// sample_functions.cpp
double sample_round(double value, std::span<const double> scalars);
/// Go's math.Min and math.Max: an infinity on their side wins over NaN.
double go_min(double a, double b);
double go_max(double a, double b);
double sample_clamp(double value, std::span<const double> scalars);
double sample_sgn(double value, std::span<const double> scalars);
double date_day_of_month(double unix_seconds);
double date_day_of_week(double unix_seconds);
double date_day_of_year(double unix_seconds);
double date_days_in_month(double unix_seconds);
double date_hour(double unix_seconds);
double date_minute(double unix_seconds);
double date_month(double unix_seconds);
double date_year(double unix_seconds);

// vector_functions.cpp
Result<Block> call_absent(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_absent_over_time(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_pi(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_scalar(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_start(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_end(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_range(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_step(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_max_of(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_min_of(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_time(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_timestamp(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_vector(Evaluator& evaluator, const Expr& expr, const Grid& grid);

// info_function.cpp
Result<Block> call_info(Evaluator& evaluator, const Expr& expr, const Grid& grid);

// sort_functions.cpp
Result<Block> call_sort(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_sort_desc(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_sort_by_label(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_sort_by_label_desc(Evaluator& evaluator, const Expr& expr, const Grid& grid);

// label_functions.cpp
Result<Block> call_label_join(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_label_replace(Evaluator& evaluator, const Expr& expr, const Grid& grid);

// histogram_functions.cpp
Result<Block> call_histogram_quantile(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_histogram_quantiles(Evaluator& evaluator, const Expr& expr, const Grid& grid);
Result<Block> call_histogram_fraction(Evaluator& evaluator, const Expr& expr, const Grid& grid);

}  // namespace vigil::promql
