// The aggregator's own metrics: one place where every part counts, and the text that /metrics shows.
//
// Instruments are made once, at start, and live as long as the registry; counting is one relaxed atomic
// addition and may happen on any thread. What another object already counts is read when somebody asks
// (`collect`).
#pragma once

#include "common/series.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace vigil::aggregator::self {

class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_ = 0;
};

/// Durations in seconds, in buckets from 100 us to 10 s.
class Histogram {
 public:
  static constexpr std::array<double, 12> kBounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                     0.01,   0.025,   0.05,   0.1,   0.5,    10};
  void observe(double seconds);
  std::uint64_t count() const;
  double sum() const { return static_cast<double>(sum_us_.load(std::memory_order_relaxed)) / 1e6; }
  /// Observations up to kBounds[i], cumulative.
  std::uint64_t up_to(std::size_t i) const;

 private:
  std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> buckets_{};
  std::atomic<std::uint64_t> sum_us_ = 0;
};

enum class Kind : std::uint8_t { counter, gauge };

class Registry {
 public:
  Counter& counter(const std::string& name, const std::string& help, Labels labels = {});
  Gauge& gauge(const std::string& name, const std::string& help, Labels labels = {});
  Histogram& histogram(const std::string& name, const std::string& help);

  /// A number somebody else keeps, asked for at each exposition on the asking thread; `read` must not block
  /// for long.
  void collect(Kind kind, const std::string& name, const std::string& help, std::function<double()> read,
               Labels labels = {});
  /// A family whose label sets come and go.
  using Samples = std::vector<std::pair<Labels, double>>;
  void collect_many(Kind kind, const std::string& name, const std::string& help,
                    std::function<Samples()> read);

  /// Prometheus text exposition, families by name.
  std::string exposition() const;
  /// The same as values: of a histogram its buckets, sum and count.
  struct Reading {
    Kind kind = Kind::counter;
    std::string name;
    Labels labels;
    double value = 0;
  };
  std::vector<Reading> read() const;

 private:
  struct Family {
    Kind kind = Kind::counter;
    std::string help;
    std::vector<std::function<Samples()>> sources;
    const Histogram* histogram = nullptr;
  };
  Family& family(const std::string& name, const std::string& help, Kind kind);

  mutable std::mutex mutex_;  // protects what follows, not the values in it
  std::deque<Counter> counters_;
  std::deque<Gauge> gauges_;
  std::deque<Histogram> histograms_;
  std::map<std::string, Family> families_;
};

/// process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds, ... as Prometheus's client
/// libraries name them.
void add_process_metrics(Registry& registry);

}  // namespace vigil::aggregator::self
