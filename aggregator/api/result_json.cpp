#include "aggregator/api/result_json.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

namespace vigil::aggregator::api {
namespace {

constexpr std::size_t kPointsAtOnce = 500;

void begin_result(JsonWriter& json, std::string_view type) {
  json.begin_object().member("resultType", type).key("result");
}

Progress end_result(JsonWriter& json, const WriteStats& stats) {
  if (stats) stats(json.key("stats"));
  json.end_object();
  return Progress::done;
}

class MatrixSteps {
 public:
  MatrixSteps(promql::Matrix matrix, WriteStats stats)
      : matrix_(std::move(matrix)), stats_(std::move(stats)) {}

  Progress step(JsonWriter& json) {
    if (!begun_) {
      begin_result(json, "matrix");
      json.begin_array();
      begun_ = true;
    }
    if (series_ == matrix_.size()) return end_result(json.end_array(), stats_);
    promql::Series& series = matrix_[series_];
    if (point_ == 0) json.begin_object().key("metric").labels(*series.labels).key("values").begin_array();
    const std::size_t end = std::min(point_ + kPointsAtOnce, series.points.size());
    for (; point_ < end; ++point_) json.point(series.points[point_].t_ms, series.points[point_].v);
    if (point_ < series.points.size()) return Progress::more;
    json.end_array().end_object();
    series = {};  // written: its memory is free for others
    ++series_;
    point_ = 0;
    return Progress::more;
  }

 private:
  promql::Matrix matrix_;
  WriteStats stats_;
  bool begun_ = false;
  std::size_t series_ = 0;
  std::size_t point_ = 0;
};

DataSteps matrix_steps(promql::Matrix matrix, WriteStats stats) {
  return [steps = std::make_shared<MatrixSteps>(std::move(matrix), std::move(stats))](JsonWriter& json) {
    return steps->step(json);
  };
}

DataSteps vector_steps(promql::Vector vector, WriteStats stats) {
  const auto samples = std::make_shared<promql::Vector>(std::move(vector));
  return [samples, stats = std::move(stats), begun = false, next = std::size_t{0}](JsonWriter& json) mutable {
    if (!std::exchange(begun, true)) {
      begin_result(json, "vector");
      json.begin_array();
    }
    if (next == samples->size()) return end_result(json.end_array(), stats);
    const promql::Sample& sample = (*samples)[next++];
    json.begin_object().key("metric").labels(*sample.labels);
    json.key("value").point(sample.t_ms, sample.v).end_object();
    return Progress::more;
  };
}

std::size_t samples_in(const promql::Matrix& matrix) {
  std::size_t samples = 0;
  for (const promql::Series& series : matrix) samples += series.points.size() + 1;
  return samples;
}

struct StepsOf {
  WriteStats stats;

  DataSteps operator()(promql::Scalar scalar) {
    return [scalar, stats = std::move(stats)](JsonWriter& json) {
      begin_result(json, "scalar");
      // A lone scalar never has an exponent: Prometheus writes it by another way than samples.
      json.begin_array().timestamp(scalar.t_ms).string(promql::format_value(scalar.v)).end_array();
      return end_result(json, stats);
    };
  }
  DataSteps operator()(promql::String text) {
    return [text = std::move(text), stats = std::move(stats)](JsonWriter& json) {
      begin_result(json, "string");
      json.begin_array().timestamp(text.t_ms).string(text.v).end_array();
      return end_result(json, stats);
    };
  }
  DataSteps operator()(promql::Vector vector) { return vector_steps(std::move(vector), std::move(stats)); }
  DataSteps operator()(promql::Matrix matrix) { return matrix_steps(std::move(matrix), std::move(stats)); }
};

}  // namespace

DataSteps result_steps(promql::Value value, WriteStats stats) {
  return std::visit(StepsOf{std::move(stats)}, std::move(value.data));
}

DataSteps result_steps(promql::MatrixValue value, WriteStats stats) {
  return matrix_steps(std::move(value.series), std::move(stats));
}

std::size_t samples_of(const promql::MatrixValue& value) {
  return samples_in(value.series);
}

std::size_t samples_of(const promql::Value& value) {
  if (const auto* matrix = std::get_if<promql::Matrix>(&value.data)) return samples_in(*matrix);
  if (const auto* vector = std::get_if<promql::Vector>(&value.data)) return vector->size();
  return 1;
}

}  // namespace vigil::aggregator::api
