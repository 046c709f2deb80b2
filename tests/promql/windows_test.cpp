#include "aggregator/promql/evaluator.h"
#include "aggregator/promql/parser.h"
#include "tests/promql/memory_storage.h"
#include "tests/support/catch.h"

#include <cmath>
#include <map>
#include <optional>
#include <random>

namespace vigil::promql {
namespace {

constexpr std::int64_t kStep = 1'000;

/// Of one series: the value at each time of a range query, and that of an instant query.
std::map<std::int64_t, double> at_once(Storage& storage, const std::string& query, const TimeRange& over) {
  const auto value = evaluate_range(**parse(query), storage, over, {});
  REQUIRE(value);
  std::map<std::int64_t, double> points;
  if (value->series.empty()) return points;
  for (const Point& point : value->series.at(0).points) points[point.t_ms] = point.v;
  return points;
}
std::optional<double> alone(Storage& storage, const std::string& query, std::int64_t t_ms) {
  const auto value = evaluate_instant(**parse(query), storage, t_ms, {});
  REQUIRE(value);
  const auto& vector = std::get<Vector>(value->data);
  return vector.empty() ? std::nullopt : std::optional(vector[0].v);
}

bool same(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || std::fabs(a - b) <= 1e-10 * std::max(std::fabs(a), std::fabs(b));
}

using Make = double (*)(std::mt19937& random, int i);

double smooth(std::mt19937& random, int i) {
  return i * 3 + random() % 5;
}
double noisy(std::mt19937& random, int) {
  return static_cast<double>(random() % 10'000) - 5'000;
}
double restarts(std::mt19937& random, int i) {
  return random() % 20 == 0 ? 0 : (i % 40) * 7.25;
}
double cancels(std::mt19937& random, int i) {
  constexpr double kHuge[] = {1e17, 1, -1e17, 3.5, 1e100, -1e100, 0.25};
  return kHuge[(static_cast<std::size_t>(i) + random() % 2) % std::size(kHuge)];
}
double overflows(std::mt19937& random, int) {
  constexpr double kHuge[] = {1.7e308, -1.7e308, 1e308, 5};
  return kHuge[random() % std::size(kHuge)];
}
double not_finite(std::mt19937& random, int i) {
  const auto dice = random() % 40;
  if (dice == 0) return std::nan("");
  if (dice == 1) return INFINITY;
  return dice == 2 ? -INFINITY : i;
}
double large_and_steady(std::mt19937& random, int) {
  return 1e9 + random() % 7;
}
double tiny(std::mt19937& random, int) {
  return 1e-300 * static_cast<double>(random() % 100);
}
double mostly_zero(std::mt19937& random, int) {
  return random() % 50 == 0 ? 1e12 : 0;
}

}  // namespace

TEST_CASE("a window that slides gives what each window by itself gives, whatever comes in and leaves") {
  const Make make =
      GENERATE(smooth, noisy, restarts, cancels, overflows, not_finite, large_and_steady, tiny, mostly_zero);
  const std::string function =
      GENERATE(as<std::string>(), "sum_over_time", "avg_over_time", "min_over_time", "max_over_time",
               "count_over_time", "last_over_time", "present_over_time", "stddev_over_time",
               "stdvar_over_time", "rate", "increase", "delta", "changes", "resets", "irate", "deriv");
  std::mt19937 random(7);
  MemoryStorage storage;
  std::int64_t t = 0;
  for (int i = 0; i < 300; ++i) {
    t += random() % 10 == 0 ? 9'000 : kStep;
    storage.add({{"__name__", "m_total"}}, {t, make(random, i)});
  }
  for (const std::string window : {"2s", "17s", "100s", "10m"}) {
    const std::string query = fmt::format("{}(m_total[{}])", function, window);
    const auto all = at_once(storage, query, {0, t + 60'000, 2'500});
    for (std::int64_t at = 0; at <= t + 60'000; at += 2'500) {
      const auto one = alone(storage, query, at);
      INFO(query << " at " << at);
      REQUIRE(one.has_value() == all.contains(at));
      if (one && !same(*one, all.at(at))) FAIL(*one << " by itself, " << all.at(at) << " at once");
    }
  }
}

TEST_CASE("what a step costs does not depend on how long its window is") {
  const std::string function =
      GENERATE(as<std::string>(), "sum_over_time", "avg_over_time", "max_over_time", "min_over_time",
               "stddev_over_time", "rate", "changes", "resets", "count_over_time");
  std::mt19937 random(3);
  MemoryStorage storage;
  for (int i = 0; i < 50'000; ++i) storage.add({{"__name__", "m"}}, {i * kStep, noisy(random, i) + 5'000});
  int asked = 0;
  EvalOptions options;
  options.expired = [&asked] {
    ++asked;
    return false;
  };
  // 5,000 windows of 25,000 points each: asked once for every million points that are looked at.
  const auto expr = parse(function + "(m[25000s])");
  REQUIRE(evaluate_range(**expr, storage, {25'000'000, 49'990'000, 5'000}, options));
  CHECK(asked < 10);
}

TEST_CASE("a window of all steps alike is that of one step") {
  MemoryStorage storage;
  std::mt19937 random(5);
  for (int i = 0; i < 100; ++i) storage.add({{"__name__", "m"}}, {i * kStep, noisy(random, i)});
  for (const std::string function : {"sum_over_time", "max_over_time", "rate"}) {
    const std::string query = function + "(m[50s] @ 80)";
    const auto all = at_once(storage, query, {0, 200'000, 10'000});
    CHECK(all.size() == 21);
    for (const auto& [t, v] : all) CHECK(same(v, *alone(storage, query, t)));
  }
}

}  // namespace vigil::promql
