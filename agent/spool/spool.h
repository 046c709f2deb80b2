// The part of the agent's buffer that is on disk: append-only segments of one stream, bounded in bytes.
//
// What was written survives the agent's death (page cache), and what was then synced a power cut. What is
// acknowledged is forgotten a segment at a time. The disk may do later what it is told: until a batch is
// written() it is to be kept in memory, too.
#pragma once

#include "agent/spool/disk.h"
#include "agent/spool/segment.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vigil::agent {

/// Owned by the buffer; the delivery's thread. Batches are those of one stream; between two segments some may
/// be missing.
class Spool {
 public:
  using Schemas = std::function<std::vector<const EncodedSchema*>(std::uint64_t seq)>;

  /// A new, empty one.
  Spool(std::shared_ptr<Disk> disk, SpoolStream stream);
  struct Leftovers {
    std::vector<std::unique_ptr<Spool>> spools;  // oldest first
    std::vector<BatchRange> damaged;             // what of them cannot be read
    std::vector<std::string> unusable;           // files of which only that is left, to go once it was told
    std::vector<std::string> newer;              // files of a newer agent: they stay
  };
  /// What earlier lives of the agent left behind. Files that hold nothing are removed; what is damaged is cut
  /// off and told; those of a newer agent are left as they are, for it to come back.
  static Result<Leftovers> leftovers(const std::shared_ptr<Disk>& disk);
  /// The same, to be bound to a disk before anything else is asked of them.
  static Result<Leftovers> find_leftovers(Disk& disk);
  void bind(std::shared_ptr<Disk> disk) { disk_ = std::move(disk); }

  /// Follows the last one, or is a keyframe. `schemas_before` is asked for what was in force before it. After
  /// an error the batch is not kept, and may be given again.
  Result<void> append(const EncodedBatch& batch, const Schemas& schemas_before);
  /// Makes durable what was appended. After an error that is not, for good; the next group begins a new file.
  Result<void> sync();
  bool unsynced() const { return unsynced_; }
  /// What was told to the disk failed: the batch it was about and all after it are not kept, and may be given
  /// again.
  void failed(const Disk::Failure& failure);
  /// Everything up to `durable_seq` is the aggregator's: forgets segments of which nothing else is left.
  void acknowledge(std::uint64_t durable_seq);
  /// Forgets the oldest segment; what it was, or nothing when none is left.
  std::optional<BatchRange> drop_oldest();
  /// Forgets everything, files included.
  void clear();

  bool empty() const { return segments_.empty(); }
  std::size_t segments() const { return segments_.size(); }
  bool holds(std::uint64_t seq) const { return segment_of(seq) != nullptr; }
  /// It is held, and on disk.
  bool written(std::uint64_t seq);
  /// What is missing right before the segment that begins with `seq`: from the end of the segment before it,
  /// 0 when that is gone, to its own beginning.
  BatchRange hole_before(std::uint64_t seq) const;
  /// 0 when empty.
  std::uint64_t first_seq() const { return empty() ? 0 : segments_.front().range.first_seq; }
  std::uint64_t last_seq() const { return empty() ? 0 : segments_.back().range.last_seq; }
  /// The keyframe at or before `seq`, which holds(); the next keyframe after it, if not; 0 if there is none.
  std::uint64_t keyframe_for(std::uint64_t seq) const;
  /// Whether find() can say what it knows of `seq`; false while that is being read, or no more files may be
  /// opened.
  bool ready(std::uint64_t seq);
  /// Valid until the next call; nullptr when it is not kept, or cannot be read any more: then its segment is
  /// forgotten. Not before it is ready().
  const EncodedBatch* find(std::uint64_t seq);
  /// In force before `seq`, which holds(); valid until the next call of find() or this.
  std::vector<const EncodedSchema*> schemas_before(std::uint64_t seq);

  std::uint64_t bytes() const { return bytes_; }
  const SpoolStream& stream() const { return stream_; }
  std::int64_t first_time_ms() const { return empty() ? 0 : segments_.front().range.first_time_ms; }

  static constexpr std::size_t kSegmentBytes = 1 << 20;  // a segment that long is followed by another

 private:
  struct Segment {
    std::string name;
    BatchRange range;
    std::vector<std::uint64_t> keyframes;
    std::uint64_t bytes = 0;
  };
  /// An append that is not done yet, and what there was before it.
  struct Pending {
    std::uint64_t call = 0;
    std::uint64_t seq = 0;
    BatchRange range;  // of its segment
    std::uint64_t bytes = 0;
  };
  enum class Load : std::uint8_t { done, later, lost };
  void cut(Pending from);
  Result<void> begin_segment(const EncodedBatch& batch, const Schemas& schemas_before);
  /// False: the same batches twice, the disk gave an old file back.
  bool adopt(const std::string& name, const SegmentContent& content);
  void forget(const std::deque<Segment>::iterator& at);
  const Segment* segment_of(std::uint64_t seq) const;
  Load load(const Segment& segment);
  std::string name_of(std::uint64_t number) const;

  std::shared_ptr<Disk> disk_;
  const SpoolStream stream_;
  std::deque<Segment> segments_;  // by seq; the last one is written to
  std::uint64_t bytes_ = 0;
  std::uint64_t number_ = 0;  // of the next file
  std::uint64_t durable_seq_ = 0;
  std::deque<Pending> pending_;  // in order
  std::uint64_t synced_seq_ = 0;
  bool unsynced_ = false;
  bool sync_failed_ = false;
  std::string loaded_name_;
  SegmentContent loaded_;
};

}  // namespace vigil::agent
