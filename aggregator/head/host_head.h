// The recent samples of one host: an open block per source, and the sealed ones of the rolling window. Rules
// and short questions never go further than this. Belongs to one shard thread.
//
// Life of a row: append() puts it into its source's open block; seal() compresses the open blocks of all
// sources and returns them for the history; evict() forgets sealed blocks older than the window. A host is
// sealed as a whole, so that "every row up to this batch is in blocks" is one number.
//
// What an agent sends late (back-fill) has lanes of its own: its rows never share an open block with those of
// now, nothing of it counts as the newest, and rules do not see it.
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
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace vigil::aggregator {

struct HeadOptions {
  std::int64_t slot_ms = 120'000;    // open blocks are sealed this often; each host at its own phase of it
  std::int64_t window_ms = 600'000;  // sealed blocks stay in memory this long
};

/// Numbers of sources: those of one stream's rows are lane * kLaneSources + Schema.source_id.
using Lane = std::uint32_t;
inline constexpr std::uint32_t kLaneSources = 1 << 16;
inline constexpr Lane kLiveLane = 0;
inline constexpr Lane kLateLane = 1;
constexpr std::uint32_t source_number(Lane lane, std::uint32_t source_id) {
  return lane * kLaneSources + source_id;
}
constexpr Lane lane_of(std::uint32_t source) {
  return source / kLaneSources;
}

/// Whether an answer takes in what came late. Rules leave it out: what was true an hour ago is no news.
enum class LateRows : std::uint8_t { shown, hidden };

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

  // Rows that come in pieces and in any order, of hosts without an agent (host_kind.h):

  struct Cell {
    SeriesId series = 0;
    std::int64_t raw = kAbsent;
  };
  struct PutCounts {
    std::uint64_t stored = 0;
    std::uint64_t repeated = 0;        // were there
    std::uint64_t conflicting = 0;     // another value was
    std::optional<SeriesId> conflict;  // the first of those
  };
  /// Cells of one time, ascending by series, into the open block of source `number`, whose columns become
  /// those it has values of. What is older than that block goes a way of its own, as back-fill does.
  PutCounts put(std::uint32_t number, std::int64_t time_ms, std::span<const Cell> cells);
  /// Columns the source has now, and time of its newest row; 0, 0: there is no such source.
  struct SourceExtent {
    std::size_t columns = 0;
    std::int64_t last_ms = 0;
  };
  SourceExtent extent(std::uint32_t number) const;

  /// All series of the live sources from `first_source` on end now: their agent left. Its next schemas begin
  /// them anew.
  void end_series(std::uint32_t first_source);
  /// A stream of late rows is complete: its sources are closed and forgotten. Series that no live source has
  /// end right after their last row, those it has go on.
  void end_lane(Lane lane);
  /// After a replay: what this lane's stream sent was live. It takes the place of the live lane's sources of
  /// agents, which must have none.
  void make_live(Lane lane);
  /// Blocks closed since the start: rows that do not follow each other cost one each.
  std::uint64_t closed_blocks() const { return closed_blocks_; }
  /// Of the latest row of the lane; 0: none.
  std::int64_t newest_ms(Lane lane) const;

  /// Whether the slot is over. Also when our clock was set back by more than a slot.
  bool seal_due(std::int64_t now_ms);
  /// Closes all open blocks and returns everything the history has not got yet.
  std::vector<SealedPart> seal(std::int64_t now_ms);
  /// Enough late rows are closed to be worth a transaction of their own.
  bool late_seal_due() const { return unsaved_late_bytes_ >= kLateSealBytes; }
  /// The same of late rows alone: what is live stays open.
  std::vector<SealedPart> seal_late();
  /// Blocks read back from the history after a start: only for looking at. `complete_from_ms`: they are all
  /// there is from then on.
  void adopt(std::vector<std::shared_ptr<const SealedBlock>> blocks, std::int64_t complete_from_ms);
  void evict(std::int64_t now_ms);

  /// See slice.h. Also good for other threads to read.
  /// With a budget that ends up spent it is not all there is.
  HostSlice slice(const promql::Selection& selection, LateRows late = LateRows::shown,
                  MatchBudget* budget = nullptr) const;
  /// The same, decoded here and now from memory alone; columns asked for again are not decompressed again.
  Result<std::vector<promql::SelectedSeries>> select(const promql::Selection& selection,
                                                     std::size_t max_points, LateRows late = LateRows::shown);
  /// The same, a series at a time: nothing is made for those that the sink does not keep.
  struct Reading {
    std::size_t max_points = 0;
    LateRows late = LateRows::shown;
  };
  Result<void> visit(const promql::Selection& selection, const Reading& reading, promql::SeriesSink& sink);

  HostId id() const { return id_; }
  /// A new round of SeriesRegistry begins, in which all that is in memory here counts as used. Linear in the
  /// columns of open and sealed blocks.
  void begin_round();
  /// How many series the live sources have now; the registry also knows those that ended.
  std::size_t active_series() const;
  std::size_t memory_bytes() const;

  static constexpr std::size_t kLateSealBytes = std::size_t{256} << 10;
  /// Of an open block. Far below aggregator::kMaxCells, whatever cadence an agent claims: 1,000 series fit
  /// for 17 minutes at one row a second.
  static constexpr std::size_t kMaxOpenCells = std::size_t{1} << 20;

 private:
  template <class Take>
  void newest(const promql::Selection& selection, std::vector<WantedSeries>& series, Take take) const;
  Result<void> collect_all(const promql::Selection& selection, LateRows late, PointSets& sets);
  struct Source {
    SourceKey key;
    bool in_pieces = false;  // filled by put()
    OpenBlock open;
    std::size_t declared = 0;  // columns beyond it belong to series that ended with the last change
    std::int64_t last_ms = 0;  // of the latest row, also after a seal
  };
  struct Kept {
    std::shared_ptr<const SealedBlock> block;
    bool late = false;
    bool saved = false;  // the history has it
    // Filled by select() only: what rules look at again and again.
    std::vector<std::int64_t> times_ms;
    std::unordered_map<std::size_t, std::vector<std::int64_t>> columns;
  };
  bool fits(const OpenBlock& open, std::int64_t time_ms) const;
  void close(std::uint32_t number, Source& source);
  void end_absent(std::uint32_t number, Source& source);
  void schedule_seal(std::int64_t now_ms);
  std::vector<WantedSeries> wanted(const promql::Selection& selection, MatchBudget* budget = nullptr) const;
  static Result<void> collect(Kept& kept, PointSets& sets);
  Source& source_for_put(std::uint32_t number);
  bool make_room(std::uint32_t number, Source& source, std::int64_t time_ms);
  void put_cells(Source& source, std::int64_t time_ms, std::span<const Cell> cells, PutCounts& counts);
  std::vector<Cell> without_known(std::int64_t time_ms, std::span<const Cell> cells, PutCounts& counts);
  static std::int64_t known_value(Kept& kept, std::int64_t time_ms, SeriesId series);

  const HostId id_;
  const HeadOptions options_;
  SeriesRegistry registry_;
  std::map<std::uint32_t, Source> sources_;
  std::vector<Kept> kept_;                // by the time they were closed
  std::vector<SealedPart> unsaved_;       // closed, not yet handed to the history
  std::vector<SealedPart> unsaved_late_;  // the same of late rows
  std::size_t unsaved_late_bytes_ = 0;
  std::uint64_t closed_blocks_ = 0;
  std::int64_t next_seal_ms_ = 0;
  std::int64_t complete_from_ms_ = std::numeric_limits<std::int64_t>::min();
};

/// promql::Storage over one head, for rules: on the shard's thread only, memory only, without late rows.
class HostStorage : public promql::Storage {
 public:
  explicit HostStorage(HostHead& head, std::size_t max_points = 5'000'000)
      : head_(head), max_points_(max_points) {}
  Result<std::vector<promql::SelectedSeries>> select(const promql::Selection& selection) override {
    return head_.select(selection, max_points_, LateRows::hidden);
  }
  Result<void> visit(const promql::Selection& selection, promql::SeriesSink& sink) override {
    return head_.visit(selection, {max_points_, LateRows::hidden}, sink);
  }

 private:
  HostHead& head_;
  const std::size_t max_points_;
};

}  // namespace vigil::aggregator
