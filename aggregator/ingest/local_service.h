// LocalWriter over the shards: each write becomes a task of its host's shard, and is answered when the
// history says so.
#pragma once

#include "aggregator/head/shard_set.h"
#include "aggregator/ingest/local_intake.h"
#include "aggregator/ingest/local_writer.h"
#include "aggregator/ingest/pending_writes.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace vigil::aggregator {

class LocalService final : public LocalWriter {
 public:
  /// `shards` outlives it; `now_ms`: our clock, Unix milliseconds. What is stored is counted, if there are
  /// counters.
  LocalService(ShardSet& shards, std::function<std::int64_t()> now_ms, IngestCounters* counters = nullptr);

  void write(LocalWrite write, LocalDone done) override;
  /// For HistoryCallbacks::on_durable.
  void durable(std::span<const DurableBatch> batches) { pending_.durable(batches); }
  /// Once a second, on any thread: who has waited for too long is told so.
  void sweep() { pending_.give_up(now_ms_()); }

 private:
  ShardSet& shards_;
  const std::function<std::int64_t()> now_ms_;
  PendingWrites pending_;
  std::vector<std::unique_ptr<LocalIntake>>
      intakes_;  // one per shard, each touched by its shard's thread only
};

}  // namespace vigil::aggregator
