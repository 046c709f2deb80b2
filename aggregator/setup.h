// `vigil-aggregator init`: what an aggregator needs before its first hosts and people.
#pragma once

#include "aggregator/flags.h"

namespace vigil::aggregator {

/// The authority, and the first person: her certificate, and the role that goes with her name. Safe to
/// repeat; says what it made and gives the exit code.
int set_up(const Invocation& invocation);

}  // namespace vigil::aggregator
