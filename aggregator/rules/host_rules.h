// Evaluates the rules that look at one host at a time, event-driven: right after the samples of a host came
// in, on the thread of its shard, and only the rules whose interval has passed for this host.
//
// One per shard, touched by the shard's thread only. A rule that fails counts in its statistics and disturbs
// nothing else. Absolute ticks: missed intervals are skipped, never replayed.
#pragma once

#include "aggregator/blocks/block.h"
#include "aggregator/fleet/occasion.h"
#include "aggregator/promql/storage.h"
#include "aggregator/rules/watch.h"

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace vigil::rules {

class HostRules {
 public:
  /// `current` outlives this. `known` may be null: nothing was active before.
  HostRules(const CurrentRules& current, KnownAlertsPtr known, Sink sink);

  /// New samples of `host` up to `t_ms` (the time of its newest row, Unix milliseconds) are in `storage`; or
  /// it has been quiet, and rules look what that means. Only for live data: back-filled rows do not come
  /// here. Times that do not advance are ignored. Once an interval each rule looks; a look at a quiet host
  /// takes nothing from that, so that what arrives after it is looked at at once. What was before the first
  /// call for a host is not covered: we were not there.
  void on_host_tick(aggregator::HostId host, const std::string& instance, std::int64_t t_ms,
                    promql::Storage& storage, aggregator::Occasion occasion = aggregator::Occasion::arrival,
                    aggregator::Covered covered = {});

  /// The host was removed.
  void forget(aggregator::HostId host) { hosts_.erase(host); }

 private:
  struct Host {
    /// Of a schedule.
    struct Turn {
      std::int64_t due_ms = 0;
      bool was_quiet = false;  // nothing had arrived when it looked last
    };
    std::int64_t last_ms = 0;
    std::int64_t known_since_ms = 0;  // in this run
    std::uint64_t moves = 0;          // of the rules, as far as it has taken them
    std::vector<Turn> turns;
    std::unordered_map<const Rule*, Memory> remembered;  // only rules with something to remember
  };
  std::uint64_t refresh();
  /// What a tick is about.
  struct Tick {
    const std::string& instance;
    std::int64_t t_ms = 0;
    aggregator::Occasion occasion = aggregator::Occasion::arrival;
    aggregator::Covered covered;
  };
  void run(const Schedule& schedule, Host& host, const Tick& tick, promql::Storage& storage);
  Host& host(aggregator::HostId id, const std::string& instance, std::int64_t known_since_ms);
  void seed(const KnownAlertsPtr& known, Host& host, const std::string& instance) const;
  void take_moved(Host& host, const std::string& instance, std::uint64_t moves) const;

  const CurrentRules& current_;
  const KnownAlertsPtr known_;
  const Sink sink_;
  RuleSetPtr rules_;
  std::uint64_t version_ = 0;
  std::unordered_map<aggregator::HostId, Host> hosts_;
};

}  // namespace vigil::rules
