// The answering side: one thread, a few connections, no state.
#pragma once

#include <string>

namespace vigil::agent::kernel {

/// Answers who connects to `listener`, until reading from it fails or `stop` (a descriptor) can be read. At
/// most eight at a time: further ones wait. A peer that sends what is no question is closed.
void serve(int listener, int stop, const std::string& procfs);

}  // namespace vigil::agent::kernel
