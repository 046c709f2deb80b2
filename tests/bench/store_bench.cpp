// What a day of history costs on disk, and what reading it costs: blocks of a fleet are sealed and stored
// slot by slot, the day ends and is compacted, and then the three questions that dashboards ask are answered
// from files alone, by a history that was just opened. Figures are CPU seconds, bytes, and bytes sent to the
// disk.
#include "aggregator/head/series_registry.h"
#include "aggregator/head/slice.h"
#include "aggregator/store/history.h"
#include "cli/bench/replay.h"
#include "common/log/log.h"

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

using namespace vigil;
using namespace vigil::aggregator;

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kMidnight = 19'675 * kDayMs;
constexpr std::int64_t kSlotMs = 120'000;
const SourceKey kSource{"bench#1", 1000};

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

/// What this process made the kernel send to disks: proc(5), /proc/PID/io.
double written_bytes() {
  std::ifstream file("/proc/self/io");
  std::string key;
  double value = 0;
  while (file >> key >> value)
    if (key == "write_bytes:") return value;
  return 0;
}

struct Shape {
  HostId hosts;
  std::size_t series;
  std::int64_t hours;
};

class Fleet {
 public:
  Fleet(std::filesystem::path folder, const cli::Replay& replay, Shape shape)
      : folder_(std::move(folder)), replay_(replay), shape_(shape) {}

  std::unique_ptr<History> open(std::int64_t now_ms) const {
    HistoryOptions options;
    options.directory = folder_;
    options.now_ms = [now_ms] { return now_ms; };
    auto history = std::move(*History::open(std::move(options)));
    (void)history->recover();
    (void)history->replay([](const JournalEntry&) {});
    history->start({[](std::span<const DurableBatch>) {}, [](const Error&) {}});
    return history;
  }

  /// CPU seconds of sealing and storing; what makes the rows is not counted.
  double fill() const {
    const auto history = open(end_ms());
    for (HostId host = 0; host < shape_.hosts; ++host) {
      HostRecord record;
      record.id = host;
      record.name = fmt::format("bench-{}", host);
      record.machine_id = std::string(16, 'm');
      record.interval_ms = 1000;
      (void)history->put_host(record);
      std::vector<SeriesRecord> series;
      for (const SeriesSpec& spec : replay_.series())
        series.push_back({static_cast<SeriesId>(series.size()), kSource, spec});
      (void)history->put_series(host, std::move(series));
    }
    double spent = 0;
    for (std::int64_t slot = 0; slot < shape_.hours * 3'600'000 / kSlotMs; ++slot) {
      for (HostId host = 0; host < shape_.hosts; ++host) {
        const Block block = rows(host, slot);
        const double before = cpu_seconds();
        auto sealed = SealedBlock::open(seal(block));
        (void)history->seal(host, {{kSource, std::move(*sealed)}}, {});
        spent += cpu_seconds() - before;
      }
      const double before = cpu_seconds();
      if (slot % 8 == 7) (void)history->sync();  // sixteen minutes: the queue stays short
      spent += cpu_seconds() - before;
    }
    (void)history->sync();
    return spent;
  }

  Block rows(HostId host, std::int64_t slot) const {
    constexpr std::size_t kRows = kSlotMs / 1000;
    Block block;
    const std::uint64_t first =
        static_cast<std::uint64_t>(host) * 37 + static_cast<std::uint64_t>(slot) * kRows;
    for (std::size_t row = 0; row < kRows; ++row)
      block.times_ms.push_back(kMidnight + slot * kSlotMs + static_cast<std::int64_t>(row) * 1000);
    for (std::size_t column = 0; column < replay_.series().size(); ++column) {
      block.series.push_back(static_cast<SeriesId>(column));
      for (std::size_t row = 0; row < kRows; ++row)
        block.values.push_back(replay_.value(first + row, column));
    }
    return block;
  }

  double samples() const {
    return static_cast<double>(shape_.hosts) * static_cast<double>(replay_.series().size()) *
           static_cast<double>(shape_.hours) * 3600;
  }
  std::int64_t end_ms() const { return kMidnight + shape_.hours * 3'600'000; }
  const Shape& shape() const { return shape_; }

  /// One question: `columns` of `hosts` hosts, of the last `hours`. Milliseconds of CPU.
  double read(const History& history, HostId hosts, std::size_t columns, std::int64_t hours,
              std::size_t& points) const {
    const auto labels = std::make_shared<const Labels>();
    std::vector<HostSlice> slices;
    for (HostId host = 0; host < hosts; ++host) {
      HostSlice slice;
      slice.host = host;
      for (std::size_t column = 0; column < columns; ++column)
        slice.series.push_back({static_cast<SeriesId>(column),
                                std::make_shared<const Labels>(),
                                {SeriesType::gauge, Encoding::decimal, 0}});
      slice.complete_from_ms = end_ms();
      slices.push_back(std::move(slice));
    }
    const double before = cpu_seconds();
    points = 0;
    for (const HostSlice& slice : slices) {
      std::vector<promql::SelectedSeries> found;
      if (!read_slice(slice, &history, {end_ms() - hours * 3'600'000, end_ms() - 1, 1ULL << 40}, found))
        return -1;
      for (const auto& series : found) points += series.points.size();
    }
    return (cpu_seconds() - before) * 1000;
  }

