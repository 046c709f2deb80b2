#include "agent/config.h"

#include "agent/delivery/identity.h"
#include "common/text/human.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace vigil::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShortestInterval{100};
constexpr milliseconds kLongestInterval{3'600'000};
constexpr std::uint64_t kSmallestBuffer = 4 << 20;

constexpr std::array<std::pair<std::string_view, log::Level>, 4> kLevels = {{{"debug", log::Level::debug},
                                                                             {"info", log::Level::info},
                                                                             {"warn", log::Level::warn},
                                                                             {"error", log::Level::error}}};

void regular_expression(config::Fields& fields, std::string_view key, std::string& value,
                        std::string_view doc) {
  fields.field(key, value, doc);
  const re2::RE2 compiled(value, re2::RE2::Quiet);
  fields.require(key, compiled.ok(), "is not a regular expression (RE2): " + compiled.error());
}

/// Sections of the file that hold part of CollectorOptions.
struct Paths {
  Roots& roots;
};
void describe(config::Fields& fields, Paths& paths) {
  fields.path("procfs", paths.roots.procfs,
              "Where the host's /proc is; another path for an agent in a container.");
  fields.path("sysfs", paths.roots.sysfs, "Where the host's /sys is.");
  fields.path("rootfs", paths.roots.rootfs, "Where the host's root file system is.");
}

struct Filters {
  CollectorOptions& options;
};
void describe(config::Fields& fields, Filters& filters) {
  CollectorOptions& options = filters.options;
  regular_expression(fields, "filesystem_mount_exclude", options.filesystem_mount_exclude,
                     "Mount points left out; a regular expression that may match anywhere.");
  regular_expression(fields, "filesystem_type_exclude", options.filesystem_type_exclude,
                     "File system types left out.");
  regular_expression(fields, "diskstats_device_exclude", options.diskstats_device_exclude,
                     "Block devices left out.");
  regular_expression(fields, "network_device_exclude", options.network_device_exclude,
                     "Network devices left out.");
  regular_expression(fields, "systemd_unit_include", options.systemd_unit_include,
                     "Units reported besides failed ones; must match the whole name.");
  fields.field("top_processes", options.top_processes,
               "How many processes each ranking shows: CPU, memory, I/O.");
  fields.require("top_processes", options.top_processes >= 0 && options.top_processes <= 100,
                 "must be 0 to 100");
}

std::string collector_names() {
  std::string names;
  for (const CollectorEntry& entry : collector_table())
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  return names;
}

/// The message for a collector that does not exist, or "".
std::string unknown_collector(const std::map<std::string, CollectorSettings>& collectors) {
  std::vector<std::string_view> known;
  for (const CollectorEntry& entry : collector_table()) known.push_back(entry.name);
  for (const auto& [name, settings] : collectors) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string_view like = suggest(name, known);
    if (!like.empty()) return fmt::format("there is no collector {}; did you mean {}?", name, like);
    return fmt::format("there is no collector {}; there are {}", name, collector_names());
  }
  return {};
}

}  // namespace

bool is_sensible(milliseconds interval) {
  return interval >= kShortestInterval && interval <= kLongestInterval;
}

void describe(config::Fields& fields, CollectorSettings& settings) {
  fields.field("enabled", settings.enabled, "Whether the collector runs.");
  fields.field("interval", settings.interval, "How often it runs; a multiple of `interval`.");
  fields.require("interval", !settings.interval || is_sensible(*settings.interval), kSensibleInterval);
}

void describe(config::Fields& fields, TlsSettings& tls) {
  fields.field("enabled", tls.enabled,
               "Whether to encrypt the stream; needed when the aggregator is another machine.");
  fields.path("ca", tls.ca,
              "PEM file with who signed the aggregator's certificate; empty: the system's authorities.");
  fields.path(
      "cert", tls.cert,
      "PEM file with this agent's own certificate, where the aggregator asks for one (its tls.client_ca).");
  fields.path("key", tls.key, "PEM file with that certificate's private key; not readable by everybody.");
  fields.path(
      "dir", tls.dir,
      "Folder where vigil-agent enroll keeps who this host is, used while no other key of tls is set; "
      "empty: spool.dir, systemd's STATE_DIRECTORY, or /var/lib/vigil-agent.");
  fields.field("plaintext", tls.plaintext,
               "Send unencrypted to another machine: everybody between may read and change it.");
}

