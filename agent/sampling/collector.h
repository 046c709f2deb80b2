// What a collector is. It reads one subsystem and puts what it saw on its sheet; it knows nothing of timing,
// logging, retries, the wire or other collectors. The runner measures its duration, reports its success and
// decides when it runs.
#pragma once

#include "agent/sampling/sheet.h"
#include "common/error.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace vigil::agent {

/// Where the host's own trees are mounted: "/proc", "/sys", "/" on the host itself; other paths for recorded
/// hosts in tests and for an agent in a container that looks at its host.
struct Roots {
  std::string procfs = "/proc";
  std::string sysfs = "/sys";
  std::string rootfs = "/";
};

struct Tick {
  std::int64_t wall_ms = 0;                        // Unix milliseconds, aligned to the beat
  std::chrono::steady_clock::time_point steady{};  // for intervals
};

/// Which thread may run a collector.
enum class Lane : std::uint8_t {
  beat,   // the beat's own thread: plain kernel reads that cannot wait for anybody
  apart,  // a thread of its own with a deadline: whatever may hang (statfs, hwmon, D-Bus, a daemon)
};

class Collector {
 public:
  virtual ~Collector() = default;
  /// node_exporter's name of the collector where it has one: "cpu", "meminfo", "filesystem".
  virtual std::string_view name() const = 0;
  virtual Lane lane() const { return Lane::beat; }
  /// How often it should run unless configured; a multiple of the beat.
  virtual std::chrono::milliseconds interval() const { return std::chrono::seconds(1); }
  /// The value of the label `job` of its series.
  virtual std::string_view job() const { return "node"; }
  /// Reads and puts. Errc::unsupported means this host has no such thing: not a failure, nothing is reported.
  /// After any other error what was put is still delivered, with node_scrape_collector_success 0.
  virtual Result<void> collect(const Tick& tick, Sheet& sheet) = 0;
};

}  // namespace vigil::agent
