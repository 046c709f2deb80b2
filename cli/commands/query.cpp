// query, plot, series: PromQL from the command line.
#include "cli/commands/command.h"
#include "cli/commands/points.h"
#include "cli/output/numbers.h"
#include "cli/output/plot.h"
#include "common/flags/help.h"
#include "common/text/exposition.h"
#include "common/text/human.h"

#include <cstdio>
#include <set>

namespace vigil::cli {
namespace {

struct PlotFlags {
  std::string expression;
  RangeFlags range;
  int width = 0;
  int height = 12;
};

int plot_width(const Context& context) {
  constexpr int kWithoutTerminal = 100;
  constexpr int kWidest = 160;
  return context.width == 0 ? kWithoutTerminal : std::min(static_cast<int>(context.width), kWidest);
}

void draw(const v1::QueryResult& result, const Range& range, PlotOptions options) {
  if (result.series().empty()) return fmt::print("No series match.\n");
  options.start_ms = range.start_ms;
  options.end_ms = range.end_ms;
  options.step_ms = range.step_ms;
  std::vector<PlotSeries> lines;
  for (const auto& series : result.series()) {
    lines.push_back({series_name(series),
                     {series.times_ms().begin(), series.times_ms().end()},
                     {series.values().begin(), series.values().end()}});
  }
  fmt::print("{}", plot(lines, options));
  fmt::print("{}\n", paint(range_text(range), Style::faint, options.colours));
}

/// Hosts an expression asks for by name: of an empty answer nothing else tells.
std::set<std::string> named_hosts(std::string_view expression) {
  constexpr std::string_view kLabel = "instance";
  constexpr std::string_view kSpace = " \t\n";
  std::set<std::string> hosts;
  for (std::size_t at = expression.find(kLabel); at != std::string_view::npos;
       at = expression.find(kLabel, at)) {
    at += kLabel.size();
    const std::size_t equals = expression.find_first_not_of(kSpace, at);
    if (equals == std::string_view::npos || expression[equals] != '=') continue;
    const std::size_t quote = expression.find_first_not_of(kSpace, equals + 1);
    if (quote == std::string_view::npos || (expression[quote] != '"' && expression[quote] != '\'')) continue;
    const std::size_t end = expression.find(expression[quote], quote + 1);
    if (end == std::string_view::npos) break;
    hosts.emplace(expression.substr(quote + 1, end - quote - 1));
    at = end;
  }
  return hosts;
}

/// Which samples behind this answer are missing, and why: a hole in a line is not zero. Nothing of answers
/// without hosts, nor of many hosts.
std::vector<std::string> missing_lines(Context& context, const std::string& expression,
                                       const v1::QueryResult& result, const Range& range) {
  constexpr std::size_t kMostHosts = 8;
  constexpr std::size_t kMostLines = 5;
  std::set<std::string> hosts = named_hosts(expression);
  for (const auto& series : result.series()) {
    for (const auto& label : series.labels())
      if (label.name() == "instance") hosts.insert(label.value());
  }
  std::vector<std::string> lines;
  if (hosts.size() > kMostHosts) return lines;
  for (const std::string& host : hosts) {
    v1::ListGapsRequest request;
    request.set_host(host);
    request.set_start_ms(range.start_ms);
    request.set_end_ms(range.end_ms);
    const auto gaps = context.client->gaps(request);
    if (!gaps) continue;  // the answer stands without them
    for (const auto& gap : gaps->gaps()) {
      if (gap.reason() == "machine_changed") continue;  // before it nothing is missing
      lines.push_back(fmt::format("{}: no samples{} from {} to {} ({})", host,
                                  gap.collector().empty() ? "" : " of " + gap.collector(),
                                  format_local_time(gap.first_ms()), format_local_time(gap.last_ms()),
                                  gap.reason()));
    }
  }
  if (lines.size() > kMostLines) {
    const std::size_t more = lines.size() - kMostLines;
    lines.resize(kMostLines);
    lines.push_back(
        fmt::format("and {} without samples, see vigil gaps", counted(more, "more time", "more times")));
  }
  return lines;
}

}  // namespace

Run declare_query(CLI::App& app) {
  struct Flags {
    std::string expression;
    std::string at = "now";
    RangeFlags range{.start = "", .end = "now", .step = ""};
  };
  auto flags = std::make_shared<Flags>();
  app.add_option("expression", flags->expression,
                 "PromQL, for example 'rate(node_disk_written_bytes_total[1m])'")
      ->required();
  CLI::Option* instant =
      app.add_option("--at", flags->at, "The instant: now, 2h (two hours ago), 'yesterday 14:00'")
          ->type_name("TIME")
          ->capture_default_str();
  flags->range.add_to(app);
  CLI::Option* start = app.get_option("--start");
  start->description("Ask for a range of time, from here on; not with --at")->excludes(instant);
  app.get_option("--end")->needs(start);
  app.get_option("--step")->needs(start);
  app.footer(
      "Examples:\n  vigil query 'topk(3, node_load1)'\n  vigil query 'node_load1' --start 10m --step 1m -o "
      "csv");
  return [flags](Context& context) -> Result<Exit> {
    Result<v1::QueryResult> result = v1::QueryResult{};
    std::vector<std::string> missing;
    if (flags->range.start.empty()) {
      const auto at = parse_time(flags->at, context.now_ms);
      if (!at) return fail(Errc::invalid_argument, "--at: {}", at.error().message);
      v1::InstantRequest request;
      request.set_expression(flags->expression);
      request.set_time_ms(flags->at == "now" ? 0 : *at);  // the aggregator's clock, not ours
      result = context.client->instant(request);
    } else {
      constexpr int kPoints = 60;
      auto range = resolve(flags->range, context.now_ms, kPoints);
      if (!range) return range.error();
      result = flags->range.step.empty()
                   ? ask_narrowing(*context.client, flags->expression, flags->range, kPoints, *range)
                   : ask_range(*context.client, flags->expression, *range);
      if (result && context.format == Format::table)
        missing = missing_lines(context, flags->expression, *result, *range);
    }
    if (!result) return result.error();
    show_annotations(*result);
    show(context, points_listing(*result));
    for (const std::string& line : missing) fmt::print(stderr, "{}\n", line);
    return Exit::ok;
  };
}

Run declare_plot(CLI::App& app) {
  auto flags = std::make_shared<PlotFlags>();
  app.add_option("expression", flags->expression, "PromQL that gives an instant vector")->required();
  flags->range.add_to(app);
  app.add_option("--width", flags->width, "Columns; the terminal's when absent")
      ->type_name("N")
      ->check(number_within(20, 500));
  app.add_option("--height", flags->height, "Rows of the drawing")
      ->type_name("N")
      ->check(number_within(2, 100))
      ->capture_default_str();
  app.footer(
      "Example:\n  vigil plot --start 30m \\\n"
      "    '1 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[1m]))'");
  return [flags](Context& context) -> Result<Exit> {
    PlotOptions options;
    options.width = flags->width > 0 ? flags->width : plot_width(context);
    options.height = flags->height;
    options.unit = unit_of(flags->expression);
    options.colours = context.colours;
    auto range = resolve(flags->range, context.now_ms, options.width * 2);
    if (!range) return range.error();
    const auto result =
        ask_narrowing(*context.client, flags->expression, flags->range, options.width * 2, *range);
    if (!result) return result.error();
    show_annotations(*result);
    if (context.format != Format::table) {
      show(context, points_listing(*result));
      return Exit::ok;
    }
    draw(*result, *range, options);
    for (const std::string& line : missing_lines(context, flags->expression, *result, *range))
      fmt::print("{}\n", paint(line, Style::faint, options.colours));
    return Exit::ok;
  };
}

Run declare_series(CLI::App& app) {
  auto request = std::make_shared<v1::SeriesRequest>();
  app.add_option_function<std::vector<std::string>>(
         "selector",
         [request](const std::vector<std::string>& selectors) {
           for (const auto& selector : selectors) request->add_selectors(selector);
         },
         "Selectors, for example 'node_filesystem_avail_bytes{mountpoint=\"/\"}'")
      ->required();
  app.add_option_function<std::uint32_t>(
         "--limit", [request](std::uint32_t limit) { request->set_limit(limit); }, "At most so many series")
      ->type_name("N");
  return [request](Context& context) -> Result<Exit> {
    const auto answer = context.client->series(*request);
    if (!answer) return answer.error();
    Listing listing;
    listing.empty_note = "No series match.";
    listing.columns = {{"series", "SERIES"}, kMetricColumn};
    for (const auto& series : answer->series())
      listing.rows.push_back({Cell::of(series_name(series)), Cell::object(series_labels(series))});
    show(context, listing);
    if (answer->truncated()) fmt::print(stderr, "there are more; raise --limit\n");
    return Exit::ok;
  };
}

}  // namespace vigil::cli
