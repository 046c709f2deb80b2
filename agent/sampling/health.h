// How a collector is doing: what its runs brought, logged once when it starts failing and once when it works
// again, and the series that tell: node_scrape_collector_success, node_scrape_collector_duration_seconds,
// vigil_collector_age_seconds.
#pragma once

#include "agent/sampling/apart.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace vigil::agent {

/// Owned by the runner; the beat's thread.
class Health {
 public:
  Health(std::string_view collector, std::chrono::steady_clock::time_point start)
      : name_(collector), last_success_(start) {}

  void ran(const Outcome& outcome, std::chrono::steady_clock::time_point now);
  /// A run that gave no answer by its deadline.
  void hung(std::chrono::milliseconds deadline);
  /// Whether to try at all: what a host does not have is looked for once a minute.
  bool worth_trying(std::chrono::steady_clock::time_point now) const { return now >= not_before_; }
  /// Puts this collector's series, once it has run; nothing for what the host does not have.
  void report(std::chrono::steady_clock::time_point now, Sheet& sheet) const;

  static constexpr std::chrono::seconds kRetryUnsupported{60};

 private:
  enum class State : std::uint8_t { unknown, good, failing, unsupported };
  void enter_failure(const Error& error);

  const std::string name_;
  State state_ = State::unknown;
  std::chrono::steady_clock::time_point last_success_;
  std::chrono::steady_clock::time_point not_before_{};
  std::chrono::nanoseconds duration_{0};
};

}  // namespace vigil::agent
