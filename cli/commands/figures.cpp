#include "cli/commands/figures.h"

#include "common/text/human.h"

#include <algorithm>
#include <cmath>

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

}  // namespace

Cell time_cell(std::int64_t t_ms) {
  return t_ms == 0 ? Cell::unknown() : Cell::number(t_ms);
}

Cell when_cell(std::int64_t t_ms) {
  return t_ms == 0 ? Cell::unknown() : Cell{t_ms, format_local_time(t_ms), Style::plain};
}

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

namespace {

constexpr std::int64_t kTellOfMachineMs = 86'400'000;
constexpr double kSkewSeconds = 5;

/// "+2m 5s", "-400ms"
std::string skew_text(double seconds) {
  const auto ms = static_cast<std::int64_t>(std::abs(seconds) * 1000);
  constexpr std::int64_t kShown = 50;  // less is shown as nothing, without a sign
  if (ms < kShown) return "0.0s";
  const std::string text = ms < 10'000 ? fmt::format("{:.1f}s", std::abs(seconds))
                                       : format_age(std::chrono::milliseconds(ms / 1000 * 1000));
  return (seconds < 0 ? "-" : "+") + text;
}

/// What a person should know of a host besides its figures.
std::string note_of(const v1::Host& host, std::int64_t now_ms) {
  std::vector<std::string> notes;
  if (!host.duplicate_remote().empty()) notes.push_back("second agent at " + host.duplicate_remote());
  if (host.machine_changed_ms() != 0 && now_ms - host.machine_changed_ms() < kTellOfMachineMs)
    notes.push_back("another machine since " + format_local_time(host.machine_changed_ms()).substr(11));
  if (std::abs(host.clock_skew_seconds()) > kSkewSeconds)
    notes.push_back("clock " + skew_text(host.clock_skew_seconds()));
  return fmt::format("{}", fmt::join(notes, "; "));
}

/// ">5m": for five minutes at least, which is as long as the aggregator knows.
Cell since_cell(const v1::Host& host, std::int64_t now_ms) {
  return Cell{host.since_ms(), (host.since_earlier() ? ">" : "") + ago(host.since_ms(), now_ms),
              Style::plain};
}

/// An aggregator that speaks TLS takes no agent without a certificate or a word about TLS; through its socket
/// one does not see which it is.
std::string no_hosts_note(const ClientOptions& asked) {
  constexpr std::string_view kInvited = "vigil agent invite --name HOST";
  constexpr std::string_view kPlain = "vigil-agent --aggregator HOST:8460";
  if (asked.tls) return fmt::format("No hosts yet. Let one in: {}", kInvited);
  if (asked.address.starts_with("unix:"))
    return fmt::format("No hosts yet. Let one in: {}; without certificates start an agent: {}", kInvited,
                       kPlain);
  return fmt::format("No hosts yet. Start an agent: {}", kPlain);
}

std::vector<Cell> host_row(const v1::Host& host, std::int64_t now_ms) {
  using H = v1::Host;
  const auto uptime = optional_of(host, &H::has_uptime_seconds, &H::uptime_seconds);
  const bool skewed = std::abs(host.clock_skew_seconds()) > 1;
  const bool alarming = !host.duplicate_remote().empty();
  return {Cell::of(host.name(), alarming ? Style::bad : Style::bold),
          Cell::of(std::string(to_text(host.state())), style_of(host.state())),
          since_cell(host, now_ms),
          ratio_cell(optional_of(host, &H::has_cpu_busy_ratio, &H::cpu_busy_ratio), 0.8, 0.9),
          ratio_cell(optional_of(host, &H::has_memory_used_ratio, &H::memory_used_ratio), 0.85, 0.95),
          ratio_cell(optional_of(host, &H::has_disk_used_ratio, &H::disk_used_ratio), 0.85, 0.95),
          decimal_cell(optional_of(host, &H::has_load1, &H::load1), 2),
          decimal_cell(optional_of(host, &H::has_cpus, &H::cpus), 0),
          rate_cell(optional_of(host, &H::has_network_bytes_per_second, &H::network_bytes_per_second)),
          uptime ? Cell::number(*uptime, format_age(std::chrono::seconds(static_cast<std::int64_t>(*uptime))))
                 : Cell::unknown(),
          Cell::number(static_cast<std::int64_t>(host.series())),
          Cell::number(host.clock_skew_seconds(), skew_text(host.clock_skew_seconds()),
                       skewed ? Style::warning : Style::faint),
          Cell::of(host.kind().empty() || host.kind() == "agent" ? host.agent_version() : host.kind()),
          Cell::of(note_of(host, now_ms), alarming ? Style::bad : Style::warning),
          time_cell(host.last_sample_ms()),
          Cell::of(host.remote()),
          Cell::object(object_of(host.labels())),
          time_cell(host.machine_changed_ms()),
          Cell::of(host.duplicate_remote()),
          Cell::number(static_cast<std::int64_t>(host.duplicates())),
          Cell::number(static_cast<std::int64_t>(host.gap_batches())),
          Cell::number(static_cast<std::int64_t>(host.lost_batches())),
          Cell::of(host.kind()),
          host.delivery_interval_ms() == 0 ? Cell::unknown()
                                           : Cell::number(std::int64_t{host.delivery_interval_ms()})};
}

}  // namespace

