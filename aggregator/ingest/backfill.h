// How much back-fill may come: what the fleet may send together, in equal shares, and the account of one
// stream. Live samples never wait for it: the fleet's share is small while ingest is loaded, and nothing
// while the disk does not keep up.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace vigil::aggregator {

/// What all streams of back-fill share. Thread-safe: each shard asks for its own streams.
class Backfill {
 public:
  /// Another stream; false when there are enough already.
  bool enter() {
    if (streams_.fetch_add(1) < kMostStreams) return true;
    --streams_;
    return false;
  }
  void leave() { --streams_; }
  std::uint32_t streams() const { return streams_; }

  /// Of all streams together; 0: they wait.
  void set_bytes_per_second(std::uint64_t rate) { bytes_per_second_ = rate; }
  std::uint64_t bytes_per_second() const { return bytes_per_second_; }
  /// Of one stream.
  double share() const {
    return static_cast<double>(bytes_per_second_) / std::max<std::uint32_t>(streams_, 1);
  }

  static constexpr std::uint32_t kMostStreams = 128;   // the others are told to come back
  static constexpr std::uint64_t kFullRate = 4 << 20;  // about a third of a CPU

 private:
  std::atomic<std::uint64_t> bytes_per_second_ = kFullRate;
  std::atomic<std::uint32_t> streams_ = 0;
};

/// What one stream may still send. Pure; bytes are those of whole messages after Hello.
class CreditLine {
 public:
  explicit CreditLine(std::int64_t now_ms) : earned_at_ms_(now_ms) {}

  /// A message came; false when it should not have.
  bool take(std::size_t bytes) {
    const bool allowed = taken_ < granted_;
    taken_ += bytes;
    return allowed;
  }
  /// This much of what was taken is durable, or needs not to be.
  void settle(std::size_t bytes) { settled_ += bytes; }

  /// What stands in Welcome and Ack when there is more to grant: `share` bytes a second since the last time,
  /// as long as what is granted or not yet settled stays within kWindow.
  std::optional<std::uint64_t> grant(double share, std::int64_t now_ms) {
    const auto elapsed_ms = static_cast<double>(std::max<std::int64_t>(now_ms - earned_at_ms_, 0));
    earned_at_ms_ = now_ms;
    if (share <= 0) return std::nullopt;
    earned_ = std::min(earned_ + elapsed_ms * share / 1000, static_cast<double>(kWindow));
    // A message may go past the credit: that is paid back before more is granted.
    const std::uint64_t used = std::max(granted_, taken_) - settled_;
    const std::uint64_t room = kWindow - std::min<std::uint64_t>(used, kWindow);
    const auto more = std::min<std::uint64_t>(static_cast<std::uint64_t>(earned_), room);
    if (more < kLeast) return std::nullopt;
    earned_ -= static_cast<double>(more);
    granted_ = std::max(granted_, taken_) + more;
    return granted_;
  }
  std::uint64_t granted() const { return granted_; }

  static constexpr std::uint64_t kWindow = std::uint64_t{256} << 10;
  static constexpr std::uint64_t kLeast = 4 << 10;  // an Ack for less is not worth it

 private:
  std::uint64_t granted_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t settled_ = 0;
  double earned_ = static_cast<double>(kLeast);  // the first bytes come with Welcome
  std::int64_t earned_at_ms_ = 0;
};

/// The rate of all back-fill while ingest is loaded this much (0: idle, 1: it cannot do more).
inline std::uint64_t backfill_rate(double load) {
  constexpr double kFrom = 0.5;
  constexpr double kTo = 0.9;
  constexpr std::uint64_t kLeastRate = std::uint64_t{256} << 10;
  const double part = std::clamp((kTo - load) / (kTo - kFrom), 0.0, 1.0);
  return std::max(kLeastRate, static_cast<std::uint64_t>(part * static_cast<double>(Backfill::kFullRate)));
}

}  // namespace vigil::aggregator
