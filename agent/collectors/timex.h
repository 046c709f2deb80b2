// The kernel's clock discipline, adjtimex(2), as series.
#pragma once

#include "agent/sampling/sheet.h"

#include <sys/timex.h>

namespace vigil::agent {

/// `state` is what adjtimex() returned: TIME_OK to TIME_ERROR. Offsets are in nanoseconds when STA_NANO is
/// set, else in microseconds.
void put_timex(const timex& clock, int state, Sheet& sheet);

}  // namespace vigil::agent
