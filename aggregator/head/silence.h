// Times for which nothing of a host is stored, found in a few of its series: what is sampled with each beat,
// and what collectors tell of themselves (node_scrape_collector_success). Found when somebody asks, not noted
// when it happens: what an outage left closes its own hole when it comes. Pure.
#pragma once

#include "aggregator/promql/storage.h"
#include "common/series.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace vigil::aggregator {

/// Unix milliseconds, both inclusive.
struct Span {
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  friend bool operator==(const Span&, const Span&) = default;
};
/// Ascending, apart.
using Spans = std::vector<Span>;

Spans intersect(const Spans& left, const Spans& right);
Spans subtract(const Spans& from, const Spans& what);

/// Of a collector whose runs failed or hung; its series have no samples then.
struct Blocked {
  std::string collector;
  Span span;
};

class Traces {
 public:
  /// A hole shorter than this, or than three beats, is none.
  static constexpr std::int64_t kLeastMs = 3000;

  /// Of a host that samples each `beat_ms`; before `start_ms` nobody looks.
  Traces(std::int64_t start_ms, std::int64_t beat_ms);

  /// Points of a series that goes on while the agent samples, later than those it had before.
  void add(const promql::SelectedSeries& series);

  bool empty() const { return trails_.empty(); }
  /// Of all points; 0: there are none.
  std::int64_t first_ms() const;
  std::int64_t newest_ms() const;
  /// Up to end_ms: no series left a trace.
  Spans silences(std::int64_t end_ms) const;
  /// By collector and time.
  std::vector<Blocked> blocked() const;
  std::int64_t least_ms() const { return least_ms_; }

 private:
  /// A step from one point to the next is a hole when it is much longer than its neighbours: series have
  /// intervals of their own, which may change.
  struct Trail {
    bool of_collector = false;  // a value of 0 means that it failed
    std::int64_t first_ms = 0;
    std::int64_t last_ms = 0;         // its newest point; 0: none
    std::int64_t step_ms = 0;         // that led to it; 0: none did
    std::int64_t before_step_ms = 0;  // the step before that; 0: none
    std::int64_t coarse_ms = 0;       // of the newest point: what it stands for; 0: a sample
    bool fails = false;               // the newest point says so
    Spans holes;
    Spans failed;
  };
  bool is_hole(const Trail& trail, std::int64_t next_step_ms) const;
  /// Judges the step to the newest point, now that the one after it is known; 0: there is none.
  void judge_step(Trail& trail, std::int64_t next_step_ms) const;
  void see(Trail& trail, const promql::Point& point, std::int64_t coarse_ms) const;

  const std::int64_t start_ms_;
  const std::int64_t beat_ms_;
  const std::int64_t least_ms_;
  std::map<Labels, Trail> trails_;
};

}  // namespace vigil::aggregator
