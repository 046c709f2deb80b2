// watch: an expression again and again, on the whole screen or line by line.
#include "cli/commands/command.h"
#include "cli/commands/points.h"
#include "cli/screen/screen.h"
#include "common/flags/help.h"
#include "common/text/human.h"
#include "common/threads/worker.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

namespace vigil::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBeforeTryingAgain{1'000};

struct WatchFlags {
  std::string expression;
  std::string interval = "1s";
  bool changes = false;
  std::uint64_t count = 0;  // updates; 0: any number
};

/// Of a call ended by ourselves; nobody reads it.
Error enough() {
  return fail(Errc::unavailable, "enough");
}

std::string clock_of(std::int64_t t_ms) {
  return format_local_time(t_ms).substr(11);
}

/// Line by line: what a pipe, a file and a log want.
class Lines {
 public:
  Lines(const Context& context, std::uint64_t count) : context_(context), left_(count) {}

  Result<void> take(const v1::WatchUpdate& update) {
    taken_ = true;
    if (!update.error().empty()) {
      fmt::print(stderr, "vigil: {}: {}\n", clock_of(update.time_ms()), update.error());
    } else {
      print(update);
    }
    (void)std::fflush(stdout);  // whoever waits for a line gets it
    if (std::ferror(stdout) != 0) return enough();
    return left_ > 0 && --left_ == 0 ? enough() : Result<void>{};
  }
  bool has_taken() const { return taken_; }

 private:
  void print(const v1::WatchUpdate& update) {
    for (const auto& text : update.result().warnings()) say_once("warning", text);
    for (const auto& text : update.result().infos()) say_once("info", text);
    Listing rows = points_listing(update.result());
    if (context_.format == Format::csv && !std::exchange(headed_, true)) fmt::print("{}", csv_header(rows));
    if (context_.format == Format::table) {
      if (rows.rows.empty()) return fmt::print("{}  {}\n", clock_of(update.time_ms()), rows.empty_note);
      for (auto& row : rows.rows) row.insert(row.begin(), Cell::of(clock_of(update.time_ms()), Style::faint));
      rows.columns.insert(rows.columns.begin(), {"at", "AT"});
    }
    fmt::print("{}", render_more(rows, context_.format, context_.colours));
  }
  void say_once(const char* what, const std::string& text) {
    if (said_.insert(text).second) fmt::print(stderr, "{}: {}\n", what, text);
  }

  const Context& context_;
  std::uint64_t left_;
  bool taken_ = false;
  bool headed_ = false;
  std::set<std::string> said_;
};

/// An aggregator that is started anew is worth waiting for, one that never was there is not.
Result<Exit> print_lines(Context& context, const v1::WatchRequest& request, std::uint64_t count) {
  Lines lines(context, count);
  while (true) {
    bool ended = false;
    const auto watched = context.client->watch(request, [&](const v1::WatchUpdate& update) {
      auto taken = lines.take(update);
      ended = !taken;
      return taken;
    });
    if (ended) return Exit::ok;
    if (!watched && (watched.error().code != Errc::unavailable || !lines.has_taken())) return watched.error();
    fmt::print(stderr, "vigil: the aggregator is away; trying again\n");
    std::this_thread::sleep_for(kBeforeTryingAgain);
  }
}

/// What the thread that listens tells the one that draws.
class Latest {
 public:
  void put(v1::WatchUpdate update) {
    const std::lock_guard lock(mutex_);
    update_ = std::move(update);
    problem_.clear();
    ++version_;
  }
  void put(const Error& problem) {
    const std::lock_guard lock(mutex_);
    problem_ = problem.message;
    ++version_;
  }
  void end(const Error& error) {
    const std::lock_guard lock(mutex_);
    end_ = error;
  }
  std::optional<Error> ended() const {
    const std::lock_guard lock(mutex_);
    return end_;
  }
  /// The frame's text when it is another than `version`, which becomes its own.
  std::optional<std::string> frame(const Context& context, const std::string& heading,
                                   std::uint64_t& version) const {
    const std::lock_guard lock(mutex_);
    if (std::exchange(version, version_) == version_) return std::nullopt;
    std::string out = paint(heading, Style::bold, context.colours);
    if (update_.time_ms() != 0) out += "  " + clock_of(update_.time_ms());
    if (update_.skipped() > 0)
      out += paint(fmt::format("  {} left out", update_.skipped()), Style::warning, context.colours);
    out += "\n\n";
    for (const auto& text : update_.result().warnings())
      out += paint("warning: " + text, Style::warning, context.colours) + '\n';
    if (!problem_.empty()) out += paint(problem_, Style::bad, context.colours) + "\n\n";
    if (!update_.error().empty()) return out + paint(update_.error(), Style::bad, context.colours) + '\n';
    return out + render(points_listing(update_.result()), Format::table, context.colours, context.width);
  }

