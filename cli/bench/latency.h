// How long things took, in bounded memory whatever their number: percentiles within one percent.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace vigil::cli {

class Latencies {
 public:
  void add(std::chrono::microseconds latency);
  std::uint64_t count() const { return count_; }
  /// The latency that `share` (0 to 1) of all do not exceed; 0 when there are none.
  std::chrono::microseconds percentile(double share) const;
  std::chrono::microseconds max() const { return max_; }

 private:
  std::vector<std::uint64_t> buckets_;  // 128 to each doubling, below 128 us one each
  std::uint64_t count_ = 0;
  std::chrono::microseconds max_{0};
};

}  // namespace vigil::cli
