#include "aggregator/rules/template_functions.h"

#include <cmath>
#include <cstdio>
#include <ctime>

namespace vigil::rules {
namespace {

std::string four_digits(double value, std::string_view suffix = {}) {
  if (!std::isfinite(value))
    return (std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf") + std::string(suffix);
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.4g", value);
  return std::string(buffer) + std::string(suffix);
}

/// Scales a value below 1 up by thousands: 0.0015 is 1.5 "m".
double scale_up(double value, std::string_view& prefix) {
  for (const std::string_view next : {"m", "u", "n", "p", "f", "a", "z", "y"}) {
    if (std::abs(value) >= 1) break;
    prefix = next;
    value *= 1000;
  }
  return value;
}

}  // namespace

std::string humanize(double value) {
  if (value == 0 || !std::isfinite(value)) return four_digits(value);
  std::string_view prefix;
  if (std::abs(value) < 1) {
    value = scale_up(value, prefix);
    return four_digits(value, prefix);
  }
  for (const std::string_view next : {"k", "M", "G", "T", "P", "E", "Z", "Y"}) {
    if (std::abs(value) < 1000) break;
    prefix = next;
    value /= 1000;
  }
  return four_digits(value, prefix);
}

std::string humanize_1024(double value) {
  if (!std::isfinite(value) || std::abs(value) <= 1) return four_digits(value);
  std::string_view prefix;
  for (const std::string_view next : {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"}) {
    if (std::abs(value) < 1024) break;
    prefix = next;
    value /= 1024;
  }
  return four_digits(value, prefix);
}

std::string humanize_duration(double seconds) {
  if (!std::isfinite(seconds)) return four_digits(seconds);
  if (seconds == 0) return "0s";
  if (std::abs(seconds) < 1) {
    std::string_view prefix;
    const double scaled = scale_up(seconds, prefix);
    return four_digits(scaled, std::string(prefix) + 's');
  }
  const std::string sign = seconds < 0 ? "-" : "";
  const double positive = std::abs(seconds);
  if (positive > 9e15) return four_digits(seconds, "s");
  const auto whole = static_cast<std::int64_t>(positive);
  const std::int64_t s = whole % 60;
  const std::int64_t m = whole / 60 % 60;
  const std::int64_t h = whole / 3600 % 24;
  const std::int64_t d = whole / 86400;
  if (d != 0) return fmt::format("{}{}d {}h {}m {}s", sign, d, h, m, s);
  if (h != 0) return fmt::format("{}{}h {}m {}s", sign, h, m, s);
  if (m != 0) return fmt::format("{}{}m {}s", sign, m, s);
  return sign + four_digits(positive, "s");
}

std::string humanize_percentage(double ratio) {
  return four_digits(ratio * 100, "%");
}

std::string humanize_timestamp(double unix_seconds) {
  if (!std::isfinite(unix_seconds) || std::abs(unix_seconds) > 2.5e11) return four_digits(unix_seconds);
  const auto ms = static_cast<std::int64_t>(std::floor(unix_seconds * 1000));
  const std::int64_t fraction = ((ms % 1000) + 1000) % 1000;
  const std::time_t whole = (ms - fraction) / 1000;
  std::tm date{};
  ::gmtime_r(&whole, &date);
  std::string out = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", date.tm_year + 1900, date.tm_mon + 1,
                                date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec);
  if (fraction != 0) {
    out += fmt::format(".{:03}", fraction);
    while (out.back() == '0') out.pop_back();
  }
  return out + " +0000 UTC";
}

}  // namespace vigil::rules
