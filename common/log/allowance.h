#pragma once

#include <cstdint>
#include <mutex>
#include <optional>

namespace vigil::log {

/// So many lines a minute of a kind that strangers can cause, that nobody may drown the log. Any thread.
class Allowance {
 public:
  explicit Allowance(std::uint32_t lines_a_minute) : lines_a_minute_(lines_a_minute) {}

  /// Whether a line may be written now, and how many were left out since the last that was.
  std::optional<std::uint64_t> take(std::int64_t now_ms);

 private:
  const std::uint32_t lines_a_minute_;
  std::mutex mutex_;  // protects what follows
  std::int64_t minute_ = INT64_MIN;
  std::uint32_t taken_ = 0;  // in that minute
  std::uint64_t left_out_ = 0;
};

}  // namespace vigil::log
