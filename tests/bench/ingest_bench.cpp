// What a batch costs the aggregator behind gRPC: protobuf, session, decode, journal, head. And each step by
// itself, to see where decoding belongs. Figures are CPU nanoseconds a batch and a sample.
#include "aggregator/head/shard_set.h"
#include "aggregator/ingest/intake.h"
#include "aggregator/ingest/payload.h"
#include "aggregator/store/history.h"
#include "common/log/log.h"
#include "common/wire/rows.h"
#include "common/wire/schema.h"

#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace vigil;
using namespace vigil::aggregator;

constexpr std::int64_t kT0 = 1'700'000'000'000;

double cpu_seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

class Link final : public AgentLink {
 public:
  void welcome(const v1::Welcome&) override {}
  void acknowledge(const Acknowledgement&) override {}
  void request(const v1::ActionRequest&) override {}
  void refuse(const Refused& refused) override { std::printf("refused: %s\n", refused.message.c_str()); }
  void taken(bool) override {}
  void nudge() override {}
  const std::string& remote() const override { return remote_; }

 private:
  const std::string remote_ = "bench";
};

struct Shape {
  std::size_t series;
  std::size_t rows;
  std::size_t batches;
};

/// Messages as an agent of a busy host sends them: a third constant, a third counters, a third noisy gauges.
std::vector<std::string> make_messages(const Shape& shape) {
  std::vector<std::string> messages;
  wire::SourceSchema schema{1, 1, "node", 1000, {}};
  for (std::size_t i = 0; i < shape.series; ++i) {
    schema.series.push_back({fmt::format("node_metric_{}", i),
                             {{"device", fmt::format("d{}", i % 7)}},
                             SeriesType::counter,
                             Encoding::decimal,
                             2});
  }
  v1::AgentMessage message;
  wire::to_wire(schema, *message.mutable_schema());
  messages.push_back(message.SerializeAsString());
  wire::RowEncoder encoder(shape.series);
  std::mt19937_64 random(1);
  std::vector<std::int64_t> values(shape.series, 1'000'000);
  std::int64_t time = kT0;
  for (std::size_t batch = 0; batch < shape.batches; ++batch) {
    v1::AgentMessage next;
    next.mutable_batch()->set_seq(batch + 1);
    next.mutable_batch()->set_keyframe(batch % 60 == 0);
    if (batch % 60 == 0) encoder.start_over();
    v1::Rows& rows = *next.mutable_batch()->add_sources();
    rows.set_source_id(1);
    rows.set_schema_version(1);
    for (std::size_t row = 0; row < shape.rows; ++row, time += 1000) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (i % 3 == 1) values[i] += static_cast<std::int64_t>(random() % 100);
        if (i % 3 == 2) values[i] = static_cast<std::int64_t>(1'000'000 + random() % 50'000);
      }
      encoder.append(time, values, rows);
    }
    messages.push_back(next.SerializeAsString());
  }
  return messages;
}

Greeting greeting() {
  Greeting made;
  made.name = "bench";
  made.machine_id = std::string(16, 'm');
  made.next_seq = 1;
  made.interval_ms = 1000;
  return made;
}

/// One shard without limits on rate and age.
struct Rig {
  explicit Rig(History* history)
      : shards(1, shard_options(), history),
        intake(shards.at(0), counters, unlimited(), {delivery, backfill}) {}

  static ShardOptions shard_options() {
    ShardOptions options;
    options.retention_ms = 1LL << 50;
    return options;
  }
  static IntakeOptions unlimited() {
    IntakeOptions options;
    options.bytes_per_second = 1ULL << 40;
    return options;
  }

  ShardSet shards;
  self::Registry registry;
  IngestCounters counters{registry};
  const std::atomic<std::uint32_t> delivery{1000};
  Backfill backfill;
  Intake intake;
};

enum class Durable : std::uint8_t { no, yes };

