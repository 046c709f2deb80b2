#include "cli/commands/figures.h"

#include "common/text/human.h"

namespace vigil::cli {
namespace {

template <class Message, class Has, class Get>
std::optional<double> optional_of(const Message& message, Has has, Get get) {
  if (!(message.*has)()) return std::nullopt;
  return static_cast<double>((message.*get)());
}

std::string ago(std::int64_t then_ms, std::int64_t now_ms) {
  if (then_ms == 0) return "never";
  return format_age(std::chrono::milliseconds(std::max<std::int64_t>(now_ms - then_ms, 0) / 1000 * 1000));
}

Cell age_cell(std::int64_t then_ms, std::int64_t now_ms) {
  return Cell{then_ms, ago(then_ms, now_ms), Style::plain};
}

/// A time of the protocol, where 0 means never.
Cell time_cell(std::int64_t t_ms) {
  return t_ms == 0 ? Cell::unknown() : Cell::number(t_ms);
}

}  // namespace

Cell ratio_cell(std::optional<double> ratio, double warning, double critical) {
  if (!ratio) return Cell::unknown();
  const Style style = *ratio >= critical ? Style::bad : *ratio >= warning ? Style::warning : Style::plain;
  return Cell::number(*ratio, fmt::format("{:.0f} %", *ratio * 100), style);
}

Cell bytes_cell(std::optional<double> bytes) {
  return bytes ? Cell::number(*bytes, format_bytes(*bytes)) : Cell::unknown();
}

Cell rate_cell(std::optional<double> bytes_per_second) {
  return bytes_per_second ? Cell::number(*bytes_per_second, format_bytes(*bytes_per_second) + "/s")
                          : Cell::unknown();
}

Cell decimal_cell(std::optional<double> value, int decimals) {
  return value ? Cell::number(*value, fmt::format("{:.{}f}", *value, decimals)) : Cell::unknown();
}

std::string_view to_text(v1::Host::State state) {
  switch (state) {
    case v1::Host::STATE_UP:
      return "up";
    case v1::Host::STATE_LATE:
      return "late";
    case v1::Host::STATE_DOWN:
      return "down";
    case v1::Host::STATE_LEFT:
      return "left";
    default:
      return "unknown";
  }
}

Style style_of(v1::Host::State state) {
  switch (state) {
    case v1::Host::STATE_UP:
      return Style::good;
    case v1::Host::STATE_LATE:
      return Style::warning;
    case v1::Host::STATE_DOWN:
      return Style::bad;
    default:
      return Style::faint;
  }
}

Style style_of(const v1::Container& container) {
  if (container.health() == "unhealthy" || container.state() == "dead" || container.state() == "missing")
    return Style::bad;
  if (container.state() == "exited") return container.exit_code() == 0 ? Style::faint : Style::bad;
  return container.state() == "running" && container.health() != "starting" ? Style::good : Style::warning;
}

Style severity_style(std::string_view severity) {
  if (severity == "critical" || severity == "page") return Style::bad;
  if (severity == "warning") return Style::warning;
  return Style::plain;
}

Listing hosts_listing(const v1::ListHostsResponse& hosts, std::int64_t now_ms) {
  Listing listing;
  listing.empty_note = "No hosts yet. Start an agent: vigil-agent --aggregator HOST:8460";
  listing.columns = {{"name", "HOST"},
                     {"state", "STATE"},
                     {"since_ms", "FOR", Align::right},
                     {"cpu_busy_ratio", "CPU", Align::right},
                     {"memory_used_ratio", "MEMORY", Align::right},
                     {"disk_used_ratio", "DISK", Align::right},
                     {"load1", "LOAD1", Align::right},
                     {"cpus", "CPUS", Align::right},
                     {"network_bytes_per_second", "NETWORK", Align::right},
                     {"uptime_seconds", "UPTIME", Align::right},
                     {"series", "SERIES", Align::right},
                     {"clock_skew_seconds", "CLOCK", Align::right},
                     {"last_sample_ms", ""},
                     {"agent_version", "AGENT"},
                     {"remote", ""},
                     {"duplicates", ""},
                     {"gap_batches", ""},
                     {"lost_batches", ""}};
  using H = v1::Host;
  for (const auto& host : hosts.hosts()) {
    const auto uptime = optional_of(host, &H::has_uptime_seconds, &H::uptime_seconds);
    const bool skewed = std::abs(host.clock_skew_seconds()) > 1;
    std::string name = host.name();
    if (!host.duplicate_remote().empty()) name += " (duplicate at " + host.duplicate_remote() + ")";
    listing.rows.push_back(
        {Cell{host.name(), name, !host.duplicate_remote().empty() ? Style::bad : Style::bold},
         Cell::of(std::string(to_text(host.state())), style_of(host.state())),
         age_cell(host.since_ms(), now_ms),
         ratio_cell(optional_of(host, &H::has_cpu_busy_ratio, &H::cpu_busy_ratio), 0.8, 0.9),
         ratio_cell(optional_of(host, &H::has_memory_used_ratio, &H::memory_used_ratio), 0.85, 0.95),
         ratio_cell(optional_of(host, &H::has_disk_used_ratio, &H::disk_used_ratio), 0.85, 0.95),
         decimal_cell(optional_of(host, &H::has_load1, &H::load1), 2),
         decimal_cell(optional_of(host, &H::has_cpus, &H::cpus), 0),
         rate_cell(optional_of(host, &H::has_network_bytes_per_second, &H::network_bytes_per_second)),
         uptime ? Cell::number(*uptime, format_age(std::chrono::seconds(static_cast<std::int64_t>(*uptime))))
                : Cell::unknown(),
         Cell::number(static_cast<std::int64_t>(host.series())),
         Cell::number(host.clock_skew_seconds(), fmt::format("{:+.1f}s", host.clock_skew_seconds()),
                      skewed ? Style::warning : Style::faint),
         time_cell(host.last_sample_ms()), Cell::of(host.agent_version()), Cell::of(host.remote()),
         Cell::number(static_cast<std::int64_t>(host.duplicates())),
         Cell::number(static_cast<std::int64_t>(host.gap_batches())),
         Cell::number(static_cast<std::int64_t>(host.lost_batches()))});
  }
  return listing;
}

Listing containers_listing(const v1::ListContainersResponse& containers, std::int64_t now_ms) {
  Listing listing;
  listing.empty_note = "No containers.";
  listing.columns = {{"host", "HOST"},
                     {"name", "CONTAINER"},
                     {"state", "STATE"},
                     {"health", "HEALTH"},
                     {"restarts", "RESTARTS", Align::right},
                     {"exit_code", "EXIT", Align::right},
                     {"oom_kills", "OOM", Align::right},
                     {"cpu_cores", "CPU", Align::right},
                     {"memory_bytes", "MEMORY", Align::right},
                     {"memory_limit_bytes", "LIMIT", Align::right},
                     {"network_bytes_per_second", "NETWORK", Align::right},
                     {"io_bytes_per_second", "I/O", Align::right},
                     {"started_ms", "UP", Align::right},
                     {"image", "IMAGE"}};
  using C = v1::Container;
  for (const auto& container : containers.containers()) {
    const Style style = style_of(container);
    const bool running = container.state() == "running";
    const auto cpu = optional_of(container, &C::has_cpu_cores, &C::cpu_cores);
    const Cell exit =
        container.has_exit_code() && !running ? Cell::number(container.exit_code()) : Cell::unknown();
    listing.rows.push_back(
        {Cell::of(container.host()), Cell::of(container.name(), Style::bold),
         Cell::of(container.state(), style),
         container.health().empty() ? Cell::unknown() : Cell::of(container.health(), style),
         Cell::number(static_cast<std::int64_t>(container.restarts()),
                      container.restarts() > 0 ? Style::warning : Style::plain),
         exit,
         Cell::number(static_cast<std::int64_t>(container.oom_kills()),
                      container.oom_kills() > 0 ? Style::bad : Style::plain),
         cpu ? Cell::number(*cpu, fmt::format("{:.1f} %", *cpu * 100)) : Cell::unknown(),
         bytes_cell(optional_of(container, &C::has_memory_bytes, &C::memory_bytes)),
         bytes_cell(optional_of(container, &C::has_memory_limit_bytes, &C::memory_limit_bytes)),
         rate_cell(optional_of(container, &C::has_network_bytes_per_second, &C::network_bytes_per_second)),
         rate_cell(optional_of(container, &C::has_io_bytes_per_second, &C::io_bytes_per_second)),
         running && container.started_ms() > 0 ? age_cell(container.started_ms(), now_ms) : Cell::unknown(),
         Cell::of(container.image())});
  }
  return listing;
}

Listing alerts_listing(const v1::ListAlertsResponse& alerts, std::int64_t now_ms) {
  Listing listing;
  listing.empty_note = "No alerts: nothing is pending or firing.";
  listing.columns = {{"state", "STATE"},
                     {"severity", "SEVERITY"},
                     {"name", "ALERT"},
                     {"instance", "HOST"},
                     {"value", "VALUE", Align::right},
                     {"active_since_ms", "FOR", Align::right},
                     {"summary", "SUMMARY"},
                     {"id", ""},
                     {"fired_at_ms", ""},
                     {"resolved_at_ms", ""},
                     {"inhibited_by", ""},
                     {"evidence", ""}};
  for (const auto& alert : alerts.alerts()) {
    const Style style = alert.state() == "firing" ? severity_style(alert.severity()) : Style::faint;
    const auto summary = alert.annotations().find("summary");
    std::string evidence;
    for (const auto& line : alert.evidence()) evidence += (evidence.empty() ? "" : "; ") + line;
    std::string text = summary == alert.annotations().end() ? "" : summary->second;
    if (!alert.inhibited_by().empty()) text += " (held back by " + alert.inhibited_by() + ")";
    listing.rows.push_back(
        {Cell::of(alert.state(), style), Cell::of(alert.severity(), style),
         Cell::of(alert.name(), Style::bold), Cell::of(alert.instance()),
         Cell::number(alert.value(), format_si(alert.value())), age_cell(alert.active_since_ms(), now_ms),
         Cell::of(std::move(text)), Cell::of(alert.id()), time_cell(alert.fired_at_ms()),
         time_cell(alert.resolved_at_ms()), Cell::of(alert.inhibited_by()), Cell::of(std::move(evidence))});
  }
  return listing;
}

}  // namespace vigil::cli
