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
    show(context, hosts_listing(*hosts, context.now_ms));
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
  return [request, fail_on](Context& context) -> Result<Exit> {
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
}

Run declare_rules(CLI::App& app) {
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
                       {"firing", "FIRING", Align::right},
                       {"pending", "PENDING", Align::right},
                       {"group", "GROUP"},
                       {"expression", "EXPRESSION", Align::left, Fit::cut},
                       {"origin", ""},
                       {"file", ""},
                       {"last_error", "ERROR"}};
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

Run declare_status(CLI::App&) {
  return [](Context& context) -> Result<Exit> {
    const auto status = context.client->status();
    if (!status) return status.error();
    const double up_seconds =
        static_cast<double>(std::max<std::int64_t>(status->now_ms() - status->started_ms(), 1)) / 1000;
    Listing listing;
    listing.columns = {{"key", "WHAT"}, {"value", "VALUE"}};
    const auto row = [&listing](std::string key, Cell cell) {
      listing.rows.push_back({Cell::of(std::move(key), Style::faint), std::move(cell)});
    };
    const auto count = [](std::uint64_t value, Style style = Style::plain) {
      return Cell::number(static_cast<std::int64_t>(value), style);
    };
    row("version", Cell::of(status->version()));
    row("started", Cell{status->started_ms(), format_local_time(status->started_ms()), Style::plain});
    row("hosts up", count(status->hosts_up(), Style::good));
    row("hosts late", count(status->hosts_late(), status->hosts_late() > 0 ? Style::warning : Style::plain));
    row("hosts down", count(status->hosts_down(), status->hosts_down() > 0 ? Style::bad : Style::plain));
    row("hosts left", count(status->hosts_left()));
    row("series", count(status->series()));
    row("samples per second",
        Cell::number(status->samples_per_second(), format_si(status->samples_per_second())));
    row("alerts firing",
        count(status->alerts_firing(), status->alerts_firing() > 0 ? Style::bad : Style::good));
    row("alerts pending", count(status->alerts_pending()));
    row("notifications waiting", count(status->notifications_waiting()));
    row("notifications failed", count(status->notifications_failed(),
                                      status->notifications_failed() > 0 ? Style::bad : Style::plain));
    row("store", Cell::of(status->store_state(), status->store_state() == "ok" ? Style::good : Style::bad));
    row("data folder", Cell::of(status->data_directory()));
    row("disk", bytes_cell(static_cast<double>(status->disk_bytes())));
    row("bytes per sample",
        Cell::number(status->bytes_per_sample(), fmt::format("{:.2f}", status->bytes_per_sample())));
    row("oldest sample",
        Cell{status->oldest_sample_ms(),
             status->oldest_sample_ms() == 0 ? "-" : format_local_time(status->oldest_sample_ms()),
             Style::plain});
    row("CPU of the aggregator",
        Cell::number(status->cpu_seconds() / up_seconds,
                     fmt::format("{:.2f} % of a core", status->cpu_seconds() / up_seconds * 100)));
    row("memory of the aggregator", bytes_cell(static_cast<double>(status->resident_bytes())));
    for (const auto& problem : status->problems()) row("problem", Cell::of(problem, Style::bad));
    show(context, listing);
    return Exit::ok;
  };
}

}  // namespace vigil::cli