/// CPU seconds of the calling thread (the shard's work) and of the whole process (with the history's thread).
std::pair<double, double> run(const std::vector<std::string>& messages, const Shape& shape, Durable durable) {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("vigil-ingest-bench-{}", getpid());
  std::filesystem::remove_all(folder);
  std::unique_ptr<History> history;
  if (durable == Durable::yes) {
    HistoryOptions options;
    options.directory = folder;
    history = std::move(*History::open(std::move(options)));
  }
  Rig rig(history.get());
  Shard& shard = rig.shards.at(0);
  if (history) {
    (void)history->recover();
    (void)history->replay([](const JournalEntry&) {});
    history->start({[](std::span<const DurableBatch>) {}, [](const Error&) {}});
  }
  const auto link = std::make_shared<Link>();
  rig.intake.open(greeting(), link, kT0);
  const double thread = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
  const double process = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
  std::int64_t now = kT0;
  std::size_t count = 0;
  for (const std::string& message : messages) {
    rig.intake.feed(link.get(), message, now);
    now += static_cast<std::int64_t>(shape.rows) * 1000;
    if (++count % (120 / shape.rows) == 0) {
      shard.seal(*shard.find("bench"), now);
      shard.find("bench")->head.evict(now);
    }
    rig.intake.resume(now);
  }
  if (history) (void)history->sync();
  const std::pair spent{cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - thread,
                        cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - process};
  if (rig.counters.batches.value() != shape.batches)
    std::printf("only %llu batches\n", static_cast<unsigned long long>(rig.counters.batches.value()));
  history.reset();
  std::filesystem::remove_all(folder);
  return spent;
}

struct Steps {
  double parse = 0;
  double decode = 0;
};

Steps run_steps(const std::vector<std::string>& messages) {
  Steps steps;
  StreamDecoder decoder(100'000);
  std::vector<char> block(256 << 10);
  google::protobuf::ArenaOptions options;
  options.initial_block = block.data();
  options.initial_block_size = block.size();
  google::protobuf::Arena arena(options);
  for (const std::string& wire : messages) {
    const double start = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
    arena.Reset();
    auto& message = *google::protobuf::Arena::CreateMessage<v1::AgentMessage>(&arena);
    (void)message.ParseFromString(wire);
    const double parsed = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
    if (message.has_schema()) (void)decoder.add_schema(message.schema());
    if (message.has_batch()) (void)decoder.decode(message.batch());
    steps.parse += parsed - start;
    steps.decode += cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - parsed;
  }
  return steps;
}

double resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  unsigned long size = 0;
  unsigned long resident = 0;
  if (file == nullptr || std::fscanf(file, "%lu %lu", &size, &resident) != 2) return 0;
  std::fclose(file);
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/// What a series costs in memory once the window is full: 200 hosts of 500 series, 16 minutes at one row a
/// second.
void measure_memory() {
  constexpr std::size_t kHosts = 200;
  const Shape shape{500, 1, 960};
  const auto messages = make_messages(shape);
  Rig rig(nullptr);
  const double before = resident_bytes();
  std::vector<std::shared_ptr<Link>> links;
  for (std::size_t i = 0; i < kHosts; ++i) {
    Greeting hello = greeting();
    hello.name = fmt::format("host-{}.example.org", i);
    links.push_back(std::make_shared<Link>());
    rig.intake.open(hello, links.back(), kT0);
  }
  std::int64_t now = kT0;
  for (const std::string& message : messages) {
    for (const auto& link : links) rig.intake.feed(link.get(), message, now);
    rig.shards.at(0).tick(now);
    now += 1000;
  }
  double heads = 0;
  for (const auto& [id, host] : rig.shards.at(0).hosts())
    heads += static_cast<double>(host->head.memory_bytes());
  const double series = static_cast<double>(kHosts * shape.series);
  std::printf(
      "\nmemory of %.0f series with a full window: %.0f B a series resident, of that samples %.0f B\n",
      series, (resident_bytes() - before) / series, heads / series);
}

}  // namespace

int main() {
  log::set_level(log::Level::error);
  std::printf("%-12s %9s | %9s %9s | %9s %9s | %9s %9s %12s\n", "series x row", "wire B", "parse us",
              "decode us", "shard us", "ns/sample", "durable", "ns/sample", "samples/CPU s");
  for (const Shape shape : {Shape{100, 1, 20'000}, Shape{500, 1, 6'000}, Shape{100, 10, 6'000}}) {
    const auto messages = make_messages(shape);
    std::size_t bytes = 0;
    for (const std::string& message : messages) bytes += message.size();
    const auto batches = static_cast<double>(shape.batches);
    const double samples = batches * static_cast<double>(shape.series * shape.rows);
    const Steps steps = run_steps(messages);
    const double memory = run(messages, shape, Durable::no).second;
    const double durable = run(messages, shape, Durable::yes).second;
    std::printf("%4zu x %-5zu %9.0f | %9.2f %9.2f | %9.2f %9.1f | %9.2f %9.1f %12.0f\n", shape.series,
                shape.rows, static_cast<double>(bytes) / batches, steps.parse / batches * 1e6,
                steps.decode / batches * 1e6, memory / batches * 1e6, memory / samples * 1e9,
                durable / batches * 1e6, durable / samples * 1e9, samples / durable);
  }
  measure_memory();
  return 0;
}
