// Which number and which shard a host has, and how many there may be: asked when a stream opens, for each
// batch that became durable, and at a replay. Shards share no other state that says who owns what.
#pragma once

#include "aggregator/blocks/block.h"
#include "aggregator/head/allowance.h"
#include "aggregator/store/records.h"
#include "common/error.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator {

class History;

/// A name is cheap to make up, and each one costs memory, series and alerts.
struct EnrolLimits {
  std::size_t max_hosts = 25'000;        // known at the same time
  std::uint32_t max_new_a_minute = 600;  // in the long run; twice as many at once, for a fleet that starts
  std::size_t max_total_series = 10'000'000;  // known of all hosts together
  std::size_t max_pushed_hosts = 5000;        // without an agent; they count among the others, too
};

/// Thread-safe.
class HostDirectory {
 public:
  /// `history` may be null.
  HostDirectory(History* history, std::size_t shards, const EnrolLimits& limits = {});

  std::size_t shard_of(std::string_view name) const;
  /// The shard of a host by number; 0 for a number never given.
  std::size_t shard_of(HostId id) const;
  /// Gives a new host the next number and stores it. Numbers are dense, so giving and storing is one step.
  /// Errc::limit beyond EnrolLimits; the message names the key of the configuration.
  Result<HostId> enroll(HostRecord record, std::int64_t now_ms);
  /// A host known from before; in order of id. A removed one keeps its number and counts no more.
  void restore(const HostRecord& record);
  /// A host was removed: there is room for another, and for its series.
  void forget(const HostRecord& record, std::size_t series);
  /// Room for a series nobody knew. Errc::limit names the key of the configuration.
  Result<void> take_series();
  /// Series known from before: they count whatever the limit says now.
  void restore_series(std::size_t count) { series_ += count; }
  /// They left: there is room for others.
  void give_back_series(std::size_t count) { series_ -= count; }
  std::size_t series() const { return series_; }

  /// Those that are known now, kOwnHost not among them.
  std::size_t hosts() const;

 private:
  Result<void> admit_locked(double allowed) const;
  Result<void> admit_pushed_locked(std::int64_t now_ms);
  Result<HostId> put_locked(HostRecord record);

  History* const history_;
  const std::size_t shards_;
  const EnrolLimits limits_;
  std::atomic<std::size_t> series_ = 0;  // a few too many in a race do no harm
  mutable std::mutex mutex_;             // protects what follows
  std::vector<std::uint16_t> shard_of_id_;
  std::size_t hosts_ = 0;
  std::size_t pushed_hosts_ = 0;  // of these
  Allowance new_hosts_;
  Allowance new_pushed_hosts_;  // of their own: they must not keep agents out
  std::uint64_t refused_ = 0;   // since the last one that was taken
};

}  // namespace vigil::aggregator
