// What came out of a run, as figures and as the words for them.
#pragma once

#include "cli/bench/read_back.h"
#include "cli/output/listing.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vigil::cli {

/// What an aggregator had cost at one moment; nothing where it is not known.
struct AggregatorFigures {
  std::optional<double> cpu_seconds;
  std::optional<std::uint64_t> rss_bytes;
  std::optional<std::uint64_t> written_bytes;
  std::optional<std::uint64_t> disk_bytes;
  std::optional<std::uint64_t> series;  // all it holds, when they are not only ours
};

/// What was measured. Moments: ready, connected, steady from-to, drained, [read back], stopping, stopped.
struct RunFigures {
  std::string version;
  std::string trace;
  std::size_t agents = 0;
  std::size_t series = 0;  // of each agent
  std::chrono::milliseconds interval{0};
  std::chrono::milliseconds steady{0};  // how long the steady phase was

  std::uint64_t samples_sent = 0;
  std::uint64_t samples_acked = 0;
  std::uint64_t steady_acked = 0;  // in the steady phase
  std::chrono::microseconds ack_p50{0}, ack_p99{0}, ack_max{0};
  std::chrono::milliseconds delivery_interval{0};
  std::optional<ReadBack> read_back;

  AggregatorFigures before;       // any agent connected
  AggregatorFigures connected;    // all connected, nothing sent
  AggregatorFigures steady_from;  // after their first deliveries
  AggregatorFigures steady_to;
  AggregatorFigures stopping;  // about to be stopped
  AggregatorFigures stopped;   // sealed, ended
  double own_cpu_seconds = 0;  // of this program, in the steady phase
  std::uint64_t message_bytes = 0;
};

/// What follows from them; nothing where it is not known.
struct Report {
  std::optional<double> aggregator_cpu_seconds;  // steady phase, and sealing at its stop
  std::optional<double> sealing_cpu_seconds;
  std::optional<double> connecting_cpu_seconds;
  std::optional<double> samples_per_cpu_second;
  std::optional<double> rss_bytes;
  std::optional<double> rss_bytes_per_series;
  std::optional<double> rss_bytes_per_new_stream;
  std::optional<double> disk_bytes;
  std::optional<double> bytes_per_sample;
  std::optional<double> written_bytes_per_sample;
  double accepted_per_second = 0;
};

Report evaluate(const RunFigures& figures);

/// One JSON object, keys as in docs/benchmarks.md; null is what is not known.
std::string to_json(const RunFigures& figures);
/// Rows "what: value", for tables and CSV.
Listing to_listing(const RunFigures& figures);

}  // namespace vigil::cli
