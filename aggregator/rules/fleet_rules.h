// Evaluates the rules that look at more than one host, or at what only the aggregator knows (`up`), and those
// that record, at their interval over the storage of the whole fleet. Owned by the alerting worker and
// touched by its thread only, but for missed().
#pragma once

#include "aggregator/promql/storage.h"
#include "aggregator/rules/recorded_storage.h"
#include "aggregator/rules/recording.h"
#include "aggregator/rules/watch.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

namespace vigil::rules {

class FleetRules {
 public:
  /// A storage is made for the rules of an interval each time they are due: it sees the fleet as it is then.
  using OpenStorage = std::function<std::unique_ptr<promql::Storage>()>;

  /// `alerts` and `records` take what comes out of it.
  struct Sinks {
    Sink alerts;
    RecordSink records;  // may be empty: then rules see what was recorded, and nobody else
  };

  FleetRules(const CurrentRules& current, KnownAlertsPtr known, OpenStorage open_storage, Sinks sinks);

  /// Evaluates what is due at `now_ms`, Unix milliseconds. Call about once a second.
  void tick(std::int64_t now_ms);

  /// Evaluations that did not happen at their time because an earlier one took too long. Any thread.
  std::uint64_t missed() const { return missed_.load(std::memory_order_relaxed); }

 private:
  void refresh(std::int64_t now_ms);
  void adopt(std::int64_t now_ms);
  void seed(const KnownAlertsPtr& known);
  void keep_records(const RuleSet& old, std::int64_t now_ms);
  void run(const Schedule& schedule, RecordedStorage& storage, std::int64_t t_ms);
  std::vector<RecordedSample> record(const Rule& rule, RecordedStorage& storage, std::int64_t t_ms);

  const CurrentRules& current_;
  const KnownAlertsPtr known_;
  const OpenStorage open_storage_;
  const Sinks sinks_;
  RuleSetPtr rules_;
  std::uint64_t version_ = 0;
  std::uint64_t moves_ = 0;
  std::int64_t began_ms_ = 0;         // what was before is not covered: we were not there
  std::vector<std::int64_t> due_ms_;  // per schedule
  std::unordered_map<const Rule*, Memory> remembered_;
  std::unordered_map<const Rule*, Record> records_;
  std::atomic<std::uint64_t> missed_ = 0;
};

}  // namespace vigil::rules
