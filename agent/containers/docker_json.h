// The Docker Engine API's JSON, as Docker >= 1.24 and Podman's compatible service write it, taken down to the
// few values we use. Everything here is total: any bytes give a value or Errc::parse. Documents nested deeper
// than 32 levels are refused. Sources: Docker Engine API reference v1.24 to v1.52; what Podman does
// differently is said where it matters.
#pragma once

#include "agent/containers/container.h"
#include "common/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::agent {

/// From `/version`.
struct RuntimeVersion {
  std::string engine;   // "docker" or "podman"
  std::string version;  // of the daemon
  std::string api;      // "1.41"
};
Result<RuntimeVersion> parse_version(std::string_view json);

/// One element of `/containers/json?all=1`.
struct ListedContainer {
  std::string id;
  std::string name;  // without the leading slash
  std::string image;
  ContainerState state = ContainerState::created;
  std::optional<ContainerHealth>
      health;  // nothing when the list does not say (Podman, old Docker without a check)
  std::string compose_project;
  std::string compose_service;
};
/// Elements without an id or a name are passed over.
Result<std::vector<ListedContainer>> parse_container_list(std::string_view json);

/// From `/containers/{id}/json`.
struct InspectedContainer {
  std::string id;
  std::string name;
  std::string image;  // Config.Image: stays what the creator wrote even when the tag moves to another image
  ContainerState state = ContainerState::created;
  ContainerHealth health = ContainerHealth::none;
  bool shares_network = false;  // NetworkMode "host" or "container:ID"; Podman's list claims "host" for all,
                                // so only inspect is asked
  bool oom_killed = false;
  int pid = 0;
  std::int64_t exit_code = 0;
  std::int64_t restart_count = 0;
  std::int64_t started_ms = 0;
  std::int64_t finished_ms = 0;
  std::string compose_project;
  std::string compose_service;
};
Result<InspectedContainer> parse_inspect(std::string_view json);

/// One line of `/events`.
struct RuntimeEvent {
  std::string id;
  std::string name;
  std::string action;  // "start", "die", "oom", "destroy" (Podman: "remove"), "health_status: healthy", …
  std::int64_t time_ns = 0;  // Unix time
};
Result<RuntimeEvent> parse_event(std::string_view line);

/// "running" and so on; Podman's own words (configured, initialized, stopping, stopped) become Docker's
/// nearest.
ContainerState parse_state(std::string_view text);
/// The health in a list's Status text, "Up 5 minutes (healthy)".
std::optional<ContainerHealth> parse_status_health(std::string_view status);
/// RFC 3339 with fraction and zone as Unix milliseconds; year 1 (Go's zero time) is 0. Nothing when
/// malformed.
std::optional<std::int64_t> parse_rfc3339_ms(std::string_view text);

}  // namespace vigil::agent
