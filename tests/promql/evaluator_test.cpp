#include "aggregator/promql/evaluator.h"

#include "aggregator/promql/parser.h"
#include "tests/promql/memory_storage.h"
#include "tests/support/catch.h"

#include <cmath>

namespace vigil::promql {
namespace {

constexpr std::int64_t kMinute = 60'000;

Result<Value> instant(Storage& storage, const std::string& query, std::int64_t t_ms,
                      const EvalOptions& options = {}) {
  const auto expr = parse(query);
  if (!expr) return expr.error();
  return evaluate_instant(**expr, storage, t_ms, options);
}

Result<MatrixValue> range(Storage& storage, const std::string& query, const TimeRange& over,
                          const EvalOptions& options = {}) {
  const auto expr = parse(query);
  if (!expr) return expr.error();
  return evaluate_range(**expr, storage, over, options);
}

/// `LABELS VALUE`, one line per sample, sorted.
std::string show(const Result<Value>& value) {
  if (!value) return "error " + value.error().message;
  if (const auto* scalar = std::get_if<Scalar>(&value->data)) return format_value(scalar->v);
  std::vector<std::string> lines;
  for (const Sample& sample : std::get<Vector>(value->data))
    lines.push_back(sample.labels->to_string() + " " + format_value(sample.v));
  std::sort(lines.begin(), lines.end());
  return fmt::format("{}", fmt::join(lines, "\n"));
}

}  // namespace

TEST_CASE("lookback and ranges do not include their left end") {
  MemoryStorage storage;
  storage.add({{"__name__", "m"}}, 10'000, {1, 2, 3, 4});
  CHECK(show(instant(storage, "count_over_time(m[20s])", 30'000)) == "{} 2");
  CHECK(show(instant(storage, "m", 30'000 + 5 * kMinute - 1)) == "m 4");
  CHECK(show(instant(storage, "m", 30'000 + 5 * kMinute)).empty());
  EvalOptions options;
  options.lookback = std::chrono::seconds(15);
  CHECK(show(instant(storage, "m", 45'000, options)).empty());
  CHECK(show(instant(storage, "m", 44'999, options)) == "m 4");
}

TEST_CASE("a staleness marker ends a series at once and ranges do not see it") {
  MemoryStorage storage;
  storage.add({{"__name__", "m"}}, 10'000, {1, stale_marker(), 3});
  CHECK(show(instant(storage, "m", 10'000)).empty());
  CHECK(show(instant(storage, "m", 19'000)).empty());
  CHECK(show(instant(storage, "m", 20'000)) == "m 3");
  CHECK(show(instant(storage, "count_over_time(m[1m])", 20'000)) == "{} 2");
}

TEST_CASE("each selector is selected once, for the whole range") {
  MemoryStorage storage;
  storage.add({{"__name__", "a_total"}}, 10'000, std::vector<double>(400, 1));
  const auto result =
      range(storage, "rate(a_total[5m]) + a_total offset 1m", {10 * kMinute, 60 * kMinute, kMinute});
  REQUIRE(result);
  CHECK(result->series.at(0).points.size() == 51);
  CHECK(storage.selects() == 2);
}

TEST_CASE("results share the storage's label sets where nothing changed them") {
  class OneSeries : public Storage {
   public:
    Result<std::vector<SelectedSeries>> select(const Selection&) override {
      return std::vector<SelectedSeries>{{labels, {{0, 1}}}};
    }
    LabelsPtr labels = std::make_shared<const Labels>(Labels{{"__name__", "m"}, {"a", "b"}});
  } storage;
  const auto value = instant(storage, "m > 0", 0);
  REQUIRE(value);
  CHECK(std::get<Vector>(value->data).at(0).labels == storage.labels);
}

TEST_CASE("a rate of many steps is the rate of each step by itself") {
  MemoryStorage storage;
  std::vector<double> counter;
  double value = 0;
  for (int i = 0; i < 600; ++i) {
    value = i % 97 == 96 ? 3 : value + (i * 7 % 13);  // with resets
    counter.push_back(i % 50 == 49 ? stale_marker() : value);
  }
  storage.add({{"__name__", "c_total"}}, 7'000, counter);
  for (const std::string query :
       {"rate(c_total[1m])", "increase(c_total[5m])", "irate(c_total[1m])", "changes(c_total[90s])",
        "resets(c_total[20m])", "avg_over_time(c_total[3m])", "c_total", "max_over_time(c_total[1m:13s])",
        "quantile_over_time(0.3, c_total[2m])", "predict_linear(c_total[4m], 60)"}) {
    INFO(query);
    const auto result = range(storage, query, {0, 70 * kMinute, 37'000});
    REQUIRE(result);
    std::map<std::int64_t, double> points;
    for (const Point& point : result->series.at(0).points) points[point.t_ms] = point.v;
    for (std::int64_t t = 0; t <= 70 * kMinute; t += 37'000) {
      const auto one = instant(storage, query, t);
      REQUIRE(one);
      const Vector& vector = std::get<Vector>(one->data);
      REQUIRE(vector.size() == points.count(t));
      if (!vector.empty()) CHECK(vector[0].v == Approx(points[t]).epsilon(1e-12));
    }
  }
}

TEST_CASE("series that differ only in the dropped name may not meet at one step") {
  MemoryStorage storage;
  storage.add({{"__name__", "a"}, {"x", "1"}}, {0, 1});
  storage.add({{"__name__", "b"}, {"x", "1"}}, {0, 2});
  const auto value = instant(storage, "-{x=\"1\"}", 0);
  REQUIRE_FALSE(value);
  CHECK(value.error().code == Errc::invalid_argument);
  CHECK(value.error().message == "vector cannot contain metrics with the same labelset: {x=\"1\"}");
}

TEST_CASE("ambiguous matches name both series") {
  MemoryStorage storage;
  storage.add({{"__name__", "a"}}, {0, 1});
  storage.add({{"__name__", "b"}, {"x", "1"}}, {0, 2});
  storage.add({{"__name__", "b"}, {"x", "2"}}, {0, 2});
  CHECK(show(instant(storage, "a + on() b", 0)) ==
        "error found duplicate series for the match group {} on the right hand-side of the operation: "
        "[{__name__=\"b\", x=\"1\"}, {__name__=\"b\", x=\"2\"}];many-to-many matching not allowed: matching "
        "labels "
        "must be unique on one side");
  CHECK(show(instant(storage, "b + on() a", 0)) ==
        "error multiple matches for labels: many-to-one matching must be explicit "
        "(group_left/group_right): {}");
  CHECK(show(instant(storage, "b + on() group_left a", 0)) == "{x=\"1\"} 3\n{x=\"2\"} 3");
  CHECK(show(instant(storage, "a + on() group_right b", 0)) == "{x=\"1\"} 3\n{x=\"2\"} 3");
}

TEST_CASE("what is ambiguous disturbs no step at which the other side has nothing") {
  MemoryStorage storage;
  storage.add({{"__name__", "a"}}, {600'000, 1});
  storage.replace({{"__name__", "b"}, {"x", "1"}}, {{0, 2}, {600'000, 2}});
  storage.add({{"__name__", "b"}, {"x", "2"}}, {0, 2});
  CHECK(show(instant(storage, "a + on() b", 0)).empty());
  CHECK(show(instant(storage, "a + on() b", 600'000)) == "{} 3");
  CHECK(range(storage, "a + on() b", {0, 600'000, 300'000}));
}

TEST_CASE("limits end an evaluation with the error that fits") {
  MemoryStorage storage;
  for (int i = 0; i < 50; ++i)
    storage.add({{"__name__", "m"}, {"i", std::to_string(i)}}, 1'000, std::vector<double>(100, 1));
  EvalOptions few;
  few.max_samples = 1'000;
  CHECK(instant(storage, "m[10m]", 99'000, few).error().code == Errc::limit);
  CHECK(instant(storage, "sum_over_time(m[10m])", 99'000, few));  // one series at a time is held
  EvalOptions fewer;
  fewer.max_samples = 99;
  CHECK(instant(storage, "sum_over_time(m[10m])", 99'000, fewer).error().code == Errc::limit);
  CHECK(range(storage, "vector(1)", {0, 11'000'000, 1'000}).error().code == Errc::limit);
  CHECK(range(storage, "vector(1)", {0, 10'999'000, 1'000}));
  CHECK(instant(storage, "count_over_time(vector(1)[100y:1ms])", 0).error().code == Errc::limit);
  // What a subquery places for each of its steps counts before anything is read.
  for (const char* text : {"max_over_time(vector(time())[30d:1ms])", "max_over_time(rate(m[5m])[30d:1ms])",
                           "max_over_time(absent(nothing)[10y:1ms])", "max_over_time(vector(pi())[30d:1ms])",
                           "max_over_time(max_over_time(vector(1)[1h:1s])[30d:1ms])"}) {
    CAPTURE(text);
    CHECK(instant(storage, text, 3'000'000'000).error().code == Errc::limit);
  }
  EvalOptions late;
  late.expired = [] { return true; };
  CHECK(instant(storage, "m", 0, late).error().code == Errc::timeout);
  const std::atomic<bool> cancelled = true;
  EvalOptions stopped;
  stopped.cancelled = &cancelled;
  CHECK(instant(storage, "m", 0, stopped).error().code == Errc::unavailable);
}

TEST_CASE("what stands in a query several times is read once") {
  MemoryStorage storage;
  storage.add({{"__name__", "m_total"}, {"x", "1"}}, 10'000, {1, 2, 3, 5});
  storage.add({{"__name__", "m_total"}, {"x", "2"}}, 10'000, {4, 4, 4, 8});
  CHECK(show(instant(storage, "m_total / (m_total + m_total)", 30'000)) == "{x=\"1\"} 0.5\n{x=\"2\"} 0.5");
  CHECK(storage.selects() == 1);
  CHECK(show(instant(storage, "rate(m_total[1m]) - rate(m_total[1m]) + on(x) sum by (x) (m_total)",
                     30'000)) == "{x=\"1\"} 5\n{x=\"2\"} 8");
  CHECK(storage.selects() == 3);
  CHECK(show(instant(storage, "sum(m_total) - sum(m_total offset 10s)", 30'000)) == "{} 6");
  CHECK(storage.selects() == 5);
  CHECK(range(storage, "m_total @ 20 + m_total @ 20", {0, 60'000, 10'000})->series.size() == 2);
  CHECK(storage.selects() == 6);
}

TEST_CASE("each place where a query may be mistaken is told of, though it is read once") {
  MemoryStorage storage;
  storage.add({{"__name__", "gauge"}}, 1'000, {1, 2, 3});
  const auto value = instant(storage, "rate(gauge[10s]) / rate(gauge[10s])", 2'000);
  REQUIRE(value);
  CHECK(value->annotations.infos.size() == 2);
}

TEST_CASE("an error of the storage is the evaluation's error") {
  class Broken : public Storage {
   public:
    Result<std::vector<SelectedSeries>> select(const Selection&) override {
      return fail(Errc::unavailable, "no store");
    }
  } storage;
  CHECK(instant(storage, "sum(rate(x_total[5m]))", 0).error().message == "no store");
}

TEST_CASE("annotations carry the position") {
  MemoryStorage storage;
  storage.add({{"__name__", "gauge"}}, 1'000, {1, 2, 3});
  const auto value = instant(storage, "sum(\n rate(gauge[10s]))", 2'000);
  REQUIRE(value);
  CHECK(value->annotations.infos ==
        std::vector<std::string>{
            "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
            "\"gauge\" (2:7)"});
}

TEST_CASE("arguments out of range are refused") {
  MemoryStorage storage;
  CHECK(range(storage, "m[5m]", {0, 1, 1}).error().code == Errc::invalid_argument);
  CHECK(range(storage, "m", {0, 1, 0}).error().code == Errc::invalid_argument);
  CHECK(range(storage, "m", {1, 0, 1}).error().code == Errc::invalid_argument);
  CHECK(instant(storage, "m", std::numeric_limits<std::int64_t>::max()).error().code ==
        Errc::invalid_argument);
}

TEST_CASE("values print with the digits that read back") {
  CHECK(format_value(0.1) == "0.1");
  CHECK(format_value(1e21) == "1000000000000000000000");
  CHECK(format_value(-0.0) == "-0");
  CHECK(format_value(-INFINITY) == "-Inf");
  CHECK(format_value(std::nan("")) == "NaN");
  CHECK(std::strtod(format_value(5e-324).c_str(), nullptr) == 5e-324);
}

TEST_CASE("names are seen behind a function until the result is made") {
  MemoryStorage storage;
  storage.add({{"__name__", "a"}, {"x", "1"}}, {0, 1});
  storage.add({{"__name__", "b"}, {"x", "1"}}, {0, 2});
  CHECK(show(instant(storage, "sum(-{x=\"1\"})", 0)) == "{} -3");
  CHECK(show(instant(storage, "label_join(-{x=\"1\"}, \"__name__\", \"_\", \"__name__\", \"x\")", 0)) ==
        "a_1{x=\"1\"} -1\nb_1{x=\"1\"} -2");
  CHECK(show(instant(storage, "sum by (__name__) (abs(a))", 0)) == "{} 1");
  CHECK_FALSE(instant(storage, "sum by (__name__) (abs({x=\"1\"}))", 0));
  CHECK(show(instant(storage, "a or -b", 0)) == "a{x=\"1\"} 1");
  CHECK(show(instant(storage, "a or on(__name__) -b", 0)) == "a{x=\"1\"} 1\n{x=\"1\"} -2");
  CHECK_FALSE(instant(storage, "abs({x=\"1\"})[1m:1m]", 0));
}

TEST_CASE("a comparison keeps a name only if its operand does") {
  MemoryStorage storage;
  storage.add({{"__name__", "a"}}, {0, 1});
  storage.add({{"__name__", "b"}}, {0, 2});
  CHECK(show(instant(storage, "a < b", 0)) == "a 1");
  CHECK(show(instant(storage, "abs(a) < b", 0)) == "{} 1");
  CHECK(show(instant(storage, "a < bool b", 0)) == "{} 1");
  CHECK(show(instant(storage, "a * on() group_left(__name__) b", 0)) == "b 2");
}

TEST_CASE("limit_ratio takes complementary parts, the same ones each time") {
  MemoryStorage storage;
  for (int i = 0; i < 200; ++i) storage.add({{"__name__", "m"}, {"i", std::to_string(i)}}, {0, 1});
  CHECK(show(instant(storage, "count(limit_ratio(0.3, m) or limit_ratio(-0.7, m))", 0)) == "{} 200");
  CHECK(show(instant(storage, "limit_ratio(0.3, m) and limit_ratio(-0.7, m)", 0)).empty());
  CHECK(show(instant(storage, "(count(limit_ratio(0.3, m)) > 40) < 80", 0)) != "");
  CHECK(show(instant(storage, "limit_ratio(0, m)", 0)).empty());
  CHECK(show(instant(storage, "limit_ratio(NaN, m)", 0)) == "error Ratio value is NaN");
  CHECK(show(instant(storage, "count(limitk(7, m) and limitk(7, m + 0))", 0)) == "{} 7");
  CHECK(show(instant(storage, "topk(1e30, m)", 0)) == "error Scalar value 1e+30 overflows int64");
}

TEST_CASE("info adds labels of the same instance and job, and only where there is room for them") {
  MemoryStorage storage;
  storage.add({{"__name__", "m"}, {"instance", "a"}, {"job", "j"}, {"own", "1"}}, {0, 1});
  storage.add({{"__name__", "m"}, {"instance", "b"}, {"job", "j"}}, {0, 2});
  storage.add(
      {{"__name__", "target_info"}, {"instance", "a"}, {"job", "j"}, {"own", "2"}, {"v", "3"}, {"w", "4"}},
      {0, 1});
  storage.add({{"__name__", "build_info"}, {"instance", "b"}, {"job", "j"}, {"v", "5"}}, {0, 1});
  const std::string a = R"(m{instance="a", job="j", own="1")";
  const std::string b = R"(m{instance="b", job="j")";
  CHECK(show(instant(storage, "info(m)", 0)) == a + R"(, v="3", w="4"} 1)" + "\n" + b + "} 2");
  CHECK(show(instant(storage, "info(m, {v=~\".*\"})", 0)) == a + R"(, v="3"} 1)" + "\n" + b + "} 2");
  CHECK(show(instant(storage, "info(m, {v=~\".+\"})", 0)) == a + R"(, v="3"} 1)");
  CHECK(show(instant(storage, "info(m, {__name__=\"build_info\"})", 0)) == a + "} 1\n" + b + R"(, v="5"} 2)");
  CHECK(show(instant(storage, "info(rate(m[5m]))", 0)).empty());
  storage.add({{"__name__", "target_info"}, {"instance", "a"}, {"job", "j"}, {"v", "6"}}, {0, 1});
  CHECK(show(instant(storage, "info(m)", 0)).starts_with("error found duplicate series for info metric"));
}

TEST_CASE("labels sort as people sort them") {
  MemoryStorage storage;
  for (const char* name : {"node-10", "node-9", "node-009b", "x", ""})
    storage.add({{"__name__", "m"}, {"n", name}}, {0, 1});
  std::string order;
  const auto value = instant(storage, "sort_by_label(m, \"n\")", 0);
  REQUIRE(value);
  for (const Sample& sample : std::get<Vector>(value->data))
    order += std::string(sample.labels->get("n")) + " ";
  CHECK(order == " node-9 node-009b node-10 x ");
}

TEST_CASE("smoothing factors out of range are refused") {
  MemoryStorage storage;
  storage.add({{"__name__", "m"}}, 1'000, {1, 2, 3});
  CHECK(show(instant(storage, "double_exponential_smoothing(m[10s], 1, 0.5)", 2'000)) ==
        "error invalid smoothing factor. Expected: 0 < sf < 1, got: 1");
  CHECK(show(instant(storage, "double_exponential_smoothing(m[10s], 0.5, NaN)", 2'000)) ==
        "error invalid trend factor. Expected: 0 < tf < 1, got: NaN");
  CHECK(show(instant(storage, "double_exponential_smoothing(m[10s], 0.5, 0.5)", 2'000)) == "{} 3");
}

}  // namespace vigil::promql

TEST_CASE("count_values makes of a large number the label value that Prometheus makes of it") {
  using vigil::promql::format_value;
  CHECK(format_value(9223372036854775808.0) == "9223372036854776000");
  CHECK(format_value(-9223372036854775808.0) == "-9223372036854776000");
  CHECK(format_value(9007199254740994) == "9007199254740994");
  CHECK(format_value(72057594037927936) == "72057594037927940");
  CHECK(format_value(1e23) == "100000000000000000000000");
  CHECK(format_value(1e-7) == "0.0000001");
}
