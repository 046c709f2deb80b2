// The listening socket that systemd passes to a program it starts for the first connection, sd_listen_fds(3):
// no library needed.
#pragma once

#include "common/error.h"

#include <string_view>

namespace vigil {

/// Errc::invalid_argument: none was passed to this process; `unit` is the socket's, which would have.
Result<int> passed_socket(std::string_view unit);

}  // namespace vigil
