// hosts, containers, alerts, rules, status: what the aggregator knows, as it is now.
#include "cli/commands/command.h"
#include "cli/commands/figures.h"
#include "common/text/human.h"

#include <algorithm>

namespace vigil::cli {

Run declare_hosts(CLI::App& app) {
  auto request = std::make_shared<v1::ListHostsRequest>();
  app.add_option_function<std::string>(
      "name", [request](const std::string& name) { request->set_name(name); }, "Only this host");
  return [request](Context& context) -> Result<Exit> {
    const auto hosts = context.client->hosts(*request);
    if (!hosts) return hosts.error();
    if (!request->name().empty() && hosts->hosts().empty())
      return fail(Errc::not_found, "no host is called '{}'", request->name());
    show(context, hosts_listing(*hosts, context.now_ms, context.aggregator));
    return Exit::ok;
  };
}

Run declare_containers(CLI::App& app) {
  auto request = std::make_shared<v1::ListContainersRequest>();
  app.add_option_function<std::string>(
      "host", [request](const std::string& host) { request->set_host(host); }, "Only of this host");
  return [request](Context& context) -> Result<Exit> {
    const auto containers = context.client->containers(*request);
    if (!containers) return containers.error();
    if (!request->host().empty() && containers->containers().empty()) {
      v1::ListHostsRequest named;
      named.set_name(request->host());
      const auto hosts = context.client->hosts(named);
      if (!hosts) return hosts.error();
      if (hosts->hosts().empty()) return fail(Errc::not_found, "no host is called '{}'", request->host());
    }
    show(context, containers_listing(*containers, context.now_ms));
    return Exit::ok;
  };
}

Run declare_alerts(CLI::App& app) {
  auto request = std::make_shared<v1::ListAlertsRequest>();
  auto fail_on = std::make_shared<std::string>();
  app.add_flag_function(
      "--firing", [request](std::int64_t) { request->set_firing_only(true); },
      "Leave out pending and resolved ones");
  app.add_option("--fail-on", *fail_on,
                 "Exit with 4 when an alert of this severity or worse fires: warning or critical")
      ->check(CLI::IsMember({"warning", "critical"}));
  const Run list = [request, fail_on](Context& context) -> Result<Exit> {
    const auto alerts = context.client->alerts(*request);
    if (!alerts) return alerts.error();
    show(context, alerts_listing(*alerts, context.now_ms));
    const auto counts = [&](const v1::Alert& alert) {
      return alert.state() == "firing" &&
             (alert.severity() == "critical" || (*fail_on == "warning" && alert.severity() == "warning"));
    };
    const bool found =
        !fail_on->empty() && std::any_of(alerts->alerts().begin(), alerts->alerts().end(), counts);
    return found ? Exit::firing : Exit::ok;
  };
  return declare_parts(
      app, {{"explain", "Why an alert is as it is, who was told, what comes next", declare_explain}}, list);
}

Run declare_rule_list(CLI::App& app) {
  auto wide = std::make_shared<bool>(false);
  app.add_flag("--wide", *wide, "Whole expressions, also past the edge of the terminal");
  return [wide](Context& context) -> Result<Exit> {
    if (*wide) context.width = 0;
    const auto rules = context.client->rules();
    if (!rules) return rules.error();
    Listing listing;
    listing.empty_note = "No rules are loaded.";
    listing.columns = {{"state", "STATE"},
                       {"name", "RULE"},
                       {"severity", "SEVERITY"},
                       {"for_ms", "FOR", Align::right},
                       {"firing", "FIRING", Align::right, Fit::important},
                       {"pending", "PENDING", Align::right, Fit::useful},
                       {"group", "GROUP", Align::left, Fit::optional},
                       {"expression", "EXPRESSION", Align::left, Fit::cut},
                       {"origin", ""},
                       {"file", ""},
                       {"last_error", "ERROR", Align::left, Fit::cut}};
    for (const auto& rule : rules->rules()) {
      const auto severity = rule.labels().find("severity");
      const std::string level = severity == rule.labels().end() ? "" : severity->second;
      const Style style = rule.state() == "firing"    ? severity_style(level)
                          : rule.state() == "pending" ? Style::warning
                                                      : Style::faint;
      listing.rows.push_back(
          {Cell::of(rule.recording() ? "recording" : rule.state(), style), Cell::of(rule.name(), Style::bold),
           Cell::of(level),
           Cell{rule.for_ms(), format_duration(std::chrono::milliseconds(rule.for_ms())), Style::plain},
           Cell::number(static_cast<std::int64_t>(rule.firing())),
           Cell::number(static_cast<std::int64_t>(rule.pending())), Cell::of(rule.group()),
           Cell::of(rule.expression()), Cell::of(rule.origin()), Cell::of(rule.file()),
           Cell::of(rule.last_error(), Style::bad)});
    }
    show(context, listing);
    return Exit::ok;
  };
}

namespace {

/// The rows of `status`: a key for programs, words for people, and the value.
class StatusRows {
 public:
  explicit StatusRows(Listing& listing) : listing_(listing) {}
  void add(std::string key, std::string words, Cell cell) {
    listing_.rows.push_back({Cell{std::move(key), std::move(words), Style::faint}, std::move(cell)});
  }
  void count(std::string key, std::string words, std::uint64_t value, Style style = Style::plain) {
    add(std::move(key), std::move(words), Cell::number(static_cast<std::int64_t>(value), style));
  }
  void moment(std::string key, std::string words, std::int64_t t_ms) {
    add(std::move(key), std::move(words),
        t_ms == 0 ? Cell::unknown() : Cell{t_ms, format_local_time(t_ms), Style::plain});
  }

