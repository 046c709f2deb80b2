// The memory of a process that holds secrets, kept from others.
#pragma once

#include <sys/prctl.h>

namespace vigil {

/// From now on no core of this process is written, whatever its limits and the kernel's core_pattern say, and
/// other processes of its user can neither trace it nor read what lies below /proc/PID: prctl(2),
/// PR_SET_DUMPABLE. Its own /proc/self stays readable, but for files that only their owner may read, who is
/// root now: `io`, `environ`, `auxv`. Programs that it starts are as they always are.
inline void keep_memory_private() {
  ::prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace vigil
