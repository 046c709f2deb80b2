// The kernel's clock discipline, adjtimex(2), as series.
#pragma once

#include "agent/sampling/sheet.h"
#include "common/error.h"

#include <sys/timex.h>

namespace vigil::agent {

/// `state` is what adjtimex() returned: TIME_OK to TIME_ERROR. Offsets are in nanoseconds when STA_NANO is
/// set, else in microseconds.
void put_timex(const timex& clock, int state, Sheet& sheet);

/// What `errno` of a failed adjtimex() means. Containers are commonly refused the call even for reading, by
/// seccomp: the host does not have it, rather than that something fails (Errc::unsupported).
Error timex_error(int error);

}  // namespace vigil::agent
