// Who sends, by address, and how much each may. Thread-safe.
#pragma once

#include "aggregator/head/allowance.h"
#include "aggregator/ingest/local_writer.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace vigil::aggregator::remote_write {

struct SenderLimits {
  double samples_per_second = 500'000;
  double new_series_per_minute = 200'000;
};

class Senders {
 public:
  explicit Senders(const SenderLimits& limits) : limits_(limits) {}

  struct Admitted {
    std::shared_ptr<NewSeriesQuota> quota;
    std::optional<std::int64_t> wait_ms;  // it sent too much: the request is refused, and this is how long
  };
  /// A request of so many samples came.
  Admitted admit(const std::string& address, std::size_t samples, std::int64_t now_ms);
  /// Heard of within the last hour.
  std::size_t size() const;

  static constexpr std::size_t kMost = 10'000;  // addresses; those heard of last stay
  static constexpr std::int64_t kForgottenMs = 3'600'000;

 private:
  class Quota;
  struct Sender {
    Allowance samples;
    std::shared_ptr<Quota> quota;
    std::int64_t heard_ms = 0;
  };
  void forget_old(std::int64_t now_ms);

  const SenderLimits limits_;
  mutable std::mutex mutex_;  // protects what follows
  std::unordered_map<std::string, Sender> senders_;
};

}  // namespace vigil::aggregator::remote_write
