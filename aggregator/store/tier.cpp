#include "aggregator/store/tier.h"

#include <fmt/format.h>

namespace vigil::aggregator {
namespace {

using std::chrono::days;
using std::chrono::months;
using std::chrono::sys_days;
using std::chrono::year_month_day;
using std::chrono::years;

year_month_day date_of(std::int64_t time_ms) {
  const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(time_ms)};
  return year_month_day(std::chrono::floor<days>(time));
}

std::int64_t to_ms(const year_month_day& date) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(sys_days(date).time_since_epoch()).count();
}

year_month_day period_of(Tier tier, std::int64_t time_ms) {
  const year_month_day date = date_of(time_ms);
  if (tier == Tier::raw) return date;
  if (tier == Tier::minute) return date.year() / date.month() / 1;
  return date.year() / 1 / 1;
}

}  // namespace

std::string_view to_string(Tier tier) {
  constexpr std::array<std::string_view, 3> kNames{"raw", "minute", "hour"};
  return kNames.at(static_cast<std::size_t>(tier));
}

std::int64_t resolution_ms(Tier tier) {
  constexpr std::array<std::int64_t, 3> kResolutions{0, kMinuteMs, kHourMs};
  return kResolutions.at(static_cast<std::size_t>(tier));
}

std::int64_t max_block_span_ms(Tier tier) {
  constexpr std::array<std::int64_t, 3> kSpans{2 * kHourMs, kHourMs, kDayMs};
  return kSpans.at(static_cast<std::size_t>(tier));
}

std::int64_t period_start_ms(Tier tier, std::int64_t time_ms) {
  return to_ms(period_of(tier, time_ms));
}

std::int64_t next_period_ms(Tier tier, std::int64_t time_ms) {
  const year_month_day period = period_of(tier, time_ms);
  if (tier == Tier::raw) return to_ms(period) + kDayMs;
  return to_ms(tier == Tier::minute ? period + months(1) : period + years(1));
}

std::string partition_name(Tier tier, std::int64_t period_ms, std::int64_t number) {
  const year_month_day date = date_of(period_ms);
  std::string period = fmt::format("{:04}", static_cast<int>(date.year()));
  if (tier != Tier::hour) period += fmt::format("{:02}", static_cast<unsigned>(date.month()));
  if (tier == Tier::raw) period += fmt::format("{:02}", static_cast<unsigned>(date.day()));
  return fmt::format("{}-{}-{}.db", to_string(tier), period, number);
}

}  // namespace vigil::aggregator
