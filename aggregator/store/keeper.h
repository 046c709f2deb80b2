// Looks after what is on disk already, on a thread of its own: a day that is over is compacted and rolled up
// (day_job.h), what is older or larger than is to be kept goes, file by file, and who asks is told which
// series are left without a block. Works in small steps, a tenth of a second in each second, so that whoever
// samples or asks hardly notices.
#pragma once

#include "aggregator/store/day_job.h"
#include "aggregator/store/unused_series.h"
#include "aggregator/store/writer.h"
#include "common/threads/worker.h"

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>

namespace vigil::aggregator {

class Keeper {
 public:
  struct Surroundings {
    Catalogue& catalogue;
    const PendingBlocks& pending;
    ReadConnections& connections;
  };
  Keeper(const HistoryOptions& options, Writer& writer, const Surroundings& surroundings);
  /// Where tiers begin, as history.db says. Before start().
  Result<void> load(Tables& tables);
  void start() { worker_.start(); }
  void stop() { worker_.stop(); }

  /// Everything that is due, now. Not after stop().
  Result<void> tidy();
  /// From when on a tier has everything that was stored.
  std::int64_t complete_from_ms(Tier tier) const;
  /// As History's.
  std::uint64_t retirements() const { return retirements_; }
  std::shared_ptr<const UnusedSeries> ask_unused(std::vector<HostId> hosts);

 private:
  enum class Patience : std::uint8_t { wait_for_late_blocks, none };
  void tick();
  Result<bool> continue_job();
  std::optional<std::int64_t> due_day(Patience patience);
  bool quiet(const PartitionInfo& file, std::int64_t now_ms);
  Result<void> retire();
  Result<void> retire_tier(Tier tier);
  std::int64_t now_ms() const;
  std::int64_t size_limit_ms(Tier tier, const std::vector<PartitionInfo>& files) const;

  const HistoryOptions& options_;
  Writer& writer_;
  Catalogue& catalogue_;
  const std::string index_path_;
  const DayJob::Surroundings surroundings_;
  UnusedSeriesFinder unused_;
  std::optional<DayJob> job_;
  std::int64_t look_at_ms_ = 0;
  std::int64_t retry_at_ms_ = 0;
  struct Seen {
    std::uint64_t blocks = 0;
    std::int64_t since_ms = 0;
  };
  std::map<std::int64_t, Seen> seen_;  // by number of the file
  std::atomic<std::uint64_t> retirements_ = 1;
  mutable std::mutex mutex_;  // protects what follows
  std::array<std::int64_t, 3> complete_from_ms_{};
  Worker worker_{"keeper"};  // last: it ends before what it works on
};

}  // namespace vigil::aggregator
