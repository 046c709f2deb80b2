// What the aggregator says about itself: in the Status of vigil.v1.Fleet, and on /metrics for what others
// count.
#pragma once

#include "aggregator/alerts/alerting.h"
#include "aggregator/head/shard_set.h"
#include "aggregator/ingest/service.h"
#include "aggregator/self/registry.h"
#include "aggregator/store/history.h"
#include "aggregator/watchdog.h"
#include "vigil/v1/fleet.pb.h"

#include <atomic>
#include <cstdint>
#include <string>

namespace vigil::aggregator {

/// All of it outlives the reporter.
struct StatusSources {
  const IngestCounters& counters;
  const History& history;
  ShardSet& shards;
  const alerts::Alerting& alerting;
  const IngestService& ingest;
  const Watchdog& watchdog;
  std::string data_directory;
  std::int64_t started_ms = 0;
};

class StatusReporter {
 public:
  explicit StatusReporter(StatusSources sources) : sources_(std::move(sources)) {}

  /// Registers what store, shards, alerts and receivers count. Once.
  void add_metrics(self::Registry& registry);
  /// Once a second, one thread: keeps the rate of samples.
  void beat(std::int64_t now_ms);
  /// Any thread.
  void describe(v1::Status& status) const;
  /// Received, averaged over about five seconds. Any thread.
  double samples_per_second() const { return samples_per_second_; }

 private:
  StatusSources sources_;
  std::uint64_t last_samples_ = 0;
  std::int64_t last_ms_ = 0;
  std::atomic<double> samples_per_second_ = 0;
};

}  // namespace vigil::aggregator
