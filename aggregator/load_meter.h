// What ingest costs: CPU time by thread, commits and queues, averaged over about five seconds.
#pragma once

#include "aggregator/head/shard_set.h"
#include "aggregator/ingest/service.h"
#include "aggregator/store/history.h"

#include <cstdint>

namespace vigil::aggregator {

/// Used by one thread. Shards and history outlive it.
class LoadMeter {
 public:
  LoadMeter(ShardSet& shards, const History& history) : shards_(shards), history_(history) {}

  /// Once a second; streams are left to the caller.
  LoadFigures measure(std::int64_t now_ms);
  Durability durability() const;

 private:
  ShardSet& shards_;
  const History& history_;
  double cpu_seconds_ = 0;
  double cpu_ratio_ = 0;
  std::int64_t last_ms_ = 0;
};

}  // namespace vigil::aggregator
