// What the agent asks of a container engine's API and does not vary: the watcher asks it, and
// agent/docker_reader lets nothing else through.
#pragma once

#include <string_view>

namespace vigil::agent {

// Percent-encoded {"type":["container"]}, for Podman, which refuses the names of events it does not know.
inline constexpr std::string_view kContainerFilter = "%7B%22type%22%3A%5B%22container%22%5D%7D";
// Docker's, without exec_*: a health check makes three of those each time it runs.
// {"type":["container"],"event":["create","start","restart","die","oom","pause","unpause","destroy","rename","health_status","update"]}
inline constexpr std::string_view kDockerFilter =
    "%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B%22create%22%2C%22start%22%2C%22restart%22%2C%"
    "22die%22%2C%22oom%22%2C"
    "%22pause%22%2C%22unpause%22%2C%22destroy%22%2C%22rename%22%2C%22health_status%22%2C%22update%22%5D%7D";

}  // namespace vigil::agent
