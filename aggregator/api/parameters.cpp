#include "aggregator/api/parameters.h"

#include "aggregator/promql/parser.h"
#include "common/text/ascii.h"
#include "common/text/human.h"
#include "common/text/utf8.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

namespace vigil::aggregator::api {
namespace {

// Times further away are taken for this one, which leaves room to calculate.
constexpr double kMostSeconds = 9e12;
// What Go's clients write when they mean "from the beginning" and "to the end".
constexpr std::string_view kGoMinTime = "-292273086-05-16T16:47:06Z";
constexpr std::string_view kGoMaxTime = "292277025-08-18T07:12:54.999999999Z";

std::optional<double> read_number(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// RFC 3339: date, 'T', time, zone. Of what parse_time() takes nothing else.
bool is_rfc3339(std::string_view text) {
  return text.size() >= 20 && is_digit(text[0]) && text[4] == '-' && (text[10] == 'T' || text[10] == 't');
}

Error wrong_parameter(std::string_view name, std::string_view why) {
  return fail(Errc::invalid_argument, "parameter {}: {}", name, why);
}

bool takes_everything(const std::vector<promql::Matcher>& matchers) {
  for (const promql::Matcher& matcher : matchers) {
    if (!matcher.matches("")) return false;
  }
  return true;
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto byte = [&out](std::uint32_t value) { out += static_cast<char>(value); };
  if (c < 0x80) return byte(c);
  if (c < 0x800) {
    byte(0xC0 | (c >> 6));
  } else if (c < 0x10000) {
    byte(0xE0 | (c >> 12));
    byte(0x80 | ((c >> 6) & 0x3F));
  } else {
    byte(0xF0 | (c >> 18));
    byte(0x80 | ((c >> 12) & 0x3F));
    byte(0x80 | ((c >> 6) & 0x3F));
  }
  byte(0x80 | (c & 0x3F));
}

/// The character whose hexadecimal number stands before the next '_' of `text`, which is taken away.
std::optional<std::uint32_t> take_escape(std::string_view& text) {
  std::uint32_t character = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), character, 16);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || length > 6 || length == text.size() || text[length] != '_') return std::nullopt;
  text.remove_prefix(length + 1);
  return character;
}

}  // namespace

Result<std::int64_t> parse_timestamp(std::string_view text) {
  if (const auto seconds = read_number(text)) {
    if (std::isnan(*seconds)) return fail(Errc::parse, "'{}' is no time", text);
    return std::llround(std::clamp(*seconds, -kMostSeconds, kMostSeconds) * 1000);
  }
  if (text == kGoMinTime) return std::llround(-kMostSeconds * 1000);
  if (text == kGoMaxTime || text == "+" + std::string(kGoMaxTime)) return std::llround(kMostSeconds * 1000);
  if (is_rfc3339(text)) {
    if (const auto time = parse_time(text, 0)) return *time;
  }
  return fail(Errc::parse,
              "'{}' is no time; write seconds since 1970 or, as in RFC 3339, 2006-01-02T15:04:05Z", text);
}

Result<std::int64_t> parse_seconds_or_duration(std::string_view text) {
  if (const auto seconds = read_number(text)) {
    if (!(std::abs(*seconds) <= kMostSeconds)) return fail(Errc::parse, "'{}' is too long", text);
    return static_cast<std::int64_t>(*seconds * 1000);
  }
  if (const auto duration = promql::parse_duration_ms(text)) return *duration;
  return fail(Errc::parse, "'{}' is no duration; write seconds or, for example, 1h30m", text);
}

Result<std::int64_t> time_parameter(const http::Request& request, const std::string& name,
                                    std::optional<std::int64_t> fallback) {
  const std::string text = request.get(name);
  if (text.empty() && fallback) return *fallback;
  if (text.empty()) return wrong_parameter(name, "it is missing");
  auto time = parse_timestamp(text);
  if (!time) return wrong_parameter(name, time.error().message);
  return time;
}

