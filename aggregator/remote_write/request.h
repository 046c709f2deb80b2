// The body of a remote_write request: prometheus.WriteRequest (1.0) or io.prometheus.write.v2.Request (2.0),
// in protobuf, in snappy's block format. Pure; what comes out points into the uncompressed bytes.
//
//   1.0 WriteRequest: timeseries 1, metadata 3
//       TimeSeries: labels 1, samples 2, exemplars 3, histograms 4
//       Label: name 1, value 2              Sample: value 1 (double), timestamp 2 (int64, ms)
//       MetricMetadata: type 1, metric_family_name 2, help 4, unit 5
//   2.0 Request: symbols 4, timeseries 5
//       TimeSeries: labels_refs 1 (name, value, ... as indices of symbols), samples 2, histograms 3,
//       exemplars 4, metadata 5
//       Sample: as in 1.0                   Metadata: type 1, help_ref 3, unit_ref 4
#pragma once

#include "aggregator/promql/storage.h"
#include "common/error.h"
#include "common/series.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator::remote_write {

enum class Version : std::uint8_t { v1, v2 };

/// By Content-Type and Content-Encoding. Errc::unsupported says what would be right.
Result<Version> version_of(std::string_view content_type, std::string_view content_encoding);

/// Errc::limit when the bytes claim to be larger than `max_bytes`, which is seen before anything is
/// allocated; Errc::parse when they are not snappy's.
Result<std::string> uncompress(std::string_view body, std::uint64_t max_bytes);

enum class MetricType : std::uint8_t {
  unknown = 0,
  counter = 1,
  gauge = 2,
  histogram = 3,
  gauge_histogram = 4,
  summary = 5,
  info = 6,
  state_set = 7,
};
inline constexpr std::uint64_t kMetricTypes = 8;

struct Metadata {
  std::string_view family;
  MetricType type = MetricType::unknown;
  std::string_view help;
  std::string_view unit;
};

struct TimeSeries {
  std::uint32_t first_label = 0;  // of Request::labels
  std::uint32_t labels = 0;
  std::uint32_t samples = 0;  // of Request::samples, after those of the series before
  std::uint32_t histograms = 0;
  bool too_many_labels = false;  // only max_labels of them are kept
  MetricType type = MetricType::unknown;
};

struct RequestLimits {
  std::uint32_t max_series = 50'000;
  std::uint32_t max_samples = 500'000;
  std::uint32_t max_labels = 64;  // of a series
};

struct Request {
  std::vector<TimeSeries> series;
  std::vector<LabelView> labels;  // as sent
  std::vector<promql::Point> samples;
  std::vector<Metadata> metadata;
  std::uint64_t exemplars = 0;
  std::uint64_t histograms = 0;
};

/// `bytes` outlives the result. Errc::parse, Errc::limit.
Result<Request> read_request(Version version, std::string_view bytes, const RequestLimits& limits);

}  // namespace vigil::aggregator::remote_write
