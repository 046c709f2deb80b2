#include "aggregator/load_meter.h"

#include "aggregator/self/process.h"

#include <algorithm>
#include <string_view>
#include <thread>

namespace vigil::aggregator {
namespace {

constexpr double kWeight = 0.2;  // of the latest second

/// Threads that have nothing to do with receiving samples and making them durable; all others are shards, the
/// history, and gRPC's, whose names are its own. Those of queries, HTTP and main bear the program's name.
bool serves_others(std::string_view thread) {
  for (const std::string_view name :
       {"alerts", "backup", "fleet-rules", "keeper", "notify", "store check", "vigil-"})
    if (thread.starts_with(name)) return true;
  return false;
}

}  // namespace

LoadFigures LoadMeter::measure(std::int64_t now_ms) {
  LoadFigures figures;
  figures.cpus = std::max(std::thread::hardware_concurrency(), 1U);
  double used = 0;
  for (const self::ThreadTime& thread : self::thread_times())
    if (!serves_others(thread.name)) used += thread.cpu_seconds;
  if (last_ms_ != 0 && now_ms > last_ms_) {
    const double seconds = static_cast<double>(now_ms - last_ms_) / 1000;
    // A thread that ended takes its time with it.
    const double ratio = std::max(used - cpu_seconds_, 0.0) / seconds / static_cast<double>(figures.cpus);
    cpu_ratio_ += kWeight * (std::min(ratio, 1.0) - cpu_ratio_);
  }
  cpu_seconds_ = used;
  last_ms_ = now_ms;
  figures.cpu_ratio = cpu_ratio_;

  const HistoryStats stats = history_.stats();
  figures.commit_seconds = stats.commit_seconds_last;
  figures.queue_ratio =
      static_cast<double>(stats.queued_bytes) / static_cast<double>(history_.options().queue_bytes);
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const Worker& worker = shards_.at(i).worker();
    figures.queue_ratio = std::max(
        figures.queue_ratio, static_cast<double>(worker.depth()) / static_cast<double>(worker.capacity()));
  }
  return figures;
}

Durability LoadMeter::durability() const {
  return history_.health().state == HistoryState::ok ? Durability::keeps_up : Durability::stands_still;
}

}  // namespace vigil::aggregator
