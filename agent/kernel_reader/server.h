// The answering side: one thread, a few connections, no state.
#pragma once

#include "common/error.h"

#include <string>

namespace vigil::agent::kernel {

/// The listening socket that systemd passed, sd_listen_fds(3). Errors say that there is none, and what starts
/// the program instead.
Result<int> passed_socket();

/// Answers who connects to `listener`, until reading from it fails or `stop` (a descriptor) can be read. At
/// most eight at a time: further ones wait. A peer that sends what is no question is closed.
void serve(int listener, int stop, const std::string& procfs);

}  // namespace vigil::agent::kernel
