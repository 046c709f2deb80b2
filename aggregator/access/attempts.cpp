#include "aggregator/access/attempts.h"

namespace vigil::aggregator::access {
namespace {

constexpr const char* kEverybody = "";
constexpr double kBurstOfAllSeconds = 10;

std::int64_t whole_seconds(std::int64_t ms) {
  return (ms + 999) / 1000;
}

}  // namespace

Attempts::Attempts(const Options& options)
    : what_(options.what),
      wrong_({options.wrong_per_minute / 60, options.wrong_per_minute, options.sources}),
      over_({options.over_per_minute / 60, options.over_per_minute, options.sources}),
      all_({options.per_second, options.per_second * kBurstOfAllSeconds, 1}),
      lines_(options.lines_per_minute) {}

/// The source first: who is wrong again and again takes nothing of what is for all.
Result<void> Attempts::begin(const std::string& source, std::int64_t now_ms) {
  if (const std::int64_t wait_ms = wrong_.wait_ms(source, now_ms); wait_ms > 0)
    return fail(Errc::limit, "too many wrong {} from {}: none is looked at now, try again in {} s", what_,
                source, whole_seconds(wait_ms));
  if (const std::int64_t wait_ms = over_.wait_ms(source, now_ms); wait_ms > 0)
    return fail(Errc::limit,
                "too many {} from {} that count no more: none is looked at now, try again in {} s", what_,
                source, whole_seconds(wait_ms));
  if (all_.take(kEverybody, now_ms)) return {};
  return fail(Errc::limit, "too many {} at once, from everywhere together: try again in {} s", what_,
              whole_seconds(all_.wait_ms(kEverybody, now_ms)));
}

}  // namespace vigil::aggregator::access
