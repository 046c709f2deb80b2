// The doctor's judgement of what only an agent has: pure functions over facts.
#pragma once

#include "common/doctor/finding.h"
#include "common/error.h"

#include <chrono>
#include <optional>
#include <string>

namespace vigil::agent {

/// What this kernel, or this container, lets an agent see.
struct KernelFacts {
  std::string release;           // "6.1.0-18-amd64"
  bool has_pressure = false;     // PSI, /proc/pressure
  std::string cgroups;           // "version 2", "version 1", "hybrid"; "" for none
  bool sees_processes = true;    // of other users: not with hidepid=
  bool reads_their_io = true;    // /proc/1/io
  std::string procfs = "/proc";  // where it looked
};
doctor::Findings check_kernel(const KernelFacts& facts);

/// A socket of a container engine.
struct RuntimeFacts {
  std::string socket;
  bool is_configured = false;  // it was named by hand
  std::optional<Error> trouble;
  std::string version;       // as it said it
  bool is_podman = false;    // else Docker's
  bool is_reader = false;    // it is vigil-docker-reader's, which asks the engine for the agent
  std::string service_user;  // whom the agent's unit runs as, where root asked directly in its stead
};
doctor::Finding check_runtime(const RuntimeFacts& facts);

/// What the aggregator said of itself.
struct AggregatorFacts {
  std::string trouble;  // why it was not told
  std::string version;
  std::chrono::milliseconds clock_offset{};  // its clock minus ours
  std::chrono::milliseconds round_trip{};
};
doctor::Findings check_aggregator(const AggregatorFacts& facts, const std::string& our_version);

}  // namespace vigil::agent
