// `vigil-agent doctor`: what keeps this agent from its work, and what would mend it. Whether it runs or not.
#pragma once

#include "agent/flags.h"

namespace vigil::agent {

/// Prints the findings on standard output. 0: no problem among them; 1.
int run_doctor(const Invocation& invocation);

}  // namespace vigil::agent
