#include "aggregator/self/registry.h"

#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator::self;

TEST_CASE("counters, gauges and what others keep are shown by family") {
  Registry registry;
  Counter& errors = registry.counter("b_total", "Things.", {{"kind", "error"}});
  registry.counter("b_total", "Things.", {{"kind", "other"}}).add(3);
  registry.gauge("a", "A level.").set(0.5);
  int asked = 0;
  registry.collect(Kind::gauge, "c", "Kept elsewhere.", [&asked] { return static_cast<double>(++asked); });
  errors.add();
  CHECK(
      registry.exposition() ==
      "# HELP a A level.\n# TYPE a gauge\na 0.5\n"
      "# HELP b_total Things.\n# TYPE b_total counter\nb_total{kind=\"error\"} 1\nb_total{kind=\"other\"} 3\n"
      "# HELP c Kept elsewhere.\n# TYPE c gauge\nc 1\n");
}

TEST_CASE("a histogram counts cumulatively and ends with everything") {
  Registry registry;
  Histogram& histogram = registry.histogram("d_seconds", "How long.");
  for (const double seconds : {0.0001, 0.0002, 0.03, 60.0}) histogram.observe(seconds);
  const std::string text = registry.exposition();
  CHECK(text.find("# TYPE d_seconds histogram\nd_seconds_bucket{le=\"0.0001\"} "
                  "1\nd_seconds_bucket{le=\"0.00025\"} 2\n") != std::string::npos);
  CHECK(text.find("d_seconds_bucket{le=\"0.05\"} 3\n") != std::string::npos);
  CHECK(text.find("d_seconds_bucket{le=\"10\"} 3\nd_seconds_bucket{le=\"+Inf\"} 4\nd_seconds_sum "
                  "60.0303\nd_seconds_count 4\n") != std::string::npos);
}

TEST_CASE("this process has memory, descriptors and time") {
  Registry registry;
  add_process_metrics(registry);
  const std::string text = registry.exposition();
  for (const char* name : {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
                           "process_start_time_seconds"}) {
    INFO(name);
    const auto at = text.find(std::string("\n") + name + " ");
    REQUIRE(at != std::string::npos);
    CHECK(std::stod(text.substr(at + std::string_view(name).size() + 2)) > 0);
  }
}

TEST_CASE("values are read as the exposition shows them, histograms series by series") {
  Registry registry;
  registry.counter("b_total", "Things.", {{"kind", "error"}}).add(3);
  registry.collect_many(Kind::gauge, "a", "Levels.", [] {
    return Registry::Samples{{{{"of", "x"}}, 0.5}, {{{"of", "y"}}, 2}};
  });
  registry.histogram("d_seconds", "How long.").observe(0.03);
  std::string text;
  for (const Registry::Reading& reading : registry.read())
    text += fmt::format("{} {}{} {}\n", reading.kind == Kind::gauge ? "gauge" : "counter", reading.name,
                        reading.labels.to_string(), reading.value);
  CHECK(text.starts_with(R"(gauge a{of="x"} 0.5
gauge a{of="y"} 2
counter b_total{kind="error"} 3
counter d_seconds_bucket{le="0.0001"} 0
)"));
  CHECK(text.ends_with(R"(counter d_seconds_bucket{le="10"} 1
counter d_seconds_bucket{le="+Inf"} 1
counter d_seconds_sum{} 0.03
counter d_seconds_count{} 1
)"));
}
