#include "aggregator/channels/time_format.h"

#include "common/text/ascii.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>

namespace vigil::channels {
namespace {

constexpr std::string_view kMonths[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};
constexpr std::string_view kDays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};

/// What the clock and the calendar on the wall say.
struct Wall {
  int year = 0, month = 0, day = 0, weekday = 0, day_of_year = 0;
  int hour = 0, minute = 0, second = 0, millisecond = 0;
  int offset_s = 0;
  bool is_utc = false;

  std::string_view month_name() const { return kMonths[month - 1]; }
  std::string_view day_name() const { return kDays[weekday]; }
  int hour12() const { return hour % 12 == 0 ? 12 : hour % 12; }
};

Wall wall_of(std::int64_t t_ms, const calendar::Zone& zone) {
  using namespace std::chrono;
  const sys_time<milliseconds> t{milliseconds(t_ms)};
  const auto whole = floor<seconds>(t);
  const auto offset = zone.offset_at(whole);
  const auto local = whole + offset;
  const auto date = floor<days>(local);
  const year_month_day ymd{date};
  const hh_mm_ss clock{local - date};
  Wall wall;
  wall.year = static_cast<int>(ymd.year());
  wall.month = static_cast<int>(static_cast<unsigned>(ymd.month()));
  wall.day = static_cast<int>(static_cast<unsigned>(ymd.day()));
  wall.weekday = static_cast<int>(weekday{date}.c_encoding());
  wall.day_of_year = static_cast<int>((date - sys_days{ymd.year() / January / 1}).count()) + 1;
  wall.hour = static_cast<int>(clock.hours().count());
  wall.minute = static_cast<int>(clock.minutes().count());
  wall.second = static_cast<int>(clock.seconds().count());
  wall.millisecond = static_cast<int>((t - whole).count());
  wall.offset_s = static_cast<int>(offset.count());
  wall.is_utc = zone.name() == "UTC";
  return wall;
}

std::string offset(const Wall& wall, std::string_view colon) {
  const int size = std::abs(wall.offset_s);
  return fmt::format("{}{:02}{}{:02}", wall.offset_s < 0 ? '-' : '+', size / 3600, colon, size / 60 % 60);
}
std::string offset_hours(const Wall& wall) {
  return fmt::format("{}{:02}", wall.offset_s < 0 ? '-' : '+', std::abs(wall.offset_s) / 3600);
}
std::string zone_name(const Wall& wall) {
  if (wall.is_utc) return "UTC";
  return wall.offset_s % 3600 == 0 ? offset_hours(wall) : offset(wall, "");
}

struct Token {
  std::string_view text;
  std::string (*write)(const Wall& wall);
};

/// Of two that fit the first one counts.
constexpr Token kTokens[] = {
    {"January", [](const Wall& w) { return std::string(w.month_name()); }},
    {"Jan", [](const Wall& w) { return std::string(w.month_name().substr(0, 3)); }},
    {"Monday", [](const Wall& w) { return std::string(w.day_name()); }},
    {"Mon", [](const Wall& w) { return std::string(w.day_name().substr(0, 3)); }},
    {"MST", zone_name},
    {"2006", [](const Wall& w) { return fmt::format("{:04}", w.year); }},
    {"_2006", [](const Wall& w) { return fmt::format("_{:04}", w.year); }},
    {"__2", [](const Wall& w) { return fmt::format("{:3}", w.day_of_year); }},
    {"002", [](const Wall& w) { return fmt::format("{:03}", w.day_of_year); }},
    {"01", [](const Wall& w) { return fmt::format("{:02}", w.month); }},
    {"02", [](const Wall& w) { return fmt::format("{:02}", w.day); }},
    {"03", [](const Wall& w) { return fmt::format("{:02}", w.hour12()); }},
    {"04", [](const Wall& w) { return fmt::format("{:02}", w.minute); }},
    {"05", [](const Wall& w) { return fmt::format("{:02}", w.second); }},
    {"06", [](const Wall& w) { return fmt::format("{:02}", w.year % 100); }},
    {"15", [](const Wall& w) { return fmt::format("{:02}", w.hour); }},
    {"_2", [](const Wall& w) { return fmt::format("{:2}", w.day); }},
    {"1", [](const Wall& w) { return std::to_string(w.month); }},
    {"2", [](const Wall& w) { return std::to_string(w.day); }},
    {"3", [](const Wall& w) { return std::to_string(w.hour12()); }},
    {"4", [](const Wall& w) { return std::to_string(w.minute); }},
    {"5", [](const Wall& w) { return std::to_string(w.second); }},
    {"PM", [](const Wall& w) { return std::string(w.hour < 12 ? "AM" : "PM"); }},
    {"pm", [](const Wall& w) { return std::string(w.hour < 12 ? "am" : "pm"); }},
    {"Z07:00", [](const Wall& w) { return w.offset_s == 0 ? std::string("Z") : offset(w, ":"); }},
    {"Z0700", [](const Wall& w) { return w.offset_s == 0 ? std::string("Z") : offset(w, ""); }},
    {"Z07", [](const Wall& w) { return w.offset_s == 0 ? std::string("Z") : offset_hours(w); }},
    {"-07:00", [](const Wall& w) { return offset(w, ":"); }},
    {"-0700", [](const Wall& w) { return offset(w, ""); }},
    {"-07", offset_hours},
};

const Token* token_at(std::string_view layout) {
  for (const Token& token : kTokens) {
    if (!layout.starts_with(token.text)) continue;
    // "Month" and "Janet" are words.
    const bool is_short_name = token.text == "Jan" || token.text == "Mon";
    const bool goes_on = layout.size() > 3 && layout[3] >= 'a' && layout[3] <= 'z';
    if (!is_short_name || !goes_on) return &token;
  }
  return nullptr;
}

/// ".000" keeps its digits, ".999" leaves out zeros at the end. 0: there is no fraction here.
std::size_t take_fraction(std::string_view layout, const Wall& wall, std::string& out) {
  if (layout.size() < 2 || (layout[0] != '.' && layout[0] != ',')) return 0;
  const char digit = layout[1];
  if (digit != '0' && digit != '9') return 0;
  const std::size_t end = std::min(layout.find_first_not_of(digit, 1), layout.size());
  if (end < layout.size() && is_digit(layout[end])) return 0;
  std::string digits = fmt::format("{:03}000000", wall.millisecond).substr(0, end - 1);
  if (digit == '9') {
    while (!digits.empty() && digits.back() == '0') digits.pop_back();
  }
  if (!digits.empty()) out += layout[0] + digits;
  return end;
}

}  // namespace

std::string format_time(std::string_view layout, std::int64_t t_ms, const calendar::Zone& zone) {
  const Wall wall = wall_of(t_ms, zone);
  std::string out;
  while (!layout.empty()) {
    std::size_t taken = take_fraction(layout, wall, out);
    if (taken == 0) {
      const Token* token = token_at(layout);
      out += token != nullptr ? token->write(wall) : std::string(1, layout.front());
      taken = token != nullptr ? token->text.size() : 1;
    }
    layout.remove_prefix(taken);
  }
  return out;
}

}  // namespace vigil::channels