Result<std::optional<std::chrono::milliseconds>> duration_parameter(const http::Request& request,
                                                                    const std::string& name) {
  const std::string text = request.get(name);
  if (text.empty()) return std::optional<std::chrono::milliseconds>();
  const auto duration = parse_seconds_or_duration(text);
  if (!duration) return wrong_parameter(name, duration.error().message);
  if (*duration <= 0)
    return wrong_parameter(name, fmt::format("'{}' must be more than 0, a millisecond at the least", text));
  return std::optional(std::chrono::milliseconds(*duration));
}

Result<std::size_t> limit_parameter(const http::Request& request, const std::string& name) {
  const std::string text = request.get(name);
  if (text.empty()) return std::size_t{0};
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || end != text.data() + text.size())
    return wrong_parameter(name, fmt::format("'{}' must be a whole number, 0 for no limit", text));
  return limit;
}

Result<promql::TimeRange> range_parameters(const http::Request& request, std::int64_t max_steps) {
  const auto start = time_parameter(request, "start", std::nullopt);
  if (!start) return start.error();
  const auto end = time_parameter(request, "end", std::nullopt);
  if (!end) return end.error();
  if (*end < *start) return wrong_parameter("end", "it lies before start");
  if (request.get("step").empty()) return wrong_parameter("step", "it is missing");
  const auto step = duration_parameter(request, "step");
  if (!step) return step.error();
  const std::int64_t step_ms = (*step)->count();
  if ((*end - *start) / step_ms > max_steps)
    return fail(
        Errc::invalid_argument,
        "more than {} points of each series are asked for (query.max_steps); take a longer step: for this "
        "span at least {}",
        max_steps, format_duration(std::chrono::seconds((*end - *start) / max_steps / 1000 + 1)));
  return promql::TimeRange{*start, *end, step_ms};
}

Result<TimeSpan> span_parameters(const http::Request& request) {
  const auto start = time_parameter(request, "start", std::numeric_limits<std::int64_t>::min());
  if (!start) return start.error();
  const auto end = time_parameter(request, "end", std::numeric_limits<std::int64_t>::max());
  if (!end) return end.error();
  if (*end < *start) return wrong_parameter("end", "it lies before start");
  return TimeSpan{*start, *end};
}

Result<MatcherLists> match_parameters(const http::Request& request) {
  constexpr std::size_t kMost = 100;  // each looks at every series
  MatcherLists lists;
  std::set<std::string_view> seen;
  const auto texts = request.all("match[]");
  for (const std::string& text : texts) {
    if (!seen.insert(text).second) continue;
    if (seen.size() > kMost) return wrong_parameter("match[]", fmt::format("more than {} are given", kMost));
    auto selector = promql::parse_selector(text);
    if (!selector) return wrong_parameter("match[]", fmt::format("{}: {}", text, selector.error().message));
    if (takes_everything(selector->matchers))
      return wrong_parameter(
          "match[]", fmt::format("{} takes every series; a matcher must exclude the empty text", text));
    lists.push_back(std::move(selector->matchers));
  }
  return lists;
}

std::string unescape_name(std::string_view name) {
  constexpr std::string_view kPrefix = "U__";
  if (!name.starts_with(kPrefix)) return std::string(name);
  std::string out;
  for (std::string_view rest = name.substr(kPrefix.size()); !rest.empty();) {
    const char c = rest.front();
    if (!is_letter(c) && !is_digit(c)) return std::string(name);
    rest.remove_prefix(1);
    if (c != '_') {
      out += c;
    } else if (rest.starts_with('_')) {
      out += '_';
      rest.remove_prefix(1);
    } else {
      const auto character = take_escape(rest);
      if (!character || *character > 0x10FFFF || (*character >= 0xD800 && *character < 0xE000))
        return std::string(name);
      append_utf8(out, *character);
    }
  }
  return out;
}

}  // namespace vigil::aggregator::api
