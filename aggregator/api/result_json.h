// Results of queries as JSON, sample by sample.
#pragma once

#include "aggregator/api/answer.h"
#include "aggregator/promql/value.h"

#include <cstddef>
#include <functional>
#include <optional>

namespace vigil::aggregator::api {

/// Writes the member "stats" of `data`; empty: there is none.
using WriteStats = std::function<void(JsonWriter& json)>;

/// `{"resultType":"vector","result":[...],"stats":{...}}`
DataSteps result_steps(promql::Value value, WriteStats stats);
DataSteps result_steps(promql::MatrixValue value, WriteStats stats);

/// Cuts a result to `limit` series (0: none is cut), with a warning.
template <class Series>
void limit_series(std::vector<Series>& series, std::size_t limit, promql::Annotations& annotations) {
  if (limit == 0 || series.size() <= limit) return;
  series.resize(limit);
  annotations.warnings.emplace_back("the result was cut to the limit of the request");
}

/// How many samples a result holds: what it takes of memory while it is sent.
std::size_t samples_of(const promql::Value& value);
std::size_t samples_of(const promql::MatrixValue& value);

}  // namespace vigil::aggregator::api
