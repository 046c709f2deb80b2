// Where the host's network files are. /proc/net is a link to self/net, the reader's own network namespace: an
// agent in a container would report the container's interfaces as the host's. Process 1 of the host's /proc
// has the host's (proc_pid_net(5)).
#pragma once

#include <string>
#include <string_view>

namespace vigil::agent {

/// PROCFS/1/net/NAME, or PROCFS/net/NAME where the former cannot be read (hidepid, a recorded tree without
/// process 1).
std::string net_path(const std::string& procfs, std::string_view name);

}  // namespace vigil::agent
