// The three resolutions history is kept in, and how time falls into files: raw samples by UTC day, a row a
// minute by month, a row an hour by year. Pure.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::aggregator {

enum class Tier : std::uint8_t { raw = 0, minute = 1, hour = 2 };
inline constexpr std::array kTiers{Tier::raw, Tier::minute, Tier::hour};

inline constexpr std::int64_t kMinuteMs = 60'000;
inline constexpr std::int64_t kHourMs = 3'600'000;
inline constexpr std::int64_t kDayMs = 86'400'000;

std::string_view to_string(Tier tier);

/// Milliseconds between two rows of a tier; 0: as they were sampled.
std::int64_t resolution_ms(Tier tier);

/// The longest time one block of a tier may span; finding blocks by time relies on it.
std::int64_t max_block_span_ms(Tier tier);

/// First millisecond of the period `time_ms` falls into (day, month, year of UTC), and of the one after it.
std::int64_t period_start_ms(Tier tier, std::int64_t time_ms);
std::int64_t next_period_ms(Tier tier, std::int64_t time_ms);

/// "raw-20261122-17.db", "minute-202611-18.db", "hour-2026-19.db": the number makes it unique, the period is
/// for people.
std::string partition_name(Tier tier, std::int64_t period_ms, std::int64_t number);

/// How long a tier is kept.
struct TierKeep {
  std::chrono::hours keep{0};   // older files go; 0: for ever
  std::uint64_t max_bytes = 0;  // beyond it the oldest files go, but never the newest; 0: no limit
};

}  // namespace vigil::aggregator