 private:
  const std::filesystem::path folder_;
  const cli::Replay& replay_;
  const Shape shape_;
};

std::filesystem::path fresh_folder() {
  auto folder = std::filesystem::temp_directory_path() / fmt::format("vigil-store-bench-{}", getpid());
  std::filesystem::remove_all(folder);
  return folder;
}

/// A day of a small fleet: bytes before and after compaction, and the two questions about one host.
void run_day(const cli::Replay& replay) {
  const auto folder = fresh_folder();
  const Fleet fleet(folder, replay, {10, replay.series().size(), 24});
  const double written = written_bytes();
  const double stored = fleet.fill();
  const double samples = fleet.samples();
  double open_bytes = 0;
  {
    const auto history = fleet.open(fleet.end_ms());
    open_bytes = static_cast<double>(history->stats().disk_bytes);
  }
  const double before = cpu_seconds();
  {
    const auto history = fleet.open(fleet.end_ms() + kDayMs);
    if (auto tidied = history->tidy(); !tidied) std::printf("tidy: %s\n", tidied.error().message.c_str());
  }
  const double compacted = cpu_seconds() - before;
  const auto history = fleet.open(fleet.end_ms() + kDayMs);
  const HistoryStats stats = history->stats();
  std::size_t day_points = 0;
  std::size_t host_points = 0;
  const double one_series = fleet.read(*history, 1, 1, 24, day_points);
  const double one_host = fleet.read(*history, 1, replay.series().size(), 1, host_points);
  std::printf(
      "store trace=%s series=%zu samples=%.0f open_bytes_per_sample=%.3f bytes_per_sample=%.3f "
      "raw_bytes_per_sample=%.3f minute_bytes_per_sample=%.3f hour_bytes_per_sample=%.3f "
      "written_bytes_per_sample=%.2f seal_ns=%.1f compact_ns=%.1f series_day_ms=%.1f series_day_points=%zu "
      "host_hour_ms=%.1f host_hour_points=%zu\n",
      replay.trace().c_str(), replay.series().size(), samples, open_bytes / samples,
      static_cast<double>(stats.disk_bytes) / samples,
      static_cast<double>(stats.tiers[0].disk_bytes) / samples,
      static_cast<double>(stats.tiers[1].disk_bytes) / samples,
      static_cast<double>(stats.tiers[2].disk_bytes) / samples, (written_bytes() - written) / samples,
      stored / samples * 1e9, compacted / samples * 1e9, one_series, day_points, one_host, host_points);
  std::filesystem::remove_all(folder);
}

/// An hour of a large fleet, asked for one metric of each host; while the day lasts, and when it is
/// compacted.
void run_fleet(const cli::Replay& replay) {
  const auto folder = fresh_folder();
  const Fleet fleet(folder, replay, {1000, replay.series().size(), 1});
  (void)fleet.fill();
  for (const bool over : {false, true}) {
    if (over) (void)fleet.open(fleet.end_ms() + kDayMs)->tidy();
    const auto history = fleet.open(fleet.end_ms() + (over ? kDayMs : 0));
    std::size_t points = 0;
    const double ms = fleet.read(*history, fleet.shape().hosts, 1, 1, points);
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::printf(
        "fleet hosts=%u series=%zu compacted=%d metric_hour_ms=%.1f points=%zu ns_per_point=%.1f "
        "peak_rss_mib=%.0f\n",
        fleet.shape().hosts, replay.series().size(), over ? 1 : 0, ms, points,
        ms * 1e6 / static_cast<double>(points), static_cast<double>(usage.ru_maxrss) / 1024);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace

int main() {
  log::set_level(log::Level::error);
  const auto recorded = read_trace(VIGIL_SOURCE_DIR "/tests/fixtures/traces/vm-proc-1hz.tsv.zst");
  if (!recorded) return 1;
  if (const auto replay = cli::Replay::create(*recorded, recorded->series.size())) run_day(*replay);
  const Trace synthetic = synthetic_trace(3600, 100);
  if (const auto replay = cli::Replay::create(synthetic, 100)) run_day(*replay);
  if (const auto replay = cli::Replay::create(synthetic, 20)) run_fleet(*replay);
  return 0;
}
