// The recent samples of one host: an open block per source, and the sealed ones of the rolling window. Rules
// and short questions never go further than this. Belongs to one shard thread.
//
// Life of a row: append() puts it into its source's open block; seal() compresses the open blocks of all
// sources and returns them for the history; evict() forgets sealed blocks older than the window. A host is
// sealed as a whole, so that "every row up to this batch is in blocks" is one number.
#pragma once

#include "aggregator/head/open_block.h"
#include "aggregator/head/series_registry.h"
#include "aggregator/head/slice.h"
#include "aggregator/store/records.h"
#include "common/error.h"

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace vigil::aggregator {

struct HeadOptions {
  std::int64_t slot_ms = 120'000;    // open blocks are sealed this often; each host at its own phase of it
  std::int64_t window_ms = 900'000;  // sealed blocks stay in memory this long
};

class HostHead {
 public:
  HostHead(HostId id, SeriesRegistry registry, const HeadOptions& options);

  SeriesRegistry& registry() { return registry_; }
  const SeriesRegistry& registry() const { return registry_; }
  /// The host's own labels changed: the same series under other label sets.
  void relabel(Labels host_labels) { registry_ = registry_.relabelled(std::move(host_labels)); }

  /// Declares or changes the columns of a source. `source` is a number the caller chooses: the stream's, or
  /// one of its own. A series that is no longer among them gets a staleness marker with the next row.
  void set_columns(std::uint32_t source, SourceKey key, std::vector<SeriesId> columns);
  /// A row of the declared columns. A row that is not after the last one (the agent's clock was set back)
  /// begins a new block.
  void append(std::uint32_t source, std::int64_t time_ms, std::span<const std::int64_t> values);

  /// All series of the sources from `first_source` on end now: their agent left. Its next schemas begin them
  /// anew.
  void end_series(std::uint32_t first_source);

  /// Whether the slot is over. Also when our clock was set back by more than a slot.
  bool seal_due(std::int64_t now_ms);
  /// Closes all open blocks and returns everything the history has not got yet.
  std::vector<SealedPart> seal(std::int64_t now_ms);
  /// Blocks read back from the history after a start: only for looking at. `complete_from_ms`: they are all
  /// there is from then on.
  void adopt(std::vector<std::shared_ptr<const SealedBlock>> blocks, std::int64_t complete_from_ms);
  void evict(std::int64_t now_ms);

  /// See slice.h. Also good for other threads to read.
  HostSlice slice(const promql::Selection& selection) const;
  /// The same, decoded here and now from memory alone; columns asked for again are not decompressed again.
  Result<std::vector<promql::SelectedSeries>> select(const promql::Selection& selection,
                                                     std::size_t max_points);

  HostId id() const { return id_; }
  std::int64_t newest_ms() const { return newest_ms_; }
  /// How many series the sources have now; the registry also knows those that ended.
  std::size_t active_series() const;
  std::size_t memory_bytes() const;

 private:
  std::vector<promql::SelectedSeries> newest(const promql::Selection& selection,
                                             std::vector<WantedSeries>& series) const;
  struct Source {
    SourceKey key;
    OpenBlock open;
    std::size_t declared = 0;  // columns beyond it belong to series that ended with the last change
    std::int64_t last_ms = 0;  // of the latest row, also after a seal
  };
  struct Kept {
    std::shared_ptr<const SealedBlock> block;
    // Filled by select() only: what rules look at again and again.
    std::vector<std::int64_t> times_ms;
    std::unordered_map<std::size_t, std::vector<std::int64_t>> columns;
  };
  bool fits(const OpenBlock& open, std::int64_t time_ms) const;
  void close(Source& source);
  void schedule_seal(std::int64_t now_ms);
  std::vector<WantedSeries> wanted(const promql::Selection& selection) const;
  static Result<void> collect(Kept& kept, PointSets& sets);

  const HostId id_;
  const HeadOptions options_;
  SeriesRegistry registry_;
  std::map<std::uint32_t, Source> sources_;
  std::vector<Kept> kept_;           // by the time they were closed
  std::vector<SealedPart> unsaved_;  // closed, not yet handed to the history
  std::int64_t next_seal_ms_ = 0;
  std::int64_t newest_ms_ = 0;
  std::int64_t complete_from_ms_ = std::numeric_limits<std::int64_t>::min();
};

/// promql::Storage over one head, for rules: on the shard's thread only, memory only.
class HostStorage : public promql::Storage {
 public:
  explicit HostStorage(HostHead& head, std::size_t max_points = 5'000'000)
      : head_(head), max_points_(max_points) {}
  Result<std::vector<promql::SelectedSeries>> select(const promql::Selection& selection) override {
    return head_.select(selection, max_points_);
  }

 private:
  HostHead& head_;
  const std::size_t max_points_;
};

}  // namespace vigil::aggregator
