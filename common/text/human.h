// Durations, times, sizes and numbers as people write and read them: in configuration, on the command line,
// in messages.
#pragma once

#include "common/error.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigil {

/// "90s", "1h30m", "500ms", "2d", "1w", "1y" as in Prometheus; units in descending order, each once. "0" is
/// allowed without a unit.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
/// The shortest such text: 90 s is "1m30s".
std::string format_duration(std::chrono::milliseconds duration);
/// For reading at a glance, two units at most: "3d 4h", "12m 5s", "340ms".
std::string format_age(std::chrono::milliseconds duration);

/// A point in time, Unix milliseconds, relative to `now_ms` where the text is: "now", "2h" and "-2h" (both:
/// two hours ago), "2 hours ago", "3 days", "in 2h", "14:00" and "today 14:00", "yesterday", "yesterday
/// 14:00", "tomorrow 14:00", "2026-11-21", "2026-11-21 14:00[:05]", RFC 3339, Unix seconds, Unix milliseconds
/// from 10^11 on. Clock times are in the local zone (TZ), as localtime(3) has it.
Result<std::int64_t> parse_time(std::string_view text, std::int64_t now_ms);
/// "2026-11-21T14:00:05.250Z"; the fraction only when there is one.
std::string format_rfc3339(std::int64_t t_ms);
/// "2026-11-21 14:00:05" in the local zone.
std::string format_local_time(std::int64_t t_ms);

/// "64MB" (10^6), "64MiB" (2^20), "4K" and "4k" (2^10, as tools do), plain bytes.
Result<std::uint64_t> parse_bytes(std::string_view text);
/// "1.5 GiB"; exact below 1 KiB.
std::string format_bytes(double bytes);
/// Four significant digits with SI suffixes: "1.234k", "12.35M"; small numbers as they are.
std::string format_si(double value);

/// "1 host", "12 hosts"; `many` where it is not the one with an s.
std::string counted(std::uint64_t count, std::string_view one, std::string_view many = "");

/// Of `candidates` the one most like `word` (Damerau-Levenshtein distance of at most a third of its length),
/// or "".
template <class Range>
std::string_view suggest(std::string_view word, const Range& candidates);
std::size_t edit_distance(std::string_view a, std::string_view b);

template <class Range>
std::string_view suggest(std::string_view word, const Range& candidates) {
  std::string_view best;
  std::size_t best_distance = word.size() / 3 + 1;
  for (const auto& candidate : candidates) {
    const std::string_view text = candidate;
    const std::size_t distance = edit_distance(word, text);
    if (distance <= best_distance && distance < text.size()) {
      if (best.empty() || distance < best_distance) best = text;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace vigil
