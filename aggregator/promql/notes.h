// The texts of annotations, in Prometheus's words: people and tools search for them. Internal to the engine.
#pragma once

#include "aggregator/promql/value.h"

#include <cmath>
#include <string>
#include <string_view>

namespace vigil::promql::notes {

inline std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : format_value(value);
}

inline std::string for_metric(std::string_view name) {
  return name.empty() ? "" : fmt::format(" for metric name \"{}\"", name);
}

inline std::string invalid_quantile(double q) {
  return fmt::format("quantile value should be between 0 and 1, got {}", number(q));
}

inline std::string invalid_ratio(double ratio, double used) {
  return fmt::format("ratio value should be between -1 and 1, got {}, capping to {}", number(ratio),
                     number(used));
}

inline std::string bad_bucket(std::string_view bound, std::string_view metric) {
  return fmt::format("bucket label \"le\" is missing or has a malformed value of \"{}\"{}", bound,
                     for_metric(metric));
}

inline std::string forced_monotonic(std::string_view metric) {
  return "input to histogram_quantile needed to be fixed for monotonicity (see "
         "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)" +
         for_metric(metric);
}

inline std::string possible_non_counter(std::string_view metric) {
  return fmt::format("metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"{}\"",
                     metric);
}

inline std::string_view ineffective_sort() {
  return "sort is ineffective for range queries since results are always ordered by labels";
}

}  // namespace vigil::promql::notes
