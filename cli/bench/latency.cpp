#include "cli/bench/latency.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace vigil::cli {
namespace {

constexpr int kBits = 7;
constexpr std::uint64_t kPerDoubling = std::uint64_t{1} << kBits;

std::size_t bucket_of(std::uint64_t us) {
  if (us < kPerDoubling) return us;
  const auto shift = static_cast<std::uint64_t>(std::bit_width(us)) - 1 - kBits;
  return (shift + 1) * kPerDoubling + (us >> shift) - kPerDoubling;
}

/// The largest latency of a bucket.
std::uint64_t top_of(std::size_t bucket) {
  if (bucket < kPerDoubling) return bucket;
  const std::uint64_t shift = bucket / kPerDoubling - 1;
  return ((bucket % kPerDoubling + kPerDoubling + 1) << shift) - 1;
}

}  // namespace

void Latencies::add(std::chrono::microseconds latency) {
  const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0));
  const std::size_t bucket = bucket_of(us);
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  ++buckets_[bucket];
  ++count_;
  max_ = std::max(max_, latency);
}

std::chrono::microseconds Latencies::percentile(double share) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= std::max<std::uint64_t>(wanted, 1))
      return std::min(std::chrono::microseconds(top_of(bucket)), max_);
  }
  return max_;
}

}  // namespace vigil::cli
