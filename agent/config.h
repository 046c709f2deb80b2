// The agent's configuration: every key with its default. Without a file, the agent watches this host and
// sends to loopback.
#pragma once

#include "agent/collectors/table.h"
#include "agent/enrolment/identity_file.h"
#include "common/config/fields.h"
#include "common/delivery/channel.h"
#include "common/log/log.h"
#include "common/text/address.h"

#include <chrono>
#include <map>
#include <optional>
#include <string>

namespace vigil::agent {

struct CollectorSettings {
  bool enabled = true;
  std::optional<std::chrono::milliseconds> interval;  // nothing: the collector's own
};

struct TlsSettings {
  bool enabled = false;
  std::string ca;  // paths of PEM files
  std::string cert;
  std::string key;
  std::string dir;         // of identity.pem; empty: see identity_folder()
  bool plaintext = false;  // send unencrypted to another machine all the same
};

struct SpoolSettings {
  std::string dir;  // empty: systemd's STATE_DIRECTORY, or memory only
  config::Bytes max_size{64 << 20};
};

struct AgentConfig {
  std::string name;  // empty: the host's name
  std::string aggregator = kGrpcAddress;
  std::chrono::milliseconds interval{1000};
  std::map<std::string, std::string> labels;
  std::map<std::string, CollectorSettings> collectors;
  CollectorOptions options;  // paths, filters, docker_socket, top_processes
  std::string actions_file;  // what the aggregator may ask for; empty: nothing
  config::Bytes buffer{16 << 20};
  SpoolSettings spool;
  std::uint32_t max_series = 5000;
  TlsSettings tls;
  log::Level log_level = log::Level::info;
  config::Place at;  // for messages; flags are noted in it
};

void describe(config::Fields& fields, CollectorSettings& settings);
void describe(config::Fields& fields, TlsSettings& tls);
void describe(config::Fields& fields, SpoolSettings& spool);
void describe(config::Fields& fields, AgentConfig& config);

/// Where samples wait on disk: spool.dir, else systemd's STATE_DIRECTORY (systemd.exec(5)); empty: nowhere.
std::string spool_directory(const AgentConfig& config);

/// Where `vigil-agent enroll` keeps who this host is: tls.dir, else where samples wait, else
/// /var/lib/vigil-agent.
std::string identity_folder(const AgentConfig& config);
/// Whether the configuration says itself how to connect: what enrolling stored is not used then.
bool says_how_to_speak(const TlsSettings& tls);
/// What it stored, where the configuration says nothing of its own about TLS; nothing: this host is not
/// enrolled. Errors name the file.
Result<std::optional<OwnIdentity>> stored_identity(const AgentConfig& config);
/// The host's name at the aggregator: of the configuration, else of the certificate, else the system's.
std::string name_at_aggregator(const AgentConfig& config);

inline constexpr std::size_t kMaxHostLabels = 16;

/// What no single key can tell: names, label limits, intervals, addresses, plain text beyond loopback, TLS
/// files. All errors at once, one a line, as "file:line:column: key: ...".
Result<void> check(const AgentConfig& config);
/// What --check says of a configuration without errors: a line for each thing that is accepted and probably
/// not meant, and that it is valid.
std::string checked(const AgentConfig& config);
/// Whether samples can wait on disk where they are to. Only for --check: a run without it goes on in memory.
Result<void> check_spool(const AgentConfig& config);
/// Whether this host is there to be watched: the roots that --check, --once and a run need.
Result<void> check_roots(const AgentConfig& config);
/// Where and how to connect, with the TLS files read. What the configuration says comes before what
/// `vigil-agent enroll` stored.
Result<ChannelOptions> channel_options(const AgentConfig& config);

/// From 100 ms to 1 h.
bool is_sensible(std::chrono::milliseconds interval);
inline constexpr std::string_view kSensibleInterval = "must be 100ms to 1h";

}  // namespace vigil::agent