void describe(config::Fields& fields, SpoolSettings& spool) {
  fields.path("dir", spool.dir,
              "Folder for samples that wait longer; empty: systemd's STATE_DIRECTORY, or memory only.");
  fields.field("max_size", spool.max_size,
               "Most it may take, and never more than a twentieth of the file system.");
  fields.require("max_size", spool.max_size.count >= kSmallestBuffer, "must be at least 4MiB");
}

void describe(config::Fields& fields, AgentConfig& config) {
  fields.field(
      "name", config.name,
      "The host's name at the aggregator, its label instance; empty: that of its certificate, or the "
      "system's name.");
  fields.field(
      "aggregator", config.aggregator,
      "Where the aggregator listens, host:port; left as it is, an enrolled host goes where it enrolled.");
  fields.field("interval", config.interval, "The beat: how often fast collectors run.");
  fields.require("interval", is_sensible(config.interval), kSensibleInterval);
  fields.field("labels", config.labels, "Labels added to every series of this host; at most 16.");
  fields.field("collectors", config.collectors,
               "Collectors to switch off or to run at another cadence, by name.");
  const std::string unknown = unknown_collector(config.collectors);
  fields.require("collectors", unknown.empty(), unknown);
  Filters filters{config.options};
  fields.field("filters", filters, "What collectors leave out or add.");
  fields.field("docker_socket", config.options.docker_socket,
               "Socket of the container engine; auto looks for Docker's and Podman's, by vigil-docker-reader "
               "where it may; none never connects.");
  Paths paths{config.options.roots};
  fields.field("paths", paths, "Where the host's own trees are mounted.");
  fields.field(
      "buffer", config.buffer,
      "Memory for samples the aggregator does not have yet; past it the oldest are dropped. A quarter "
      "of it while they are on disk, too.");
  fields.require("buffer", config.buffer.count >= kSmallestBuffer, "must be at least 4MiB");
  fields.field("spool", config.spool, "Samples the aggregator does not have yet, on disk.");
  fields.path(
      "actions_file", config.actions_file,
      "List of the actions the aggregator may ask for; root's, and changed by nobody else. Empty: none.");
  fields.field("max_series", config.max_series,
               "Series this agent sends at most; further ones are left out and counted. One collector has at "
               "most three quarters of them, and 200 are kept for the series about the agent itself.");
  fields.require("max_series", config.max_series >= 1 && config.max_series <= 5000, "must be 1 to 5000");
  fields.field("tls", config.tls, "Encryption of the stream.");
  fields.choice("log_level", config.log_level,
                std::span<const std::pair<std::string_view, log::Level>>(kLevels),
                "Which log lines are written.");
}

std::string identity_folder(const AgentConfig& config) {
  if (!config.tls.dir.empty()) return config.tls.dir;
  std::string folder = spool_directory(config);
  return folder.empty() ? "/var/lib/vigil-agent" : folder;
}

bool says_how_to_speak(const TlsSettings& tls) {
  return tls.enabled || tls.plaintext || !tls.ca.empty() || !tls.cert.empty() || !tls.key.empty();
}

Result<std::optional<OwnIdentity>> stored_identity(const AgentConfig& config) {
  if (says_how_to_speak(config.tls) || !has_identity(identity_folder(config)))
    return std::optional<OwnIdentity>();
  auto identity = load_identity(identity_folder(config));
  if (!identity) return identity.error();
  return std::optional<OwnIdentity>(std::move(*identity));
}

std::string name_at_aggregator(const AgentConfig& config) {
  if (!config.name.empty()) return config.name;
  const auto identity = stored_identity(config);
  return identity && *identity ? (*identity)->name : host_name();
}

std::string spool_directory(const AgentConfig& config) {
  if (!config.spool.dir.empty()) return config.spool.dir;
  const char* state = std::getenv("STATE_DIRECTORY");
  if (state == nullptr) return {};
  const std::string_view all(state);
  return std::string(all.substr(0, all.find(':')));
}

}  // namespace vigil::agent
