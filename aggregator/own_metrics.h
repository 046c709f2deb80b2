// The aggregator's own metrics as series of its own history, so that dashboards, rules and whoever asks
// find them where they find everything else. The same numbers as at /metrics, with `instance`, the
// aggregator's name, and `job="vigil"`.
#pragma once

#include "aggregator/ingest/local_writer.h"
#include "aggregator/self/registry.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <set>
#include <string>

namespace vigil::aggregator {

/// One thread calls beat(). While one write is under way the next are left out: a full disk makes no queue.
class OwnMetrics {
 public:
  static constexpr std::chrono::milliseconds kEvery{10'000};

  /// Registry and writer outlive this, and this outlives the writer's answers.
  OwnMetrics(const self::Registry& registry, LocalWriter& writer, std::string instance);

  /// Once a second: writes when a multiple of kEvery has passed.
  void beat(std::int64_t now_ms);

 private:
  LocalWrite write_of(std::int64_t t_ms);

  const self::Registry& registry_;
  LocalWriter& writer_;
  const std::string instance_;
  std::int64_t written_ms_ = 0;
  std::set<Labels> known_;  // written last: those that are gone are ended
  std::atomic<bool> under_way_ = false;
  bool complained_ = false;  // of the answer's thread while a write is under way
};

}  // namespace vigil::aggregator
