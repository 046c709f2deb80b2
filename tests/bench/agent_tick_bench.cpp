// What a beat costs on this host, part by part: each collector, the encoding, and both ends of the row codec.
//
//   agent_tick_bench           the table
//   agent_tick_bench --sink    an aggregator that acknowledges everything; prints its address and runs until
//   its standard input ends,
//                              for measuring the whole program: vigil-agent --aggregator ADDRESS
#include "agent/delivery/batch_builder.h"
#include "agent/plan.h"
#include "common/wire/rows.h"
#include "tests/support/fake_aggregator.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <string_view>

namespace vigil::agent {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

/// CPU time of this thread: what other processes do does not count.
nanoseconds cpu_now() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

Tick tick_at(int second) {
  return {1'700'000'000'000 + second * 1000LL, std::chrono::steady_clock::time_point(seconds(1000 + second))};
}

double microseconds(nanoseconds total, int count) {
  return static_cast<double>(total.count()) / 1e3 / count;
}

void bench_collectors(const AgentConfig& config) {
  constexpr int kRuns = 100;
  fmt::print("{:<16} {:>8} {:>10} {:>12}\n", "collector", "series", "interval", "us per run");
  for (const PlannedCollector& planned : plan_collectors(config)) {
    Sheet sheet;
    run_collector(*planned.collector, tick_at(0), sheet);
    const nanoseconds start = cpu_now();
    for (int i = 1; i <= kRuns; ++i) run_collector(*planned.collector, tick_at(i), sheet);
    fmt::print("{:<16} {:>8} {:>8}ms {:>12.1f}\n", planned.collector->name(), sheet.width(),
               planned.interval.count(), microseconds(cpu_now() - start, kRuns));
  }
}

void bench_beat(const AgentConfig& config) {
  constexpr int kBeats = 300;
  std::size_t bytes = 0;
  BatchBuilder builder([&bytes](const EncodedBatch& batch) { bytes += batch.message.size(); });
  Runner runner(
      plan_collectors(config), {}, [] {}, tick_at(0).steady);
  for (int i = 0; i < 10; ++i) runner.beat(tick_at(i), builder);
  builder.flush();
  bytes = 0;
  const nanoseconds start = cpu_now();
  for (int i = 10; i < 10 + kBeats; ++i) {
    runner.beat(tick_at(i), builder);
    builder.flush();
  }
  fmt::print("\nbeat: {} series, {:.1f} us on the beat's thread, {} bytes per batch\n", runner.series(),
             microseconds(cpu_now() - start, kBeats), bytes / kBeats);
}

void bench_codec() {
  constexpr std::size_t kWidth = 500;
  constexpr int kRows = 20'000;
  std::vector<std::int64_t> values(kWidth);
  wire::RowEncoder encoder(kWidth);
  wire::RowDecoder decoder(kWidth);
  wire::DecodedRows decoded;
  nanoseconds encoding{0};
  nanoseconds decoding{0};
  std::string bytes;
  v1::Rows rows;
  v1::Rows received;
  for (int row = 1; row <= kRows; ++row) {
    for (std::size_t i = 0; i < kWidth; ++i) values[i] += static_cast<std::int64_t>(i % 3 == 0 ? i * 7 : 0);
    rows.Clear();
    const nanoseconds start = cpu_now();
    encoder.append(row * 1000LL, values, rows);
    rows.SerializeToString(&bytes);
    const nanoseconds middle = cpu_now();
    received.ParseFromString(bytes);
    if (!decoder.decode(received, decoded)) std::abort();
    encoding += middle - start;
    decoding += cpu_now() - middle;
  }
  const double cells = static_cast<double>(kWidth) * kRows;
  fmt::print("rows: encode {:.2f} ns per cell, decode {:.2f} ns per cell, {:.2f} bytes per cell\n",
             static_cast<double>(encoding.count()) / cells, static_cast<double>(decoding.count()) / cells,
             static_cast<double>(bytes.size()) / kWidth);
}

int sink() {
  const vigil::test::FakeAggregator aggregator(vigil::test::acknowledge_all());
  fmt::print("{}\n", aggregator.address());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}

}  // namespace
}  // namespace vigil::agent

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--sink") return vigil::agent::sink();
  const vigil::agent::AgentConfig config;
  vigil::agent::bench_collectors(config);
  vigil::agent::bench_beat(config);
  vigil::agent::bench_codec();
  return 0;
}