Listing hosts_listing(const v1::ListHostsResponse& hosts, std::int64_t now_ms, const ClientOptions& asked) {
  Listing listing;
  listing.empty_note = no_hosts_note(asked);
  listing.columns = {{"name", "HOST", Align::left, Fit::cut},
                     {"state", "STATE"},
                     {"since_ms", "FOR", Align::right, Fit::important},
                     {"cpu_busy_ratio", "CPU", Align::right},
                     {"memory_used_ratio", "MEMORY", Align::right},
                     {"disk_used_ratio", "DISK", Align::right},
                     {"load1", "LOAD1", Align::right},
                     {"cpus", "CPUS", Align::right, Fit::optional},
                     {"network_bytes_per_second", "NETWORK", Align::right, Fit::important},
                     {"uptime_seconds", "UPTIME", Align::right, Fit::useful},
                     {"series", "SERIES", Align::right, Fit::optional},
                     {"clock_skew_seconds", "CLOCK", Align::right, Fit::useful},
                     {"agent_version", "AGENT", Align::left, Fit::optional},
                     {"note", "NOTE", Align::left, Fit::cut},
                     {"last_sample_ms", ""},
                     {"remote", ""},
                     {"labels", ""},
                     {"machine_changed_ms", ""},
                     {"duplicate_remote", ""},
                     {"duplicates", ""},
                     {"gap_batches", ""},
                     {"lost_batches", ""},
                     {"kind", ""},
                     {"delivery_interval_ms", ""}};
  for (const auto& host : hosts.hosts()) listing.rows.push_back(host_row(host, now_ms));
  return listing;
}

