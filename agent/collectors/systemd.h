// The systemd collector with its patience as a parameter, for tests.
#pragma once

#include "agent/collectors/table.h"

#include <chrono>
#include <memory>

namespace vigil::agent {

std::unique_ptr<Collector> make_systemd_with(const CollectorOptions& options,
                                             std::chrono::milliseconds timeout);

}  // namespace vigil::agent
