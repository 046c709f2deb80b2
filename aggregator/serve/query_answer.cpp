#include "aggregator/serve/query_answer.h"

namespace vigil::aggregator {
namespace {

void put_point(std::int64_t t_ms, double value, v1::QuerySeries& out) {
  out.add_times_ms(t_ms);
  out.add_values(value);
}

void put_matrix(const promql::Matrix& matrix, v1::QueryResult& out) {
  out.set_kind(v1::QueryResult::KIND_MATRIX);
  for (const promql::Series& series : matrix) {
    auto& target = *out.add_series();
    put_labels(*series.labels, target);
    for (const promql::Point& point : series.points) put_point(point.t_ms, point.v, target);
  }
}

struct PutValue {
  v1::QueryResult& out;
  void operator()(const promql::Scalar& scalar) const {
    out.set_kind(v1::QueryResult::KIND_SCALAR);
    put_point(scalar.t_ms, scalar.v, *out.add_series());
  }
  void operator()(const promql::Vector& vector) const {
    out.set_kind(v1::QueryResult::KIND_VECTOR);
    for (const promql::Sample& sample : vector) {
      auto& target = *out.add_series();
      put_labels(*sample.labels, target);
      put_point(sample.t_ms, sample.v, target);
    }
  }
  void operator()(const promql::Matrix& matrix) const { put_matrix(matrix, out); }
  void operator()(const promql::String& text) const {
    out.set_kind(v1::QueryResult::KIND_STRING);
    out.set_text(text.v);
  }
};

void put_annotations(const promql::Annotations& annotations, v1::QueryResult& out) {
  for (const auto& text : annotations.warnings) out.add_warnings(text);
  for (const auto& text : annotations.infos) out.add_infos(text);
}

}  // namespace

void put_labels(const vigil::Labels& labels, v1::QuerySeries& out) {
  for (const LabelView& label : labels) {
    auto& pair = *out.add_labels();
    pair.set_name(std::string(label.name));
    pair.set_value(std::string(label.value));
  }
}

void put_value(const promql::Value& value, v1::QueryResult& out) {
  std::visit(PutValue{out}, value.data);
  put_annotations(value.annotations, out);
}

void put_value(const promql::MatrixValue& value, v1::QueryResult& out) {
  put_matrix(value.series, out);
  put_annotations(value.annotations, out);
}

}  // namespace vigil::aggregator
