// The doctor's judgement of an aggregator and its fleet as they tell of themselves: pure functions over
// answers.
#pragma once

#include "common/doctor/finding.h"
#include "vigil/v1/fleet.pb.h"

#include <chrono>
#include <string>

namespace vigil::cli {

/// When the question for the status was asked and answered, by this machine's clock, Unix milliseconds.
struct Asked {
  std::int64_t at_ms = 0;
  std::int64_t answered_ms = 0;
};

/// Its version and clock against ours, and each of its problems.
doctor::Findings check_status(const v1::Status& status, const Asked& asked, const std::string& our_version);

/// Agents that are down, of another version than their aggregator, or share a name.
doctor::Findings check_hosts(const v1::ListHostsResponse& hosts, const std::string& aggregator_version);

}  // namespace vigil::cli
