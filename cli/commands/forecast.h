// What the history will take on disk: from what the aggregator measured where it has enough, from rough
// figures otherwise. Pure.
#pragma once

#include "vigil/v1/store.pb.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace vigil::cli {

/// Bytes on disk of a sample, and of what a series leaves in a row by minute and by hour, files and all,
/// where nothing was measured yet. Rough figures: docs/operations.md tells them to people.
inline constexpr double kAssumedRawBytes = 0.8;
inline constexpr double kAssumedMinuteBytes = 8.0;
inline constexpr double kAssumedHourBytes = 10.0;

/// With fewer samples a figure per sample says nothing: a young store is mostly empty pages.
inline constexpr std::uint64_t kEnoughSamples = 1'000'000;

/// What sends, and how often.
struct Load {
  double hosts = 0;  // with agents
  double series_per_host = 0;
  double samples_per_second = 0;  // of agents
  double other_series = 0;        // of senders by remote_write, and of rules
  double other_samples_per_second = 0;
  double series() const { return hosts * series_per_host; }
  double all_series() const { return series() + other_series; }
  double all_samples_per_second() const { return samples_per_second + other_samples_per_second; }
};
Load load_of(const v1::StoreStatus& status);

struct TierForecast {
  std::string name;
  bool measured = false;
  double unit_bytes = 0;  // of a sample (raw), of a row of a series (others)
  double bytes_per_day = 0;
  double now_bytes = 0;
  std::int64_t keep_ms = 0;          // 0: for ever
  std::optional<double> full_bytes;  // once retention removes as much as comes; none: it grows for ever
};

struct Forecast {
  std::array<TierForecast, 3> tiers;  // raw, minute, hour
  double bytes_per_day = 0;           // while all of them still grow
  std::optional<double> full_bytes;
  double room_bytes = 0;            // free, and taken by the tiers now
  std::optional<double> days_left;  // until the disk is full; none: never
};

/// Limits of retention: as the aggregator's, but where they are changed.
struct Retention {
  std::array<std::int64_t, 3> keep_ms{};
  std::array<std::uint64_t, 3> max_bytes{};
};
Retention retention_of(const v1::StoreStatus& status);

Forecast forecast(const v1::StoreStatus& status, const Load& load, const Retention& retention);

}  // namespace vigil::cli
