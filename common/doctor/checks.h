// The doctor's judgement of what both daemons have: pure functions over facts, which probe.h gathers.
#pragma once

#include "common/doctor/finding.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vigil::doctor {

/// What checking a daemon's configuration said.
struct ConfigurationFacts {
  std::string path;                   // of the file; "": there is none
  std::string errors;                 // one a line; "": none
  std::vector<std::string> warnings;  // of what is accepted and probably not meant
};
Findings check_configuration(const ConfigurationFacts& facts);

/// A folder in which a daemon keeps files.
struct FolderFacts {
  std::string label;  // "data folder"
  std::string path;
  bool is_there = false;    // otherwise the rest is of the nearest folder above it, but for the mode
  std::string trouble;      // why it could not be looked at; "" when it could
  std::string owner;        // the user's name, or number
  unsigned mode = 0;        // permission bits
  bool is_writable = true;  // by who runs the doctor
  std::string file_system;  // "ext4", "nfs"
  std::uint64_t free_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::uint64_t free_inodes = 0;
  std::uint64_t total_inodes = 0;  // 0: the file system does not count them
  std::string sync_error;  // of fsync(2) of a file without a name; "" when it went well or was not tried
  std::optional<std::chrono::milliseconds> sync_took;
};
enum class Holds : std::uint8_t { databases, spool };
/// `user`: who the service runs as; "": unknown.
Findings check_folder(const FolderFacts& facts, Holds holds, const std::string& user);

/// This machine's clock.
struct ClockFacts {
  std::string trouble;  // why the kernel does not tell
  bool is_synchronised = false;
  std::chrono::microseconds most_error{};
};
Finding check_clock(const ClockFacts& facts);
/// `offset`: the aggregator's clock minus ours, to half of `round_trip`.
Finding check_offset(std::chrono::milliseconds offset, std::chrono::milliseconds round_trip);

/// A certificate or an authority's, and where it is from.
struct CertificateFacts {
  std::string about;    // "tls.cert: /etc/vigil/server.pem"
  std::string trouble;  // why it cannot be read or used, in one line; "" when it can
  std::string name;     // who it names
  std::int64_t not_before_ms = 0;
  std::int64_t not_after_ms = 0;
};
Finding check_certificate(const CertificateFacts& facts, std::int64_t now_ms);

/// An address at which a daemon listens, or is to.
struct PortFacts {
  std::string about;       // "grpc_listen 0.0.0.0:8460"
  bool is_taken = false;   // somebody listens
  bool is_ours = false;    // ... and is the daemon itself
  std::string bind_error;  // why nobody can listen; "" when one can
};
Finding check_port(const PortFacts& facts);

struct OpenFilesFacts {
  std::uint64_t limit = 0;
  std::string whose;  // "the service's", "this shell's"
};
Finding check_open_files(const OpenFilesFacts& facts, std::uint64_t wanted, std::uint64_t least);

/// A unit of systemd, as `systemctl show` tells of it.
struct UnitFacts {
  std::string name;             // "vigil-agent.service"
  bool is_systemd = false;      // it runs this machine
  std::string load_state;       // "loaded", "not-found"
  std::string active_state;     // "active", "failed"
  std::string result;           // "success", "exit-code"
  std::string unit_file_state;  // "enabled", "disabled"
  std::string user;             // User=, "" for root
  std::string state_directory;  // StateDirectory=, below /var/lib
  std::uint64_t restarts = 0;
  std::uint64_t open_files = 0;  // LimitNOFILE; 0: unknown
  bool is_loaded() const { return load_state == "loaded"; }
};
Finding check_unit(const UnitFacts& facts);

/// Whether what a peer runs fits to what runs here.
Finding check_version(std::string about, const std::string& ours, const std::string& theirs);

}  // namespace vigil::doctor
