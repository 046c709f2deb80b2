// Writes of hosts without an agent, on their shard's thread: samples to cells, cells to rows, rows to journal
// and head. Series that are sampled together share a source, and with it a column of times: where a new one
// goes, the time of its first sample says.
#pragma once

#include "aggregator/head/shard.h"
#include "aggregator/ingest/counters.h"
#include "aggregator/ingest/local_rows.h"
#include "aggregator/ingest/local_writer.h"
#include "aggregator/ingest/pending_writes.h"

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace vigil::aggregator {

/// One per shard. `pending` outlives it.
class LocalIntake {
 public:
  LocalIntake(Shard& shard, PendingWrites& pending, IngestCounters* counters = nullptr)
      : shard_(shard), pending_(pending), counters_(counters) {}

  void write(const LocalWrite& write, LocalDone done, std::int64_t now_ms);

  static constexpr std::size_t kMaxColumns = 1000;        // of a source
  static constexpr std::uint16_t kMostLooseSources = 64;  // of a host, before times of their own are given up

 private:
  struct Placed {
    std::uint16_t source = 0;
    std::int64_t time_ms = 0;
    HostHead::Cell cell;
  };
  /// A write under way.
  struct Work {
    const LocalWrite& write;
    Host& host;
    std::int64_t now_ms = 0;
    LocalWritten written;
    std::vector<SeriesRecord> records;
    std::unordered_map<std::int64_t, std::uint16_t> sources_at;  // where samples of that time go
    std::unordered_map<std::uint16_t, std::size_t> grown;        // new series, by source
    std::vector<std::pair<SeriesId, std::int64_t>>
        newest_before;  // what it changed of PushedSeries::newest_ms
  };
  using Samples = std::span<const promql::Point>;
  std::optional<LocalWritten> refuse_unknown(const LocalWrite& write, std::int64_t now_ms) const;
  Result<Host*> host_of(const std::string& name, std::int64_t now_ms);
  void place_all(Work& work);
  static void take_back(Work& work);
  void place(Work& work, const LocalSeries& series, Samples samples);
  bool in_time(Work& work, const LocalSeries& series, std::int64_t time_ms) const;
  std::optional<SeriesId> series_for(Work& work, const LocalSeries& series, const promql::Point& first);
  std::optional<SeriesId> other_form(Work& work, const LocalSeries& series, SeriesId id, double value);
  static bool has_room(const Work& work, std::uint16_t source);
  static std::uint16_t source_for(const Work& work, std::int64_t time_ms);
  Result<void> store(Work& work, LocalDone& done);
  std::vector<LocalRow> rows();
  void put(Work& work, std::span<const LocalRow> rows);

  Shard& shard_;
  PendingWrites& pending_;
  IngestCounters* const counters_;  // may be null
  // Reused from write to write.
  std::vector<Placed> placed_;
  std::vector<HostHead::Cell> cells_;
};

/// How a value is stored by a series of this form: nothing when it cannot be.
std::optional<std::int64_t> raw_of(double value, const SeriesForm& form);
/// The form with the fewest digits that holds the value, at least those of `least`.
SeriesForm form_for(double value, const SeriesForm& least);

}  // namespace vigil::aggregator
