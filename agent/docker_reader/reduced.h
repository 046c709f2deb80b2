// An engine's answer with nothing left in it but what the agent reads (agent/containers/docker_json.h).
// Inspection tells a container's environment, command, mounts and labels, which often hold passwords: they
// end here, in a process that the agent cannot look into.
#pragma once

#include "agent/docker_reader/question.h"

namespace vigil::agent::docker {

/// JSON again; of Kind::events one line. Errc::parse: the engine did not say JSON, or nested it too deep.
Result<std::string> reduced(Kind kind, std::string_view answer);

}  // namespace vigil::agent::docker