 private:
  mutable std::mutex mutex_;  // protects what follows
  v1::WatchUpdate update_;
  std::string problem_ = "waiting for the aggregator";
  std::optional<Error> end_;
  std::uint64_t version_ = 1;
};

/// On a thread of its own, until the client is cancelled or the aggregator says no.
void listen(Client& client, const v1::WatchRequest& request, Latest& latest) {
  while (!Screen::must_leave()) {
    const auto watched = client.watch(request, [&latest](const v1::WatchUpdate& update) -> Result<void> {
      latest.put(update);
      return {};
    });
    if (!watched && watched.error().code != Errc::unavailable) return latest.end(watched.error());
    if (!watched && watched.error().message == "cancelled") return;
    if (!watched) latest.put(watched.error());
    std::this_thread::sleep_for(kBeforeTryingAgain);
  }
}

Result<Exit> redraw(Context& context, const v1::WatchRequest& request) {
  Latest latest;
  std::optional<Error> error;
  {
    Screen screen;
    Worker listener("watch");
    listener.post([&] { listen(*context.client, request, latest); });
    listener.start();
    std::uint64_t drawn = 0;
    while (!(error = latest.ended())) {
      const ScreenSize room = screen.size();
      if (std::exchange(context.width, static_cast<std::size_t>(room.columns)) != context.width) drawn = 0;
      if (const auto text = latest.frame(context, request.expression(), drawn)) {
        screen.draw(fit_rows(*text, static_cast<std::size_t>(room.rows)) +
                    paint("q quit", Style::faint, context.colours));
      }
      const auto key = screen.key(milliseconds(50));
      if (key && (*key == 'q' || *key == '\x1b')) break;
    }
    context.client->cancel();
  }
  if (error) return *error;
  return Exit::ok;
}

}  // namespace

Run declare_watch(CLI::App& app) {
  auto flags = std::make_shared<WatchFlags>();
  app.add_option("expression", flags->expression, "PromQL, for example 'topk(5, node_load1)'")->required();
  app.add_option("--interval", flags->interval, "How often, from 100ms to 1h")
      ->type_name("TIME")
      ->capture_default_str();
  app.add_flag("--changes", flags->changes, "Only when a value or a series is another than before");
  app.add_option("--count", flags->count, "End after so many updates")
      ->type_name("N")
      ->check(number_within(std::int64_t{1}, std::int64_t{1'000'000'000}));
  app.footer(
      "On a terminal it fills the screen, q quits; otherwise, with -o json or csv, and with --count it "
      "writes lines.\n\nExamples:\n  vigil watch 'topk(3, node_load1)'\n  vigil watch up --changes -o json");
  return [flags](Context& context) -> Result<Exit> {
    const auto interval = parse_duration(flags->interval);
    if (!interval || *interval < milliseconds(100) || *interval > std::chrono::hours(1)) {
      return fail(Errc::invalid_argument, "--interval: '{}' is not a duration from 100ms to 1h",
                  flags->interval);
    }
    v1::WatchRequest request;
    request.set_expression(flags->expression);
    request.set_interval_ms(interval->count());
    request.set_changes_only(flags->changes);
    const bool is_screen = context.format == Format::table && flags->count == 0 &&
                           ::isatty(STDOUT_FILENO) != 0 && ::isatty(STDIN_FILENO) != 0;
    return is_screen ? redraw(context, request) : print_lines(context, request, flags->count);
  };
}

}  // namespace vigil::cli
