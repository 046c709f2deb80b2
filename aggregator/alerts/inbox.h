// Evaluations on their way from the shards to the alert service. Any thread puts, one takes.
#pragma once

#include "aggregator/rules/evaluation.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace vigil::alerts {

class Inbox {
 public:
  static constexpr std::size_t kCrowd = 10'000;

  /// That an alert is over is said once, so no evaluation may be dropped. But each says all there is to say
  /// of its rule and scope: in a crowd (`crowd` that wait) the newest replaces the one that waits, and their
  /// number is bounded by that of rules and hosts.
  explicit Inbox(std::size_t crowd = kCrowd) : crowd_(crowd) {}

  /// Whether it is the first that waits: somebody must be told to take().
  bool put(rules::Evaluation evaluation);
  /// All that wait, in order.
  std::vector<rules::Evaluation> take();
  /// Evaluations replaced by newer ones while they waited.
  std::uint64_t superseded() const;

 private:
  const std::size_t crowd_;
  mutable std::mutex mutex_;  // protects what follows
  std::vector<rules::Evaluation> waiting_;
  std::map<std::pair<const rules::Rule*, std::string>, std::size_t> places_;  // in waiting_
  std::uint64_t superseded_ = 0;
};

}  // namespace vigil::alerts
