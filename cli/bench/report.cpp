#include "cli/bench/report.h"

#include "common/text/exposition.h"
#include "common/text/human.h"

#include <boost/json.hpp>

namespace vigil::cli {
namespace {

using Known = std::optional<double>;

template <class Number>
Known known(const std::optional<Number>& value) {
  return value ? Known(static_cast<double>(*value)) : Known();
}

template <class Number>
Known growth(const std::optional<Number>& from, const std::optional<Number>& to) {
  if (!from || !to || *to < *from) return {};
  return static_cast<double>(*to) - static_cast<double>(*from);
}

Known share(Known of, double parts) {
  return of && parts > 0 ? Known(*of / parts) : Known();
}

double milliseconds_of(std::chrono::microseconds time) {
  return static_cast<double>(time.count()) / 1000;
}

/// Seconds of CPU one sample costs: taking it in, and its share of what sealing at the stop cost.
Known seconds_per_sample(const RunFigures& run, const Report& report) {
  const Known steady = share(growth(run.steady_from.cpu_seconds, run.steady_to.cpu_seconds),
                             static_cast<double>(run.steady_acked));
  if (!steady) return {};
  const Known sealing = share(report.sealing_cpu_seconds, static_cast<double>(run.samples_acked));
  return *steady + sealing.value_or(0);
}

std::string json_number(Known value) {
  return value ? format_value(*value) : "null";
}

Cell bytes(Known value, std::string_view note = "") {
  if (!value) return Cell{{}, "not known", Style::faint};
  return Cell::number(*value, format_bytes(*value) + std::string(note));
}
Cell decimal(Known value, int decimals, std::string_view unit) {
  if (!value) return Cell{{}, "not known", Style::faint};
  return Cell::number(*value, fmt::format("{:.{}f}{}", *value, decimals, unit));
}
Cell count(std::uint64_t value, Style style = Style::plain) {
  return Cell::number(static_cast<std::int64_t>(value), style);
}
Cell verdict(const std::optional<ReadBack>& read, std::uint64_t ReadBack::*field) {
  if (!read) return Cell{{}, "not known", Style::faint};
  return count((*read).*field, (*read).*field == 0 ? Style::good : Style::bad);
}

std::string read_back_text(const ReadBack& read, std::size_t agents) {
  return fmt::format("{} of {} agents, {} samples: {} value by value, {} counted",
                     read.compared_agents + read.counted_agents, agents,
                     format_si(static_cast<double>(read.samples)), read.compared_agents, read.counted_agents);
}

}  // namespace

Report evaluate(const RunFigures& run) {
  Report report;
  const auto acked = static_cast<double>(run.samples_acked);
  const double series = run.steady_to.series
                            ? static_cast<double>(*run.steady_to.series)
                            : static_cast<double>(run.agents) * static_cast<double>(run.series);
  report.sealing_cpu_seconds = growth(run.stopping.cpu_seconds, run.stopped.cpu_seconds);
  report.connecting_cpu_seconds = growth(run.before.cpu_seconds, run.connected.cpu_seconds);
  const Known steady = growth(run.steady_from.cpu_seconds, run.steady_to.cpu_seconds);
  if (steady) report.aggregator_cpu_seconds = *steady + report.sealing_cpu_seconds.value_or(0);
  if (const Known each = seconds_per_sample(run, report); each && *each > 0)
    report.samples_per_cpu_second = 1 / *each;
  report.rss_bytes = known(run.steady_to.rss_bytes);
  report.rss_bytes_per_series = share(report.rss_bytes, series);
  report.rss_bytes_per_new_stream =
      share(growth(run.before.rss_bytes, run.connected.rss_bytes), static_cast<double>(run.agents));
  report.disk_bytes = growth(run.before.disk_bytes, run.stopped.disk_bytes);
  report.bytes_per_sample = share(report.disk_bytes, acked);
  report.written_bytes_per_sample = share(growth(run.before.written_bytes, run.stopped.written_bytes), acked);
  if (run.steady.count() > 0) {
    report.accepted_per_second =
        static_cast<double>(run.steady_acked) * 1000 / static_cast<double>(run.steady.count());
  }
  return report;
}

std::string to_json(const RunFigures& run) {
  const Report report = evaluate(run);
  std::string out;
  const auto put = [&out](std::string_view key, const std::string& value) {
    out += fmt::format("{}\n  \"{}\": {}", out.empty() ? "{" : ",", key, value);
  };
  const auto text = [](const std::string& value) {
    return boost::json::serialize(boost::json::string(value));
  };
  put("version", text(run.version));
  put("trace", text(run.trace));
  put("agents", std::to_string(run.agents));
  put("series", std::to_string(run.series));
  put("interval_ms", std::to_string(run.interval.count()));
  put("duration_s", format_value(static_cast<double>(run.steady.count()) / 1000));
  put("samples_sent", std::to_string(run.samples_sent));
  put("samples_acked", std::to_string(run.samples_acked));
  put("samples_lost", run.read_back ? std::to_string(run.read_back->lost) : "null");
  put("samples_doubled", run.read_back ? std::to_string(run.read_back->doubled) : "null");
  put("aggregator_cpu_seconds", json_number(report.aggregator_cpu_seconds));
  put("samples_per_cpu_second", json_number(report.samples_per_cpu_second));
  put("aggregator_rss_bytes", json_number(report.rss_bytes));
  put("rss_bytes_per_series", json_number(report.rss_bytes_per_series));
  put("disk_bytes", json_number(report.disk_bytes));
  put("bytes_per_sample", json_number(report.bytes_per_sample));
  put("written_bytes_per_sample", json_number(report.written_bytes_per_sample));
  put("ack_latency_ms",
      fmt::format(R"({{"p50": {}, "p99": {}, "max": {}}})", format_value(milliseconds_of(run.ack_p50)),
                  format_value(milliseconds_of(run.ack_p99)), format_value(milliseconds_of(run.ack_max))));
  put("delivery_interval_ms", std::to_string(run.delivery_interval.count()));
  return out + "\n}\n";
}

Listing to_listing(const RunFigures& run) {
  const Report report = evaluate(run);
  Listing listing;
  listing.columns = {{"key", "WHAT"}, {"value", "VALUE"}};
  const auto row = [&listing](std::string key, Cell cell) {
    listing.rows.push_back({Cell::of(std::move(key), Style::faint), std::move(cell)});
  };
  row("fleet", Cell::of(fmt::format("{} agents x {} series, each {}", run.agents, run.series,
                                    format_duration(run.interval))));
  row("trace", Cell::of(run.trace));
  row("version", Cell::of(run.version));
  row("steady phase", Cell::of(format_age(run.steady)));
  row("accepted per second",
      Cell::number(report.accepted_per_second, format_si(report.accepted_per_second) + " samples"));
  row("samples sent", count(run.samples_sent));
  row("samples acknowledged", count(run.samples_acked));
  row("samples lost", verdict(run.read_back, &ReadBack::lost));
  row("samples doubled", verdict(run.read_back, &ReadBack::doubled));
  if (run.read_back) row("read back", Cell::of(read_back_text(*run.read_back, run.agents)));
  row("acknowledged after, p50", decimal(milliseconds_of(run.ack_p50), 1, " ms"));
  row("acknowledged after, p99", decimal(milliseconds_of(run.ack_p99), 1, " ms"));
  row("acknowledged after, max", decimal(milliseconds_of(run.ack_max), 1, " ms"));
  row("delivery interval", Cell::number(static_cast<double>(run.delivery_interval.count()) / 1000,
                                        format_duration(run.delivery_interval)));
  row("aggregator's CPU", decimal(report.aggregator_cpu_seconds, 2, " s"));
  row("  of it sealing at its stop", decimal(report.sealing_cpu_seconds, 2, " s"));
  row("  besides, connecting", decimal(report.connecting_cpu_seconds, 2, " s"));
  row("samples per CPU second",
      report.samples_per_cpu_second
          ? Cell::number(*report.samples_per_cpu_second, format_si(*report.samples_per_cpu_second))
          : Cell{{}, "not known", Style::faint});
  row("aggregator's memory", bytes(report.rss_bytes));
  row("  per series", bytes(report.rss_bytes_per_series));
  row("  per stream, once all have connected", bytes(report.rss_bytes_per_new_stream));
  row("disk", bytes(report.disk_bytes));
  row("  per sample", decimal(report.bytes_per_sample, 3, " bytes"));
  row("written to disk, per sample", decimal(report.written_bytes_per_sample, 2, " bytes"));
  row("sent, per sample",
      decimal(share(static_cast<double>(run.message_bytes), static_cast<double>(run.samples_sent)), 2,
              " bytes, before HTTP/2"));
  row("this program's CPU", decimal(run.own_cpu_seconds, 2, " s, steady phase"));
  return listing;
}

}  // namespace vigil::cli