Listing containers_listing(const v1::ListContainersResponse& containers, std::int64_t now_ms) {
  Listing listing;
  listing.empty_note = "No containers.";
  listing.columns = {{"host", "HOST", Align::left, Fit::cut},
                     {"name", "CONTAINER", Align::left, Fit::cut},
                     {"state", "STATE"},
                     {"health", "HEALTH"},
                     {"restarts", "RESTARTS", Align::right, Fit::important},
                     {"exit_code", "EXIT", Align::right, Fit::important},
                     {"oom_kills", "OOM", Align::right, Fit::important},
                     {"cpu_cores", "CPU", Align::right},
                     {"memory_bytes", "MEMORY", Align::right},
                     {"memory_limit_bytes", "LIMIT", Align::right, Fit::useful},
                     {"network_bytes_per_second", "NETWORK", Align::right, Fit::useful},
                     {"io_bytes_per_second", "I/O", Align::right, Fit::useful},
                     {"started_ms", "UP", Align::right, Fit::important},
                     {"image", "IMAGE", Align::left, Fit::optional}};
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

namespace {

/// How long it has been so; of a resolved one, how long it was.
Cell lasted_cell(const v1::Alert& alert, std::int64_t now_ms) {
  return age_cell(alert.active_since_ms(), alert.resolved_at_ms() != 0 ? alert.resolved_at_ms() : now_ms);
}

/// With its unit where the rule says one.
Cell alert_value_cell(const v1::Alert& alert) {
  const auto said = alert.annotations().find("value");
  return Cell::number(alert.value(),
                      said == alert.annotations().end() ? format_si(alert.value()) : said->second);
}

/// The rule's summary, and for people what else is to be known at a glance.
Cell about_cell(const v1::Alert& alert) {
  const auto summary = alert.annotations().find("summary");
  const std::string plain = summary == alert.annotations().end() ? "" : summary->second;
  std::string text = plain;
  const auto add = [&text](const std::string& note) { text += (text.empty() ? "" : " ") + note; };
  if (!alert.inhibited_by().empty()) add("(held back by " + alert.inhibited_by() + ")");
  for (const std::string_view standing : {"silenced", "in maintenance", "flapping", "no data"}) {
    // Of no data and of flapping the summary may speak itself.
    if (alert.standing() == standing && plain.find(fmt::format("({}", standing)) == std::string::npos)
      add(fmt::format("({})", standing));
  }
  if (alert.unheard_since_ms() != 0)
    add("(nothing heard since " + format_local_time(alert.unheard_since_ms()) + ")");
  if (!alert.acked_by().empty()) add("(" + alert.acked_by() + " looks after it)");
  Cell cell = Cell::of(plain);
  cell.text = std::move(text);
  return cell;
}

std::vector<Cell> alert_row(const v1::Alert& alert, std::int64_t now_ms) {
  const Style style = alert.state() == "firing" ? severity_style(alert.severity()) : Style::faint;
  return {Cell::of(alert.state(), style),
          Cell::of(alert.severity(), style),
          Cell::of(alert.name(), Style::bold),
          Cell::of(alert.instance()),
          alert_value_cell(alert),
          lasted_cell(alert, now_ms),
          about_cell(alert),
          Cell::of(alert.id()),
          Cell::of(alert.group()),
          Cell::object(object_of(alert.labels())),
          Cell::object(object_of(alert.annotations())),
          time_cell(alert.fired_at_ms()),
          time_cell(alert.resolved_at_ms()),
          Cell::of(alert.reason()),
          Cell::of(alert.inhibited_by()),
          Cell::list({alert.silenced_by().begin(), alert.silenced_by().end()}),
          Cell::of(alert.acked_by()),
          time_cell(alert.acked_at_ms()),
          Cell::of(alert.ack_comment()),
          Cell::of(alert.standing()),
          Cell::list({alert.evidence().begin(), alert.evidence().end()}),
          Cell::list({alert.inhibited_by_ids().begin(), alert.inhibited_by_ids().end()}),
          time_cell(alert.unheard_since_ms())};
}

}  // namespace

Listing alerts_listing(const v1::ListAlertsResponse& alerts, std::int64_t now_ms) {
  Listing listing;
  listing.empty_note = "No alerts: nothing is pending or firing.";
  listing.columns = {
      {"state", "STATE"},
      {"severity", "SEVERITY", Align::left, Fit::useful},  // the colour of its state says it, too
      {"name", "ALERT"},
      {"instance", "HOST", Align::left, Fit::cut},
      {"value", "VALUE", Align::right, Fit::useful},  // as mostly the summary does
      {"active_since_ms", "FOR", Align::right, Fit::important},
      {"summary", "SUMMARY", Align::left, Fit::cut, Programs::json_and_csv, 24},
      {"id", ""},
      {"group", ""},
      {"labels", ""},
      {"annotations", ""},
      {"fired_at_ms", ""},
      {"resolved_at_ms", ""},
      {"reason", ""},
      {"inhibited_by", ""},
      {"silenced_by", ""},
      {"acked_by", ""},
      {"acked_at_ms", ""},
      {"ack_comment", ""},
      {"standing", ""},
      {"evidence", ""},
      {"inhibited_by_ids", ""},
      {"unheard_since_ms", ""}};
  for (const auto& alert : alerts.alerts()) listing.rows.push_back(alert_row(alert, now_ms));
  return listing;
}

}  // namespace vigil::cli
