#include "cli/commands/forecast.h"

#include <algorithm>
#include <cmath>

namespace vigil::cli {
namespace {

constexpr double kDayMs = 86'400'000;
constexpr double kDaySeconds = 86'400;
constexpr std::array<double, 3> kRowsPerDay{0, 1440, 24};
// Files go as a whole: a day, a month, a year more than what is kept.
constexpr std::array<double, 3> kPeriodDays{1, 31, 366};
constexpr double kFarDays = 100 * 365;

double unit_bytes(const v1::StoreTier& tier, std::size_t index, const Load& now) {
  const auto bytes = static_cast<double>(tier.disk_bytes());
  if (index == 0) return bytes / static_cast<double>(tier.samples());
  const double days = static_cast<double>(tier.newest_ms() - tier.oldest_ms()) / kDayMs;
  return bytes / (days * kRowsPerDay.at(index) * now.all_series());
}

/// A tier by minute or hour is made a day at a time, and its rows are counted by the series that send now.
bool is_measured(const v1::StoreTier& tier, std::size_t index, const Load& now) {
  if (index == 0) return tier.samples() >= kEnoughSamples;
  return static_cast<double>(tier.newest_ms() - tier.oldest_ms()) >= 0.9 * kDayMs && now.all_series() > 0 &&
         tier.samples() > 0;
}

TierForecast forecast_tier(const v1::StoreTier& tier, std::size_t index, const Load& now, const Load& load) {
  constexpr std::array<double, 3> kAssumed{kAssumedRawBytes, kAssumedMinuteBytes, kAssumedHourBytes};
  TierForecast out;
  out.name = tier.name();
  out.measured = is_measured(tier, index, now);
  out.unit_bytes = out.measured ? unit_bytes(tier, index, now) : kAssumed.at(index);
  const double units_per_day =
      index == 0 ? load.all_samples_per_second() * kDaySeconds : load.all_series() * kRowsPerDay.at(index);
  out.bytes_per_day = units_per_day * out.unit_bytes;
  out.now_bytes = static_cast<double>(tier.disk_bytes());
  return out;
}

void limit(TierForecast& tier, std::size_t index, const Retention& retention) {
  tier.keep_ms = retention.keep_ms.at(index);
  const double period_bytes = tier.bytes_per_day * kPeriodDays.at(index);
  if (tier.keep_ms > 0)
    tier.full_bytes = tier.bytes_per_day * static_cast<double>(tier.keep_ms) / kDayMs + period_bytes;
  const auto most = static_cast<double>(retention.max_bytes.at(index));
  // The newest file stays, whatever its size.
  if (most > 0)
    tier.full_bytes = std::min(tier.full_bytes.value_or(most + period_bytes), std::max(most, period_bytes));
}

/// What the tiers take after so many days more.
double bytes_after(const Forecast& forecast, double days) {
  double sum = 0;
  for (const TierForecast& tier : forecast.tiers) {
    const double grown = tier.now_bytes + tier.bytes_per_day * days;
    sum += tier.full_bytes ? std::min(grown, std::max(*tier.full_bytes, tier.now_bytes)) : grown;
  }
  return sum;
}

std::optional<double> days_left(const Forecast& forecast) {
  if (bytes_after(forecast, kFarDays) <= forecast.room_bytes) return std::nullopt;
  double least = 0;
  double most = kFarDays;
  while (most - least > 0.01) {
    const double middle = (least + most) / 2;
    (bytes_after(forecast, middle) > forecast.room_bytes ? most : least) = middle;
  }
  return most;
}

}  // namespace

Load load_of(const v1::StoreStatus& status) {
  Load load;
  load.hosts = static_cast<double>(status.hosts());
  load.series_per_host = status.hosts() == 0 ? 0 : static_cast<double>(status.series()) / load.hosts;
  load.samples_per_second = status.agent_samples_per_second();
  load.other_series = static_cast<double>(status.other_series());
  load.other_samples_per_second =
      std::max(status.samples_per_second() - status.agent_samples_per_second(), 0.0);
  return load;
}

Retention retention_of(const v1::StoreStatus& status) {
  Retention retention;
  for (std::size_t i = 0; i < retention.keep_ms.size() && static_cast<int>(i) < status.tiers_size(); ++i) {
    retention.keep_ms.at(i) = status.tiers(static_cast<int>(i)).keep_ms();
    retention.max_bytes.at(i) = status.tiers(static_cast<int>(i)).max_bytes();
  }
  return retention;
}

Forecast forecast(const v1::StoreStatus& status, const Load& load, const Retention& retention) {
  Forecast out;
  out.room_bytes = static_cast<double>(status.free_bytes());
  out.full_bytes = 0;
  const Load now = load_of(status);
  for (std::size_t i = 0; i < out.tiers.size() && static_cast<int>(i) < status.tiers_size(); ++i) {
    TierForecast& tier = out.tiers.at(i);
    tier = forecast_tier(status.tiers(static_cast<int>(i)), i, now, load);
    limit(tier, i, retention);
    out.bytes_per_day += tier.bytes_per_day;
    out.room_bytes += tier.now_bytes;
    if (out.full_bytes && tier.full_bytes)
      out.full_bytes = *out.full_bytes + *tier.full_bytes;
    else
      out.full_bytes.reset();
  }
  out.days_left = days_left(out);
  return out;
}

}  // namespace vigil::cli
