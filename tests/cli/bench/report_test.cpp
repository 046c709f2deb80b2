#include "cli/bench/report.h"

#include "cli/bench/latency.h"
#include "cli/bench/process_figures.h"
#include "cli/output/progress.h"
#include "tests/support/catch.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <random>

namespace vigil::cli {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

RunFigures known_run() {
  RunFigures run;
  run.version = "1.2.3";
  run.trace = "synthetic";
  run.agents = 10;
  run.series = 100;
  run.interval = milliseconds(1000);
  run.steady = milliseconds(20'000);
  run.samples_sent = 24'000;
  run.samples_acked = 24'000;
  run.steady_acked = 20'000;
  run.ack_p50 = microseconds(1500);
  run.ack_p99 = microseconds(9000);
  run.ack_max = microseconds(12'345);
  run.delivery_interval = milliseconds(2000);
  run.read_back = ReadBack{};
  run.before = {1.0, 10'000'000, 1000, 0, {}};
  run.connected = {1.5, 10'400'000, {}, {}, {}};
  run.steady_from = {2.0, 11'000'000, 2000, {}, {}};
  run.steady_to = {4.0, 12'000'000, 3000, {}, {}};
  run.stopping = {5.0, {}, {}, {}, {}};
  run.stopped = {6.2, {}, 49'000, 12'000, {}};
  return run;
}

}  // namespace

TEST_CASE("the figures of a run follow from what was measured") {
  const Report report = evaluate(known_run());
  CHECK(*report.aggregator_cpu_seconds == Approx(2.0 + 1.2));
  CHECK(*report.sealing_cpu_seconds == Approx(1.2));
  CHECK(*report.connecting_cpu_seconds == Approx(0.5));
  CHECK(*report.samples_per_cpu_second == Approx(1 / (2.0 / 20'000 + 1.2 / 24'000)));
  CHECK(*report.rss_bytes == 12'000'000);
  CHECK(*report.rss_bytes_per_series == Approx(12'000));
  CHECK(*report.rss_bytes_per_new_stream == Approx(40'000));
  CHECK(*report.bytes_per_sample == Approx(0.5));
  CHECK(*report.written_bytes_per_sample == Approx(2.0));
  CHECK(report.accepted_per_second == Approx(1000));
}

TEST_CASE("what is not known is not made up") {
  RunFigures run = known_run();
  run.before = run.connected = run.steady_from = run.steady_to = run.stopping = run.stopped = {};
  run.read_back.reset();
  run.samples_acked = run.steady_acked = 0;
  const auto json = boost::json::parse(to_json(run)).as_object();
  for (const char* key : {"samples_lost", "samples_doubled", "aggregator_cpu_seconds",
                          "samples_per_cpu_second", "aggregator_rss_bytes", "rss_bytes_per_series",
                          "disk_bytes", "bytes_per_sample", "written_bytes_per_sample"}) {
    INFO(key);
    CHECK(json.at(key).is_null());
  }
  CHECK_THAT(render(to_listing(run), Format::table, Colours::never), Catch::Contains("not known"));
}

TEST_CASE("memory is shared among all series an aggregator holds, not only ours") {
  RunFigures run = known_run();
  run.steady_to.series = 4000;
  CHECK(*evaluate(run).rss_bytes_per_series == Approx(3000));
}

TEST_CASE("the JSON of a run has the documented keys, and no others") {
  const auto json = boost::json::parse(to_json(known_run())).as_object();
  std::vector<std::string> keys;
  for (const auto& [key, value] : json) keys.emplace_back(key);
  CHECK(keys == std::vector<std::string>{"version", "trace", "agents", "series", "interval_ms", "duration_s",
                                         "samples_sent", "samples_acked", "samples_lost", "samples_doubled",
                                         "aggregator_cpu_seconds", "samples_per_cpu_second",
                                         "aggregator_rss_bytes", "rss_bytes_per_series", "disk_bytes",
                                         "bytes_per_sample", "written_bytes_per_sample", "ack_latency_ms",
                                         "delivery_interval_ms"});
  CHECK(json.at("ack_latency_ms").at("p50").as_double() == 1.5);
  CHECK(json.at("ack_latency_ms").at("max").as_double() == 12.345);
  CHECK(json.at("samples_lost").as_int64() == 0);
}

TEST_CASE("percentiles are right within a percent") {
  Latencies latencies;
  CHECK(latencies.percentile(0.5).count() == 0);
  std::mt19937_64 random(1);
  std::vector<std::int64_t> all;
  for (int i = 0; i < 20'000; ++i) {
    all.push_back(static_cast<std::int64_t>(std::exp(std::uniform_real_distribution<>(0, 17)(random))));
    latencies.add(microseconds(all.back()));
  }
  std::sort(all.begin(), all.end());
  for (const double share : {0.01, 0.5, 0.9, 0.99, 1.0}) {
    const auto exact = static_cast<double>(all[static_cast<std::size_t>(std::ceil(share * 20'000)) - 1]);
    CHECK(static_cast<double>(latencies.percentile(share).count()) == Approx(exact).epsilon(0.01));
  }
  CHECK(latencies.max().count() == all.back());
  CHECK(latencies.percentile(1).count() == all.back());
}

TEST_CASE("what a process costs is read as the kernel prints it") {
  const std::string stat = "12 (a b) c) S 1 12 12 0 -1 4194560 1 2 3 4 700 55 9 8 20 0 5 0 123";
  CHECK(*parse_cpu_ticks(stat) == 755);
  CHECK_FALSE(parse_cpu_ticks("12 (x) S 1"));
  CHECK_FALSE(parse_cpu_ticks(""));
  CHECK(*parse_rss_bytes("Name:\tx\nVmHWM:\t 30 kB\nVmRSS:\t    20 kB\n") == 20 * 1024);
  CHECK(*parse_rss_bytes("Name:\tx\n") == 0);
  CHECK(*parse_written_bytes("wchar: 9\nread_bytes: 1\nwrite_bytes: 5000\ncancelled_write_bytes: 96\n") ==
        4904);
  CHECK_FALSE(parse_written_bytes("rchar: 9\n"));
  const auto self = process_figures(::getpid());
  REQUIRE(self);
  CHECK(self->rss_bytes > 1'000'000);
  CHECK_FALSE(process_figures(-1));
}

TEST_CASE("a progress line fits the terminal") {
  CHECK(progress_line("sending", 0.5, "x", 80) == "sending      [############------------]  50 %  x");
  CHECK(progress_line("sending", 7, std::string(200, 'x'), 40).size() == 39);
  CHECK(progress_line("sending", std::nan(""), "", 80).find("  0 %") != std::string::npos);
  CHECK(progress_line("", 0.25, "x", 80) == "[######------------------]  25 %  x");
  CHECK(
      byte_detail(1 << 30, std::uint64_t{4} << 30, std::chrono::seconds(8), "verifying raw-20261122-7.db") ==
      "1.00 GiB of 4.00 GiB  128 MiB/s  verifying raw-20261122-7.db");
  CHECK(byte_detail(0, 0, {}, "x") == "0 B of 0 B  0 B/s  x");
}

}  // namespace vigil::cli
