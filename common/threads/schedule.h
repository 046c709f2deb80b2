// How the kernel's scheduler treats a thread.
#pragma once

namespace vigil {

/// Asks for short turns for the calling thread, which then gets them sooner when every CPU is busy: who asks
/// for less time at once has the earlier deadline, and may take the CPU from who asked for more (EEVDF,
/// Linux 6.12 and later: sched_setattr(2), sched_runtime of an ordinary thread; needs no privilege). Older
/// kernels ignore it. It does not change how much time the thread gets.
void ask_for_short_turns();

}  // namespace vigil
