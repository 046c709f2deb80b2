// What is done with a day once it is over: its raw blocks, two minutes long, are joined into long ones in a
// file of their own, and its rows of the minute and hour tiers are made from them. Works in small steps, an
// hour of one source of one host each, which is also what it holds in memory; whatever breaks it off leaves
// the files as they were.
//
// Late blocks come into a new file of their day and make the job due again, for their hosts only: a tier's
// rows of a host and day are always made from all raw files of that day, and replace what was there.
#pragma once

#include "aggregator/store/merge.h"
#include "aggregator/store/partition.h"
#include "aggregator/store/rollup.h"
#include "aggregator/store/writer.h"

#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace vigil::aggregator {

/// The tier partitions a job writes to: opened when first used, synced and closed by finish().
class TierWriter {
 public:
  TierWriter(Tier tier, const std::string& vfs, Writer& writer, Catalogue& catalogue)
      : tier_(tier), vfs_(vfs), writer_(writer), catalogue_(catalogue) {}

  struct Day {
    HostId host = 0;
    SourceId source = 0;
    std::int64_t day_ms = 0;
    std::vector<SeriesId> brief{};  // Rollup::brief(): its rows keep no series
  };
  /// The tier's blocks of a source's day are these and no others.
  Result<void> replace(const Day& day, const std::vector<std::shared_ptr<const SealedBlock>>& blocks);
  /// True: everything is on disk.
  Result<bool> finish();

 private:
  Result<void> open(std::int64_t time_ms);
  const Tier tier_;
  const std::string vfs_;
  Writer& writer_;
  Catalogue& catalogue_;
  std::int64_t number_ = 0;
  std::optional<Partition> partition_;
};

class DayJob {
 public:
  struct Surroundings {
    const HistoryOptions& options;
    Writer& writer;
    Catalogue& catalogue;
    ReadConnections& connections;
    const std::string& index_path;
  };
  /// All raw files of the day; those that are not compacted are, or all of them when there are many.
  DayJob(std::int64_t day_ms, const Surroundings& surroundings);

  std::int64_t day_ms() const { return day_ms_; }
  /// Does one piece of work. True: the job is done.
  Result<bool> step();
  /// Only putting what it made in the place of the day's files is left.
  bool complete() const { return phase_ == Phase::replace; }
  /// Removes what a job that failed has made.
  void abandon();

 private:
  struct Piece {
    HostId host = 0;
    SourceId source = 0;
    friend auto operator<=>(const Piece&, const Piece&) = default;  // NOLINT(modernize-use-nullptr)
  };
  enum class Phase : std::uint8_t { begin, work, sync, replace };

  Result<bool> begin();
  Result<void> list_pieces();
  Result<void> work_hour(const Piece& piece, std::int64_t hour_ms);
  Result<std::vector<Block>> load(const Piece& piece, std::int64_t hour_ms,
                                  const std::vector<PartitionInfo>& files);
  Result<void> load_from(const PartitionInfo& file, const Piece& piece, std::int64_t hour_ms,
                         std::vector<Block>& blocks);
  static std::vector<Block> join(std::vector<Block> blocks);
  Result<void> compact(const Piece& piece, const std::vector<Block>& joined);
  Result<void> roll_up(std::int64_t hour_ms, const std::vector<Block>& joined);
  Result<void> finish_piece(const Piece& piece);
  Result<void> load_kinds(HostId host);
  Result<bool> sync();

  const std::int64_t day_ms_;
  const Surroundings around_;
  Phase phase_ = Phase::begin;
  std::vector<PartitionInfo> all_;    // raw files of the day
  std::vector<PartitionInfo> input_;  // those that become one
  std::vector<Piece> pieces_;
  std::size_t next_ = 0;
  std::int64_t hour_ms_ = 0;                    // of the piece under way, the next to be worked on
  std::map<std::int64_t, Rollup> minute_rows_;  // by hour: a block may reach into the next one
  std::optional<Rollup> hour_rows_;
  std::vector<std::shared_ptr<const SealedBlock>> minute_blocks_;
  PartitionInfo output_;
  std::optional<Partition> built_;
  std::size_t uncommitted_ = 0;
  TierWriter minute_;
  TierWriter hour_;
  std::optional<HostId> kinds_of_;
  std::vector<SeriesKind> kinds_;
};

}  // namespace vigil::aggregator
