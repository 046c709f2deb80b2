// The whole fleet as query threads see it: hosts, series, labels, and a promql::Storage over head and
// history.
//
// Threads: everything here may be called from any thread but a shard's own. A call posts one small task to
// each shard, which hands back shared immutable blocks and a copy of the open rows that match; blocks are
// decoded, and the history is read, on the caller's thread. Nothing here blocks a shard. Errc::unavailable
// when a shard does not answer within five seconds.
#pragma once

#include "aggregator/blocks/block.h"
#include "aggregator/blocks/group_cache.h"
#include "aggregator/fleet/host_state.h"
#include "aggregator/head/host_head.h"
#include "aggregator/head/host_kind.h"
#include "aggregator/promql/storage.h"
#include "common/error.h"
#include "common/series.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vigil::aggregator {

class ShardSet;
class History;

struct HostInfo {
  HostId id = 0;
  std::string name;  // the label instance; says what kind of host it is, see host_kind.h
  HostState state = HostState::late;
  bool connected = false;
  std::int64_t since_ms = 0;            // when it entered this state
  bool since_earlier = false;           // or before that: since_ms is when we knew it was so
  std::int64_t machine_changed_ms = 0;  // when another machine took the name; 0: none since our start
  std::int64_t first_seen_ms = 0;
  std::int64_t last_sample_ms = 0;  // newest row, the agent's clock; 0: none yet
  double clock_skew_seconds = 0;    // positive: the agent's clock is ahead of ours
  std::string agent_version;
  std::string boot_id;
  std::string remote;  // address of the connection, or of the last one
  Labels labels;       // from the agent's configuration
  std::size_t series = 0;
  std::uint32_t interval_ms = 0;           // the agent's beat
  std::uint32_t delivery_interval_ms = 0;  // how often it was asked to send
  std::uint64_t duplicates = 0;            // streams refused because they claimed this name while it was live
  std::string duplicate_remote;            // where one comes from that keeps trying; else empty
  std::string refusal;                     // why its agent was turned away lately; else empty
  std::uint64_t gap_batches = 0;           // batches the agent had to drop, as declared
  std::uint64_t lost_batches = 0;          // batches we had acknowledged and have no more
};

/// Time for which a host's samples are known to be missing.
struct HostGap {
  std::string host;
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  std::string reason;
  std::string collector;  // only its series; empty: all
};

struct HostGaps {
  static constexpr std::size_t kMost = 10'000;
  std::vector<HostGap> gaps;         // by host and time
  bool truncated = false;            // there are older ones
  std::int64_t looked_from_ms = 0;   // before it only declared ones are listed; 0: all the time was looked at
  bool collectors_left_out = false;  // there was too much to look at: blocked collectors are not listed

  /// Only kMost of them stay, those that ended last: no host can hide what happened to the others today.
  void keep_newest();
};

struct GapQuery {
  std::string host;  // empty: all
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  std::int64_t now_ms = 0;
  std::function<bool()> cancelled;  // may be empty
};

struct SeriesInfo {
  std::shared_ptr<const Labels> labels;  // with __name__
  SeriesType type = SeriesType::unknown;
  HostId host = 0;
};

/// Thread-safe. Lives as long as the shards and the history it was given.
class FleetView {
 public:
  /// `history` may be null: then only what is in memory is seen.
  FleetView(ShardSet& shards, History* history) : shards_(shards), history_(history) {}

  /// Every known host, ordered by name.
  Result<std::vector<HostInfo>> hosts();

  /// Every series whose labels match one of the matcher lists; an empty list of lists matches all. Ordered by
  /// labels. Series are never forgotten, so this includes those that ended. Errc::limit beyond `limit`.
  Result<std::vector<SeriesInfo>> series(const std::vector<std::vector<promql::Matcher>>& any_of,
                                         std::size_t limit = 1'000'000);

  /// Names of labels (with __name__), and values of one label, among the series that match; sorted, each
  /// once.
  Result<std::vector<std::string>> label_names(const std::vector<std::vector<promql::Matcher>>& any_of);
  Result<std::vector<std::string>> label_values(const std::string& name,
                                                const std::vector<std::vector<promql::Matcher>>& any_of);

  /// Times in [start_ms, end_ms] for which samples are missing, and why: declared gaps, and what gap_finder.h
  /// finds. Errc::not_found. At most the HostGaps::kMost that ended last.
  Result<HostGaps> gaps(const GapQuery& query);

  /// Shard::forget(); the error of a name that is not known suggests another.
  Result<std::size_t> forget(const std::string& name);

  ShardSet& shards() { return shards_; }
  History* history() { return history_; }
  GroupCache& cache() { return cache_; }

 private:
  static constexpr std::size_t kCacheBytes = std::size_t{32} << 20;
  ShardSet& shards_;
  History* const history_;
  GroupCache cache_{kCacheBytes};
};

struct FleetReads {
  std::size_t max_points = 50'000'000;
  /// For answers of shards, of all selections together: who asks many things in a row shall not wait for a
  /// stuck shard with each of them. Beyond it Errc::unavailable.
  std::chrono::milliseconds patience{5000};
  std::atomic<std::uint64_t>* missed = nullptr;  // counts storages that had to give up; may be null
  LateRows late = LateRows::shown;               // of what is in memory; rules look back no further
  /// Runs work on several threads at the same time, the caller's among them, and waits for all; may be empty.
  std::function<void(const std::function<void()>& work)> spread = nullptr;
  std::size_t parts = 1;  // how many pieces are worth being spread
  /// Asked from host to host where everything is read before anything is made of it; true ends the read with
  /// Errc::timeout. May be empty.
  std::function<bool()> expired = nullptr;
};

/// promql::Storage over all hosts, head and history. One per query; cheap to make.
class FleetStorage : public promql::Storage {
 public:
  explicit FleetStorage(FleetView& view, const FleetReads& reads = {})
      : view_(view), reads_(reads), left_(reads.patience) {}
  Result<std::vector<promql::SelectedSeries>> select(const promql::Selection& selection) override;
  Result<void> visit(const promql::Selection& selection, promql::SeriesSink& sink) override;

 private:
  Result<std::vector<promql::SelectedSeries>> read_all(const std::vector<HostSlice>& slices,
                                                       const promql::Selection& selection) const;
  Result<void> visit_joined(const std::vector<HostSlice>& slices, const promql::Selection& selection,
                            promql::SeriesSink& sink) const;
  std::size_t parts_of(const std::vector<HostSlice>& slices, const promql::Selection& selection) const;
  Result<std::vector<HostSlice>> slices(const promql::Selection& selection);

  FleetView& view_;
  const FleetReads reads_;
  std::chrono::nanoseconds left_;
};

}  // namespace vigil::aggregator
