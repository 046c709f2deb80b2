// What an evaluation gives back.
#pragma once

#include "aggregator/promql/storage.h"
#include "common/series.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vigil::promql {

using LabelsPtr =
    std::shared_ptr<const Labels>;  // never null; shared with the storage where nothing changed them

struct Scalar {
  std::int64_t t_ms = 0;
  double v = 0;
};

struct String {
  std::int64_t t_ms = 0;
  std::string v;
};

struct Sample {
  LabelsPtr labels;
  std::int64_t t_ms = 0;
  double v = 0;  // never a staleness marker
};

struct Series {
  LabelsPtr labels;
  std::vector<Point> points;  // ascending; never staleness markers
};

/// sort() and sort_desc() order an instant result; everything else comes in no promised order.
using Vector = std::vector<Sample>;
using Matrix = std::vector<Series>;

/// What the user should know although there is a result. Texts carry the position: `... (1:7)`.
struct Annotations {
  std::vector<std::string> warnings;  // the result is probably not what was meant
  std::vector<std::string> infos;     // the result may not be what was meant
};

struct Value {
  std::variant<Scalar, Vector, Matrix, String> data;
  Annotations annotations;
};

struct MatrixValue {
  Matrix series;  // ordered by labels; a scalar expression gives one series with no labels
  Annotations annotations;
};

/// The shortest digits that read back, never with an exponent: "1", "0.1", "+Inf", "NaN", as in the
/// Prometheus HTTP API.
std::string format_value(double value);

}  // namespace vigil::promql
