// Generated queries over generated series: whatever they are, the engine ends within its limits, and what it
// answers has the shape that everything behind it relies on.
#include "aggregator/promql/ast_json.h"
#include "aggregator/promql/evaluator.h"
#include "aggregator/promql/parser.h"
#include "aggregator/promql/pretty.h"
#include "tests/fuzz/query_generator.h"

#include <cstdio>
#include <cstdlib>
#include <set>

namespace {

using namespace vigil;
using namespace vigil::promql;

constexpr std::size_t kMaxSamples = 20'000;
constexpr int kMaxAsked = 10'000;

[[noreturn]] void broken(const std::string& query, const std::string& what) {
  std::fprintf(stderr, "%s\n  %s\n", query.c_str(), what.c_str());
  std::abort();
}

EvalOptions limits(int& asked) {
  EvalOptions options;
  options.max_samples = kMaxSamples;
  options.expired = [&asked] { return ++asked > kMaxAsked; };
  return options;
}

/// An answer that the user's query or data can be blamed for.
bool is_permitted(const Error& error) {
  return error.code == Errc::invalid_argument || error.code == Errc::limit || error.code == Errc::timeout;
}

void check_printing(const std::string& query, const Expr& expr) {
  const std::string printed = to_string(expr);
  for (const std::string& text : {printed, pretty(expr)}) {
    const auto again = parse(text);
    if (!again && again.error().code != Errc::limit) broken(query, "printed does not parse: " + text);
    if (again && to_string(**again) != printed) broken(query, "printed differs: " + text);
  }
  if (to_json(expr).empty()) broken(query, "no JSON");
}

void check_series(const std::string& query, const std::vector<Series>& all, const TimeRange& range) {
  const Labels* previous = nullptr;
  for (const Series& series : all) {
    if (previous && !(*previous < *series.labels))
      broken(query, "label sets not ascending: duplicate or unsorted");
    previous = series.labels.get();
    if (series.points.empty()) broken(query, "a series without points");
    std::int64_t last = range.start_ms - 1;
    for (const Point& point : series.points) {
      if (point.t_ms <= last || point.t_ms > range.end_ms) broken(query, "points out of order or range");
      if ((point.t_ms - range.start_ms) % range.step_ms != 0) broken(query, "a point off the grid");
      if (is_stale(point.v)) broken(query, "a staleness marker in the result");
      last = point.t_ms;
    }
  }
}

std::set<std::string> labels_of(const std::string& query, const Value& value) {
  std::set<std::string> out;
  if (std::holds_alternative<Scalar>(value.data)) return {"{}"};
  for (const Sample& sample : std::get<Vector>(value.data)) {
    if (is_stale(sample.v)) broken(query, "a staleness marker in the result");
    if (!out.insert(sample.labels->to_string()).second) broken(query, "a label set twice");
  }
  return out;
}

std::set<std::string> labels_at(const MatrixValue& matrix, std::int64_t t_ms) {
  std::set<std::string> out;
  for (const Series& series : matrix.series) {
    const auto here = [t_ms](const Point& point) { return point.t_ms == t_ms; };
    if (std::ranges::any_of(series.points, here)) out.insert(series.labels->to_string());
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Decisions decisions(data, size);
  MemoryStorage storage;
  generate_series(decisions, storage);
  QueryGenerator generator(decisions);
  const std::string query = decisions.chance(8) ? generator.scalar(4) : generator.vector(5);
  const auto expr = parse(query);
  if (!expr) {
    if (expr.error().code == Errc::limit) return 0;
    broken(query, expr.error().message);
  }
  check_printing(query, **expr);
  const std::int64_t step = 1 + static_cast<std::int64_t>(decisions.below(5)) * 30'000;
  const TimeRange range{120'000, 120'000 + 5 * step, step};
  int asked = 0;
  const auto matrix = evaluate_range(**expr, storage, range, limits(asked));
  if (!matrix && !is_permitted(matrix.error())) broken(query, "range: " + matrix.error().message);
  if (matrix) check_series(query, matrix->series, range);
  for (std::int64_t t = range.start_ms; t <= range.end_ms; t += step) {
    asked = 0;
    const auto instant = evaluate_instant(**expr, storage, t, limits(asked));
    if (!instant && !is_permitted(instant.error())) broken(query, "instant: " + instant.error().message);
    if (!instant) continue;
    const auto labels = labels_of(query, *instant);
    if (matrix && !generator.depends_on_values() && labels != labels_at(*matrix, t))
      broken(query, "a step by itself has other series than among others");
  }
  return 0;
}
