#include "aggregator/promql/analyze.h"

#include "aggregator/promql/evaluator.h"
#include "aggregator/promql/parser.h"
#include "tests/promql/memory_storage.h"
#include "tests/support/catch.h"

namespace vigil::promql {
namespace {

constexpr std::int64_t kMinute = 60'000;

void fill(MemoryStorage& storage, const std::string& host, double offset) {
  for (const std::string cpu : {"0", "1"}) {
    for (int i = 0; i <= 60; ++i) {
      const double t = i * 10'000;
      storage.add({{"__name__", "cpu_total"}, {"instance", host}, {"cpu", cpu}},
                  {static_cast<std::int64_t>(t), i * (1 + offset)});
      storage.add({{"__name__", "load"}, {"instance", host}, {"cpu", cpu}},
                  {static_cast<std::int64_t>(t), offset * 10 + i % 7});
    }
  }
  storage.add({{"__name__", "info"}, {"instance", host}, {"os", "debian"}}, {10 * kMinute, 1});
}

std::multiset<std::string> lines(Storage& storage, const Expr& expr) {
  const auto value = evaluate_instant(expr, storage, 10 * kMinute, {});
  std::multiset<std::string> out;
  if (!value) return {"error"};
  for (const Sample& sample : std::get<Vector>(value->data))
    out.insert(sample.labels->to_string() + " " + format_value(sample.v));
  return out;
}

}  // namespace

TEST_CASE("metric names are those matched by equality") {
  const auto names = [](const std::string& query) { return metric_names(**parse(query)); };
  CHECK(names("rate(a[5m]) / on(x) b + {__name__=\"c\"}").names == std::set<std::string>{"a", "b", "c"});
  CHECK_FALSE(names("max_over_time(sum(a)[1h:])").has_unnamed_selector);
  CHECK(names("a + {job=\"x\"}").has_unnamed_selector);
  CHECK(names("{__name__=~\"node_.*\"}").has_unnamed_selector);
  CHECK(names("1 + 1").names.empty());
}

TEST_CASE("what is called host-local gives the same from each host alone as from all together") {
  MemoryStorage all, web, db;
  for (MemoryStorage* storage : {&all, &web}) fill(*storage, "web", 0);
  for (MemoryStorage* storage : {&all, &db}) fill(*storage, "db", 2);
  const std::string query = GENERATE(
      "load", "load > 3", "3 < load", "-load", "rate(cpu_total[5m]) * 100", "sum by (instance) (load)",
      "avg without (cpu) (load)", "sum by (instance, cpu) (rate(cpu_total[5m])) > bool 1",
      "topk by (instance) (1, load)", "load / on (instance, cpu) cpu_total", "load / ignoring (os) cpu_total",
      "load * on (instance) group_left (os) info", "load and on (instance) info", "load or cpu_total",
      "load unless cpu_total > 5", "max_over_time(sum by (instance) (load)[5m:1m])",
      "predict_linear(load[5m], 3600) < 0", "quantile by (instance) (0.5, load)", "clamp(load, 0, 4)",
      "label_replace(load, \"x\", \"$1\", \"cpu\", \"(.*)\")", "load > time()", "timestamp(load)",
      "(1 - avg by (instance) (rate(cpu_total[5m]))) * 100 > 80");
  INFO(query);
  const auto expr = parse(query);
  REQUIRE(expr);
  CHECK(is_host_local(**expr));
  std::multiset<std::string> joined = lines(web, **expr);
  joined.merge(lines(db, **expr));
  CHECK(joined == lines(all, **expr));
}

TEST_CASE("what mixes hosts or needs none is not host-local") {
  const std::string query =
      GENERATE("sum(load)", "sum by (cpu) (load)", "avg without (instance) (load)", "topk(1, load)",
               "load / on (cpu) cpu_total", "load / ignoring (instance) cpu_total",
               "load * on (cpu) group_left (os) info", "absent(load)", "absent_over_time(load[5m])",
               "load > scalar(max(load))", "vector(1)", "1", "time()", "load or vector(0)",
               "count_values by (instance) (\"instance\", load)",
               "label_replace(load, \"instance\", \"x\", \"cpu\", \".*\")",
               "label_join(load, (\"instance\"), \"\", \"cpu\")", "load > on () vector(1)", "sum(load)[5m:]",
               "max_over_time(sum(load)[5m:1m])", "load and on () (absent(info))", "hour() > 8",
               "sum by (instance) (sum(load))", "topk by (instance) (scalar(info), load)",
               "load * on (cpu) group_left (instance) info");
  INFO(query);
  const auto expr = parse(query);
  REQUIRE(expr);
  CHECK_FALSE(is_host_local(**expr));
}

TEST_CASE("reach is how far back an expression looks") {
  const auto reach = [](const std::string& query) { return reach_ms(**parse(query), 5 * kMinute); };
  CHECK(reach("load") == 5 * kMinute);
  CHECK(reach("rate(load[10m] offset 1h)") == 70 * kMinute);
  CHECK(reach("load + rate(load[1m])") == 5 * kMinute);
  CHECK(reach("max_over_time(rate(load[10m])[1h:1m] offset 2m)") == 72 * kMinute);
  CHECK(reach("load @ 100") == -1);
  CHECK(reach("1 + 1") == 0);
}

}  // namespace vigil::promql
