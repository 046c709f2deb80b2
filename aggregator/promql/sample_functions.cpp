// Functions of one sample's value, and the calendar (UTC, proleptic Gregorian).
#include "aggregator/promql/implementations.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace vigil::promql {
namespace {

/// Beyond this a year does not fit std::chrono::year; Prometheus gives whatever its calendar overflows to, we
/// give NaN.
constexpr double kMaxDateSeconds = 1.0e12;

bool is_date(double unix_seconds) {
  return std::fabs(unix_seconds) < kMaxDateSeconds;
}

std::int64_t whole_seconds(double unix_seconds) {
  return static_cast<std::int64_t>(unix_seconds);
}

std::chrono::sys_days day_of(double unix_seconds) {
  return std::chrono::floor<std::chrono::days>(
      std::chrono::sys_seconds(std::chrono::seconds(whole_seconds(unix_seconds))));
}

std::int64_t second_of_day(double unix_seconds) {
  const std::int64_t rest = whole_seconds(unix_seconds) % 86'400;
  return rest < 0 ? rest + 86'400 : rest;
}

}  // namespace

double sample_round(double value, std::span<const double> scalars) {
  const double nearest = scalars.empty() ? 1 : scalars[0];
  // Dividing by the inverse keeps 0.1 and the like exact, as in Prometheus.
  const double inverse = 1.0 / nearest;
  return std::floor(value * inverse + 0.5) / inverse;
}

double go_min(double a, double b) {
  if (a == -HUGE_VAL || b == -HUGE_VAL) return -HUGE_VAL;
  if (std::isnan(a) || std::isnan(b)) return std::nan("");
  return std::min(a, b);
}

double go_max(double a, double b) {
  return -go_min(-a, -b);
}

double sample_clamp(double value, std::span<const double> scalars) {
  const double low = scalars[0];
  const double high = scalars[1];
  if (high < low) return kNoValue;
  return go_max(low, go_min(high, value));
}

double sample_sgn(double value, std::span<const double> /*scalars*/) {
  if (value > 0) return 1;
  return value < 0 ? -1 : value;
}

double date_day_of_month(double t) {
  if (!is_date(t)) return std::nan("");
  return static_cast<unsigned>(std::chrono::year_month_day(day_of(t)).day());
}

double date_day_of_week(double t) {
  return is_date(t) ? std::chrono::weekday(day_of(t)).c_encoding() : std::nan("");
}

double date_day_of_year(double t) {
  if (!is_date(t)) return std::nan("");
  const std::chrono::year_month_day date(day_of(t));
  const std::chrono::sys_days first = date.year() / std::chrono::January / 1;
  return static_cast<double>((day_of(t) - first).count() + 1);
}

double date_days_in_month(double t) {
  if (!is_date(t)) return std::nan("");
  const std::chrono::year_month_day date(day_of(t));
  return static_cast<unsigned>((date.year() / date.month() / std::chrono::last).day());
}

double date_hour(double t) {
  const std::int64_t hour = is_date(t) ? second_of_day(t) / 3600 : 0;
  return is_date(t) ? static_cast<double>(hour) : std::nan("");
}
double date_minute(double t) {
  return is_date(t) ? static_cast<double>(second_of_day(t) / 60 % 60) : std::nan("");
}

double date_month(double t) {
  if (!is_date(t)) return std::nan("");
  return static_cast<unsigned>(std::chrono::year_month_day(day_of(t)).month());
}

double date_year(double t) {
  if (!is_date(t)) return std::nan("");
  return static_cast<int>(std::chrono::year_month_day(day_of(t)).year());
}

}  // namespace vigil::promql
