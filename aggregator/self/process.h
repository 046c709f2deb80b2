// What this process costs, read from the kernel.
#pragma once

namespace vigil::aggregator::self {

/// User and system time since the process began: getrusage(2).
double cpu_seconds();
/// Resident memory: /proc/self/statm, proc(5). 0 when it cannot be read.
double resident_bytes();
double virtual_bytes();

}  // namespace vigil::aggregator::self
