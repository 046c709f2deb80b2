// What the aggregator says about itself: in the Status of vigil.v1.Fleet, and on /metrics for what others
// count.
#pragma once

#include "aggregator/alerts/alerting.h"
#include "aggregator/head/shard_set.h"
#include "aggregator/ingest/service.h"
#include "aggregator/notify/heartbeat.h"
#include "aggregator/self/registry.h"
#include "aggregator/store/history.h"
#include "aggregator/watchdog.h"
#include "vigil/v1/fleet.pb.h"

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::aggregator {

/// All of it outlives the reporter.
struct StatusSources {
  const IngestCounters& counters;
  const History& history;
  ShardSet& shards;
  const alerts::Alerting& alerting;
  const IngestService& ingest;
  const Watchdog& watchdog;
  const notify::Heartbeat* heartbeat = nullptr;  // null: there is none
  std::string data_directory;
  std::int64_t started_ms = 0;
};

/// What the status says while the rules in force are older than the files, of the reload's error; of several
/// lines the first.
std::string reload_problem(std::string_view error);

class StatusReporter {
 public:
  explicit StatusReporter(StatusSources sources) : sources_(std::move(sources)) {}

  /// Registers what store, shards, alerts and receivers count. Once.
  void add_metrics(self::Registry& registry);
  /// Once a second, one thread: keeps the rates of samples.
  void beat(std::int64_t now_ms);
  /// Any thread.
  void describe(v1::Status& status) const;
  /// Received, averaged over about five seconds. Any thread.
  double samples_per_second() const { return samples_.per_second; }
  /// Of these, what agents send.
  double agent_samples_per_second() const { return agent_samples_.per_second; }

 private:
  struct Rate {
    std::uint64_t last = 0;
    std::atomic<double> per_second = 0;
    void beat(std::uint64_t count, std::int64_t elapsed_ms);
  };

  StatusSources sources_;
  std::int64_t last_ms_ = 0;
  Rate samples_;
  Rate agent_samples_;
};

}  // namespace vigil::aggregator
