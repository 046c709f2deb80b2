// Files of a million lines where the kernel's are a few hundred: a beat reads a bounded part of each, says
// that it did, and the next beat comes on its tick.
#include "agent/files/proc_file.h"
#include "agent/files/scan.h"
#include "agent/sampling/beat.h"
#include "agent/sampling/runner.h"
#include "common/text/trim.h"
#include "tests/agent/collectors/support.h"
#include "tests/support/catch.h"

#include <condition_variable>
#include <ctime>
#include <map>
#include <mutex>

namespace vigil::agent {

using namespace vigil::test;

namespace {

constexpr int kMillion = 1 << 20;
constexpr std::int64_t kStartMs = 1'700'000'000'000;

/// `heading`, then a thousand different lines again and again.
template <class Line>
std::string million_lines(std::string heading, const Line& line) {
  std::string block;
  for (int i = 0; i < 1024; ++i) block += line(i);
  heading.reserve(heading.size() + block.size() * (kMillion / 1024));
  for (int i = 0; i < kMillion / 1024; ++i) heading += block;
  return heading;
}

void write_long_files(const TempDir& host) {
  const auto counts = [](int i) { return fmt::format("e{}: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", i); };
  host.write("proc/1/net/dev", million_lines("Inter-| Receive | Transmit\n face |bytes\n", counts));
  host.write("proc/1/net/sockstat",
             million_lines("", [](int i) { return fmt::format("P{}: inuse 1\n", i); }));
  host.write("proc/1/net/netstat",
             million_lines("", [](int i) { return fmt::format("P{}: InErrors\nP{}: {}\n", i, i, i); }));
  host.write("proc/1/net/softnet_stat",
             million_lines("", [](int i) { return fmt::format("{:x} 1 2\n", i); }));
  host.write("proc/1/net/arp", million_lines("IP address Device\n", [](int i) {
               return fmt::format("192.0.2.1 0x1 0x2 02:fc:00:00:00:05 * e{}\n", i);
             }));
  host.write("proc/sys/net/netfilter/nf_conntrack_count", "1\n");
  host.write("proc/sys/net/netfilter/nf_conntrack_max", "2\n");
  host.write("proc/1/net/stat/nf_conntrack",
             million_lines("found invalid\n", [](int i) { return fmt::format("{:x} 1\n", i); }));
  host.write("proc/1/net/udp", million_lines("sl local\n", [](int i) {
               return fmt::format("{}: 00000000:0035 00000000:0000 07 00000001:00000001 0\n", i);
             }));
  host.write("proc/loadavg", "0.52 0.58 0.59 1/467 12345\n");
}

constexpr std::array kCollectors = {"loadavg", "netdev",    "sockstat", "netstat",
                                    "softnet", "conntrack", "arp",      "udp_queues"};

/// The newest value of each series, by its text.
class Newest final : public FrameSink {
 public:
  void take(const Frame& frame) override {
    for (std::size_t i = 0; i < frame.values.size(); ++i) {
      const SeriesSpec& spec = frame.schema.series[i];
      values[spec.name + spec.labels.to_string()] = frame.values[i];
    }
  }
  std::optional<std::int64_t> success(std::string_view collector) const {
    const auto found =
        values.find(fmt::format("node_scrape_collector_success{{collector=\"{}\"}}", collector));
    return found == values.end() ? std::nullopt : std::optional(found->second);
  }
  std::map<std::string, std::int64_t> values;
};

/// CPU time of this thread, so that a busy machine does not count.
std::chrono::nanoseconds cpu_time() {
  timespec time{};
  REQUIRE(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// Bytes this thread has read so far; nothing on a kernel that does not count them.
std::optional<std::int64_t> bytes_read() {
  const auto text = read_small_file("/proc/thread-self/io");
  if (!text) return {};
  Lines lines(*text);
  return lines.next() ? parse_integer(trim(split_once(lines.line(), ':').second)) : std::nullopt;
}

std::vector<PlannedCollector> plan(const CollectorOptions& options) {
  std::vector<PlannedCollector> planned;
  for (const char* name : kCollectors)
    planned.push_back({make_collector(name, options), std::chrono::seconds(1)});
  return planned;
}

}  // namespace

TEST_CASE("files of a million lines cost a bounded read, and the next beat comes on its tick") {
  TempDir host;
  write_long_files(host);
  std::mutex mutex;
  std::condition_variable ended;
  bool woken = false;
  const std::chrono::steady_clock::time_point start{std::chrono::seconds(100)};
  Now now{start, std::chrono::system_clock::time_point(std::chrono::milliseconds(kStartMs))};
  Beat beat(std::chrono::seconds(1), now);
  const std::uint64_t cut_before = cut_reads();
  Runner runner(
      plan(rooted(host.path())), {},
      [&] {
        const std::lock_guard lock(mutex);
        woken = true;
        ended.notify_all();
      },
      start);
  Newest out;
  for (int i = 0; i < 3; ++i) {
    // The clock moves by what the beat cost, and then to the next one.
    now.wall += beat.due() - now.steady;
    now.steady = beat.due();
    const auto tick = beat.take(now);
    REQUIRE(tick);
    const auto cpu = cpu_time();
    const auto bytes = bytes_read();
    runner.beat(*tick, out);
    const auto cost = cpu_time() - cpu;
    if (bytes) CHECK(*bytes_read() - *bytes < 2'000'000);  // of 200 MB
    now.wall += std::chrono::duration_cast<std::chrono::system_clock::duration>(cost);
    now.steady += cost;
    CHECK(now.steady < beat.due());
  }
  CHECK(beat.missed() == 0);
  CHECK(cut_reads() - cut_before >= 3 * 6);
  {
    std::unique_lock lock(mutex);
    REQUIRE(ended.wait_for(lock, std::chrono::seconds(60), [&] { return woken; }));
  }
  runner.poll(now.steady, out);
  runner.report({kStartMs + 3000, now.steady}, out);
  // What was cut says so; a sum of a part is not given, single devices are.
  for (const char* collector :
       {"netdev", "sockstat", "netstat", "softnet", "conntrack", "arp", "udp_queues"}) {
    INFO(collector);
    CHECK(out.success(collector) == 0);
  }
  CHECK(out.success("loadavg") == 1);
  CHECK(out.values.contains("node_load1{}"));
  CHECK(out.values.contains("node_network_receive_bytes_total{device=\"e7\"}"));
  for (const auto& [series, value] : out.values) {
    CHECK_FALSE(series.starts_with("node_nf_conntrack_stat"));
    CHECK_FALSE(series.starts_with("node_arp_entries"));
    CHECK_FALSE(series.starts_with("node_udp_queues"));
  }
}

}  // namespace vigil::agent
