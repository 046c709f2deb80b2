// The way by which samples that come from no agent become hosts and series: remote_write and recording rules.
// They are durable by the journal, in the head, the history, its tiers and all queries and rules, under the
// limits every host has. See head/host_kind.h for what is different with such hosts.
//
// A series is ended by a sample that is stale_marker(), or by the lookback of whoever asks.
#pragma once

#include "aggregator/promql/storage.h"
#include "common/error.h"
#include "common/series.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vigil::aggregator {

/// How many series nobody knew a sender may bring. Shared by all its writes; asked by shards. Thread-safe.
class NewSeriesQuota {
 public:
  virtual ~NewSeriesQuota() = default;
  /// Room for one more; false: the series is refused.
  virtual bool take(std::int64_t now_ms) = 0;
  /// What take() would say, without taking.
  virtual bool has_room(std::int64_t now_ms) = 0;
};

struct LocalSeries {
  Labels labels;  // with __name__; stored and found exactly as they are
  SeriesType type = SeriesType::unknown;
  std::uint32_t samples = 0;  // how many of LocalWrite::samples are its own, after those of the series before
};

/// Samples of one host: one task of its shard, one entry of the journal.
struct LocalWrite {
  std::string host;  // kRulesPrefix or kRemoteWritePrefix and a name: series that are sampled together
  std::vector<LocalSeries> series;
  std::vector<promql::Point> samples;  // ascending within a series; also NaN, infinities and stale_marker()
  std::int64_t out_of_order_ms = 0;    // a sample may be so much older than the newest one of its series
  std::shared_ptr<NewSeriesQuota> quota;  // may be null
};

/// What became of a write. All counts are samples.
struct LocalWritten {
  /// Nothing of it may be taken for stored; the same again later does no harm. Errc::unavailable: busy, the
  /// disk is full, or nothing became durable in time. Errc::limit: no more hosts are taken.
  std::optional<Error> failed;
  std::uint64_t stored = 0;
  std::uint64_t repeated = 0;     // were there already: stored once
  std::uint64_t conflicting = 0;  // another value is stored for that time; the first one stays
  std::uint64_t too_old = 0;      // older than what is kept, or out of order by more than out_of_order_ms
  std::uint64_t too_new = 0;      // too far ahead of our clock
  std::uint64_t over_limit = 0;   // of series nobody knew, and no more are taken (just now)
  std::string problem;            // the first of these in words, with the series; empty: none

  std::uint64_t refused() const { return conflicting + too_old + too_new + over_limit; }
};

/// Called once for each write: when what it stored is on disk, or when it failed. On a thread of the
/// writer's, or within write(); must not block.
using LocalDone = std::function<void(const LocalWritten& written)>;

/// Any thread. Outlives whoever writes.
class LocalWriter {
 public:
  virtual ~LocalWriter() = default;
  virtual void write(LocalWrite write, LocalDone done) = 0;
};

}  // namespace vigil::aggregator
