// What a simulated aggregator handed to a history, what it was told about it, and so what it may rely on. A
// plain value: a test keeps one per point at which it cuts the power.
#pragma once

#include "aggregator/store/history.h"

#include <map>
#include <vector>

namespace vigil::aggregator::testing {

/// Sources of the model: 0 "node" and 1 "container".
inline constexpr std::size_t kModelSources = 2;
SourceKey model_source(std::size_t index);

/// Of series that are never sampled.
inline const SourceKey kNeverSampled{"never", 1000};

/// The one value that a series has at a time: whatever else is read is wrong.
std::int64_t model_value(HostId host, SeriesId series, std::int64_t time_ms);

inline constexpr std::int64_t kTickMs = 1000;

/// Rows of one source, a tick apart, of its first `columns` series.
struct SentBatch {
  StreamId stream{};
  std::uint64_t seq = 0;
  std::size_t source = 0;
  std::int64_t first_ms = 0;
  std::int64_t rows = 0;
  std::size_t columns = 0;  // also the version of the schema: each version has one column more
  std::size_t padding = 0;  // bytes that make it larger
  bool keyframe = false;    // decoding can begin here
  std::uint64_t order = 0;  // when it was handed over
  bool acknowledged = false;
};
/// As it stands in the journal.
JournalEntry batch_entry(HostId host, const SentBatch& batch);
JournalEntry schema_entry(HostId host, const SentBatch& batch);
std::size_t schema_version(const JournalEntry& schema);

/// Something handed over, and when.
template <class T>
struct Put {
  std::uint64_t order = 0;
  T value;
};

struct HostModel {
  std::vector<Put<HostRecord>> records;  // each replaces the one before
  std::vector<std::vector<Put<SeriesRecord>>>
      series;  // by id; each version replaces the one before; none: left
  std::vector<Put<GapRecord>> gaps;
  std::vector<SentBatch> batches;
  std::map<StreamId, std::uint64_t> given_up;  // nothing of the stream was needed up to here
  std::map<SeriesId, std::uint64_t> left;      // series that were dropped, and when

  bool removed() const { return records.back().value.removed; }
  const SentBatch* find(const StreamId& stream, std::uint64_t seq) const;
  /// The last keyframe up to a batch; 1 when there is none.
  std::uint64_t keyframe_before(const StreamId& stream, std::uint64_t seq) const;
  std::uint64_t last_seq(const StreamId& stream) const;  // 0: none
  /// Those that sent something.
  std::vector<StreamId> streams() const;
  /// Ids of the series of a source, in the order in which they came.
  std::vector<SeriesId> series_of(std::size_t source) const;
};

struct HistoryModel {
  std::vector<HostModel> hosts;  // by id
  std::int64_t now_ms = 1'700'000'000'000;
  std::int64_t retention_ms = 0;   // 0: for ever
  std::uint64_t orders = 0;        // handed over so far
  std::uint64_t synced_order = 0;  // all up to here is on disk
  std::uint64_t named_order = 0;   // of hosts and series: an acknowledged batch vouches for those before it

  std::uint64_t next_order() { return ++orders; }
  void acknowledge(const DurableBatch& batch);
  /// A sync() or a close() went well.
  void synced();
  /// Retention may have taken what is older.
  std::int64_t kept_from_ms() const;
};

}  // namespace vigil::aggregator::testing
