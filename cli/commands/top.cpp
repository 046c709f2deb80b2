// top: the fleet on a full screen, live.
#include "cli/commands/command.h"
#include "cli/commands/figures.h"
#include "cli/screen/screen.h"
#include "common/text/human.h"
#include "common/threads/worker.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace vigil::cli {
namespace {

enum class Sort : std::uint8_t { name, cpu, memory, disk, load };
constexpr std::array<std::string_view, 5> kSortNames = {"name", "cpu", "memory", "disk", "load"};

struct View {
  Sort sort = Sort::name;
  bool containers = true;
  std::chrono::milliseconds interval{1000};
};

double sort_key(const v1::Host& host, Sort sort) {
  switch (sort) {
    case Sort::cpu:
      return host.cpu_busy_ratio();
    case Sort::memory:
      return host.memory_used_ratio();
    case Sort::disk:
      return host.disk_used_ratio();
    case Sort::load:
      return host.load1();
    case Sort::name:
      break;
  }
  return 0;
}

/// Parts of a line, as many of the first ones as fit; a part that does not fit ends it.
class Line {
 public:
  Line(std::size_t room, Colours colours) : room_(room), colours_(colours) {}
  void add(std::string_view text, Style style = Style::plain) {
    used_ += display_width(text);
    full_ = full_ || (room_ > 0 && used_ > room_);
    if (!full_) text_ += paint(text, style, colours_);
  }
  const std::string& text() const { return text_; }

 private:
  const std::size_t room_;  // 0: any
  const Colours colours_;
  std::string text_;
  std::size_t used_ = 0;
  bool full_ = false;
};

std::string title(const v1::Status& status, const View& view, const Context& context) {
  Line line(context.width, context.colours);
  line.add("vigil", Style::bold);
  line.add("  " + format_local_time(status.now_ms()).substr(11));
  line.add("   hosts ");
  line.add(fmt::format("{} up", status.hosts_up()), Style::good);
  if (status.hosts_late() > 0) line.add(fmt::format(" {} late", status.hosts_late()), Style::warning);
  if (status.hosts_down() > 0) line.add(fmt::format(" {} down", status.hosts_down()), Style::bad);
  if (status.alerts_firing() > 0) {
    line.add(fmt::format("   {} firing", counted(status.alerts_firing(), "alert")), Style::bad);
  } else {
    line.add("   no alerts", Style::good);
  }
  line.add(fmt::format("   {} series  {} samples/s", status.series(),
                       format_si(std::round(status.samples_per_second()))));
  line.add(fmt::format("   sort: {}", kSortNames[static_cast<std::size_t>(view.sort)]), Style::faint);
  return line.text() + '\n';
}

/// One frame, or the reason there is none.
Result<std::string> frame(Context& context, const View& view) {
  const auto status = context.client->status();
  if (!status) return status.error();
  auto hosts = context.client->hosts({});
  if (!hosts) return hosts.error();
  v1::ListAlertsRequest firing;
  firing.set_firing_only(true);
  const auto alerts = context.client->alerts(firing);
  if (!alerts) return alerts.error();
  std::stable_sort(
      hosts->mutable_hosts()->begin(), hosts->mutable_hosts()->end(),
      [&](const v1::Host& a, const v1::Host& b) { return sort_key(a, view.sort) > sort_key(b, view.sort); });
  std::string out = title(*status, view, context) + '\n';
  out += render(hosts_listing(*hosts, status->now_ms(), context.aggregator), Format::table, context.colours,
                context.width);
  if (!alerts->alerts().empty()) {
    out += '\n' +
           render(alerts_listing(*alerts, status->now_ms()), Format::table, context.colours, context.width);
  }
  if (view.containers) {
    const auto containers = context.client->containers({});
    if (!containers) return containers.error();
    if (!containers->containers().empty()) {
      out += '\n' + render(containers_listing(*containers, status->now_ms()), Format::table, context.colours,
                           context.width);
    }
  }
  return out;
}

/// False: leave.
bool apply_key(char key, View& view) {
  if (key == 'q' || key == '\x1b') return false;
  if (key == 's')
    view.sort = static_cast<Sort>((static_cast<std::size_t>(view.sort) + 1) % kSortNames.size());
  if (key == 'c') view.containers = !view.containers;
  return true;
}

Result<Exit> live(Context& context, View view) {
  Screen screen;
  // An answer may take as long as --timeout: Ctrl-C does not wait for it.
  Worker watch("watch");
  watch.every(std::chrono::milliseconds(50), [&context] {
    if (Screen::must_leave()) context.client->cancel();
  });
  watch.start();
  while (true) {
    const ScreenSize room = screen.size();
    context.width = static_cast<std::size_t>(room.columns);
    const auto drawn = frame(context, view);
    if (Screen::must_leave()) return Exit::ok;
    // A restart of the aggregator is worth waiting for: say so and go on.
    const std::string text =
        drawn ? *drawn : paint(drawn.error().message, Style::bad, context.colours) + '\n';
    screen.draw(fit_rows(text, static_cast<std::size_t>(room.rows)) +
                paint("q quit  s sort  c containers", Style::faint, context.colours));
    if (const auto key = screen.key(view.interval); key && !apply_key(*key, view)) return Exit::ok;
  }
}

}  // namespace

Run declare_top(CLI::App& app) {
  auto view = std::make_shared<View>();
  auto interval = std::make_shared<std::string>("1s");
  app.add_option("--interval", *interval, "How often to look")->type_name("TIME")->capture_default_str();
  app.footer(
      "Keys: q quit, s sort by the next column, c show or hide containers. Not on a terminal it prints one "
      "frame.");
  return [view, interval](Context& context) -> Result<Exit> {
    const auto parsed = parse_duration(*interval);
    if (!parsed || *parsed < std::chrono::milliseconds(100)) {
      return fail(Errc::invalid_argument, "--interval: '{}' is not a duration of at least 100ms", *interval);
    }
    view->interval = *parsed;
    if (context.format != Format::table) {
      return fail(Errc::invalid_argument, "top draws a screen; for data there is `vigil hosts -o {}`",
                  context.format == Format::json ? "json" : "csv");
    }
    if (::isatty(STDOUT_FILENO) != 0 && ::isatty(STDIN_FILENO) != 0) return live(context, *view);
    const auto drawn = frame(context, *view);
    if (!drawn) return drawn.error();
    fmt::print("{}", *drawn);
    return Exit::ok;
  };
}

}  // namespace vigil::cli
