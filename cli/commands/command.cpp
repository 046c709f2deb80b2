#include "cli/commands/command.h"

#include "common/series.h"
#include "common/text/human.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace vigil::cli {

namespace {

/// The round step that gives at most `points`, and a start on one of its multiples, so that a plot drawn
/// twice shows the same points.
void fit_step(Range& range, int points) {
  constexpr std::array<std::int64_t, 14> kRound = {1,   2,   5,   10,   15,   30,    60,
                                                   120, 300, 600, 1800, 3600, 21600, 86400};
  const std::int64_t wanted_ms = (range.end_ms - range.start_ms) / std::max(points, 1);
  range.step_ms = kRound.back() * 1000;
  for (const std::int64_t seconds : kRound) {
    if (seconds * 1000 < wanted_ms) continue;
    range.step_ms = seconds * 1000;
    break;
  }
  range.start_ms = range.start_ms / range.step_ms * range.step_ms;
  constexpr std::int64_t kLookbackMs = 300'000;  // PromQL's own
  range.lookback_ms = std::max(kLookbackMs, range.step_ms);
}

}  // namespace

Run declare_parts(CLI::App& app, const std::vector<Part>& parts, Run otherwise) {
  app.require_subcommand(otherwise ? 0 : 1, 1);
  std::vector<std::pair<const CLI::App*, Run>> runs;
  for (const Part& part : parts) {
    CLI::App* sub = app.add_subcommand(part.name, part.summary);
    runs.emplace_back(sub, part.declare(*sub));
  }
  return [otherwise = std::move(otherwise), runs = std::move(runs)](Context& context) -> Result<Exit> {
    const auto named = std::ranges::find_if(runs, [](const auto& each) { return each.first->parsed(); });
    return named == runs.end() ? otherwise(context) : named->second(context);
  };
}

std::string user_name() {
  const passwd* user = ::getpwuid(::geteuid());
  return user == nullptr ? "" : user->pw_name;
}

void show(const Context& context, const Listing& listing) {
  const std::string text = render(listing, context.format, context.colours, context.width);
  std::fwrite(text.data(), 1, text.size(), stdout);
}

std::string series_name(const v1::QuerySeries& series) {
  std::vector<Label> labels;
  for (const auto& label : series.labels()) labels.push_back({label.name(), label.value()});
  return Labels(std::move(labels)).to_string();
}

Object series_labels(const v1::QuerySeries& series) {
  Object labels;
  for (const auto& label : series.labels()) labels.emplace_back(label.name(), label.value());
  return labels;
}

void RangeFlags::add_to(CLI::App& app) {
  app.add_option("--start", start, "From when: 2h (two hours ago), 'yesterday 14:00', 2026-11-21T14:00:00Z")
      ->type_name("TIME")
      ->capture_default_str();
  app.add_option("--end", end, "Until when")->type_name("TIME")->capture_default_str();
  app.add_option("--step", step, "Distance of the points, for example 15s; chosen to fit when absent")
      ->type_name("TIME");
}

Result<Range> resolve(const RangeFlags& flags, std::int64_t now_ms, int points) {
  const auto start = parse_time(flags.start, now_ms);
  if (!start) return fail(Errc::invalid_argument, "--start: {}", start.error().message);
  const auto end = parse_time(flags.end, now_ms);
  if (!end) return fail(Errc::invalid_argument, "--end: {}", end.error().message);
  if (*start >= *end)
    return fail(Errc::invalid_argument, "--start ({}) must lie before --end ({})", flags.start, flags.end);
  Range range{*start, *end, 0, 0, *start};
  if (flags.step.empty()) {
    fit_step(range, points);
    return range;
  }
  const auto step = parse_duration(flags.step);
  if (!step) return fail(Errc::invalid_argument, "--step: {}", step.error().message);
  if (step->count() <= 0) return fail(Errc::invalid_argument, "--step must be more than 0");
  range.step_ms = step->count();
  return range;
}

bool narrow(const v1::QueryResult& answer, const RangeFlags& flags, Range& range, int points) {
  std::int64_t first = range.end_ms;
  for (const auto& series : answer.series()) {
    if (!series.times_ms().empty()) first = std::min(first, series.times_ms(0));
  }
  const std::int64_t length = range.end_ms - range.start_ms;
  constexpr std::int64_t kTenth = 10;  // of the range: less emptiness is not worth asking again
  // A point lies up to a step behind the first sample it sees; a host younger than a step has no point yet.
  const std::int64_t begin = std::min(first - range.step_ms, range.end_ms - 1000);
  if (begin - range.start_ms < length / kTenth) return false;
  range.start_ms = range.asked_ms = begin;
  if (flags.step.empty()) fit_step(range, points);
  return true;
}

Result<v1::QueryResult> ask_range(Client& client, const std::string& expression, const Range& range) {
  v1::RangeRequest request;
  request.set_expression(expression);
  request.set_start_ms(range.start_ms);
  request.set_end_ms(range.end_ms);
  request.set_step_ms(range.step_ms);
  request.set_lookback_ms(range.lookback_ms);
  return client.range(request);
}

Result<v1::QueryResult> ask_narrowing(Client& client, const std::string& expression, const RangeFlags& flags,
                                      int points, Range& range) {
  constexpr int kRounds = 3;  // a year, of which an hour holds data
  auto result = ask_range(client, expression, range);
  for (int i = 0; i < kRounds && result && narrow(*result, flags, range, points); ++i)
    result = ask_range(client, expression, range);
  return result;
}

std::string range_text(const Range& range) {
  const std::string start = format_local_time(range.asked_ms);
  const std::string end = format_local_time(range.end_ms);
  const bool same_day = start.substr(0, 10) == end.substr(0, 10);
  const std::int64_t length_s = (range.end_ms - range.asked_ms + 500) / 1000;
  return fmt::format("{} to {}, {}, a point every {}", start, same_day ? end.substr(11) : end,
                     format_duration(std::chrono::seconds(length_s)),
                     format_duration(std::chrono::milliseconds(range.step_ms)));
}

}  // namespace vigil::cli