 private:
  Listing& listing_;
};

Style alarm(std::uint64_t count, Style style) {
  return count > 0 ? style : Style::plain;
}

void add_fleet(const v1::Status& status, StatusRows& rows) {
  rows.count("hosts_up", "hosts up", status.hosts_up(), Style::good);
  rows.count("hosts_late", "hosts late", status.hosts_late(), alarm(status.hosts_late(), Style::warning));
  rows.count("hosts_down", "hosts down", status.hosts_down(), alarm(status.hosts_down(), Style::bad));
  rows.count("hosts_left", "hosts left", status.hosts_left());
  rows.count("series", "series", status.series());
  rows.add("samples_per_second", "samples per second",
           Cell::number(status.samples_per_second(), format_si(status.samples_per_second())));
  rows.add("delivery_interval_ms", "delivery interval",
           Cell{status.delivery_interval_ms(), fmt::format("{:g} s", status.delivery_interval_ms() / 1000.0),
                Style::plain});
  rows.add("ingest_load_ratio", "ingest load",
           Cell::number(status.ingest_load_ratio(), fmt::format("{:.0f} %", status.ingest_load_ratio() * 100),
                        status.ingest_load_ratio() > 1 ? Style::warning : Style::plain));
  rows.count("backfill_streams", "agents back-filling", status.backfill_streams());
  rows.count("alerts_firing", "alerts firing", status.alerts_firing(),
             status.alerts_firing() > 0 ? Style::bad : Style::good);
  rows.count("alerts_pending", "alerts pending", status.alerts_pending());
  rows.count("notifications_waiting", "notifications waiting", status.notifications_waiting());
  rows.count("notifications_failed", "notifications failed", status.notifications_failed(),
             alarm(status.notifications_failed(), Style::bad));
  rows.count("actions_waiting", "actions to approve", status.actions_waiting(),
             alarm(status.actions_waiting(), Style::warning));
}

void add_store(const v1::Status& status, StatusRows& rows) {
  rows.add("store_state", "store",
           Cell::of(status.store_state(), status.store_state() == "ok" ? Style::good : Style::bad));
  rows.add("data_directory", "data folder", Cell::of(status.data_directory()));
  const auto disk = static_cast<std::int64_t>(status.disk_bytes());
  rows.add("disk_bytes", "disk", Cell{disk, format_bytes(static_cast<double>(disk)), Style::plain});
  rows.add("bytes_per_sample", "bytes per sample",
           status.bytes_per_sample() == 0
               ? Cell::unknown()
               : Cell::number(status.bytes_per_sample(), fmt::format("{:.2f}", status.bytes_per_sample())));
  rows.moment("oldest_sample_ms", "oldest sample", status.oldest_sample_ms());
}

void add_process(const v1::Status& status, StatusRows& rows) {
  const double up_seconds =
      static_cast<double>(std::max<std::int64_t>(status.now_ms() - status.started_ms(), 1)) / 1000;
  const double cores = status.cpu_seconds() / up_seconds;
  rows.add("cpu_cores", "CPU of the aggregator",
           Cell::number(cores, fmt::format("{:.2f} % of a core", cores * 100)));
  const auto resident = static_cast<std::int64_t>(status.resident_bytes());
  rows.add("resident_bytes", "memory of the aggregator",
           Cell{resident, format_bytes(static_cast<double>(resident)), Style::plain});
}

}  // namespace

Listing status_listing(const v1::Status& status, Format format) {
  Listing listing;
  listing.shape = Shape::pairs;
  listing.columns = {{"key", "WHAT"}, {"value", "VALUE"}};
  StatusRows rows(listing);
  rows.add("version", "version", Cell::of(status.version()));
  rows.moment("started_ms", "started", status.started_ms());
  add_fleet(status, rows);
  add_store(status, rows);
  add_process(status, rows);
  if (format == Format::table) {
    for (const auto& problem : status.problems()) rows.add("", "problem", Cell::of(problem, Style::bad));
    for (const auto& key : status.needs_restart())
      rows.add("", "needs a restart", Cell::of(key, Style::warning));
  } else {
    rows.add("problems", "", Cell::list({status.problems().begin(), status.problems().end()}));
    rows.add("needs_restart", "", Cell::list({status.needs_restart().begin(), status.needs_restart().end()}));
  }
  return listing;
}

Run declare_status(CLI::App&) {
  return [](Context& context) -> Result<Exit> {
    const auto status = context.client->status();
    if (!status) return status.error();
    show(context, status_listing(*status, context.format));
    return Exit::ok;
  };
}

}  // namespace vigil::cli
