// What another process costs, as the kernel counts it: proc(5).
#pragma once

#include "common/error.h"

#include <sys/types.h>

#include <cstdint>
#include <string_view>

namespace vigil::cli {

struct ProcessFigures {
  double cpu_seconds = 0;           // of all its threads, ended ones too
  std::uint64_t rss_bytes = 0;      // 0 once it has ended
  std::uint64_t written_bytes = 0;  // sent to disks; nothing that a memory file system took
};

/// Also of a process that has ended and nobody has waited for. Errors: Errc::io, Errc::parse.
Result<ProcessFigures> process_figures(pid_t pid);

// Its parts, for the texts of /proc/PID/stat, status and io.

/// utime + stime, in clock ticks.
Result<std::uint64_t> parse_cpu_ticks(std::string_view stat);
/// VmRSS; 0 when there is no such line, as of a process without memory.
Result<std::uint64_t> parse_rss_bytes(std::string_view status);
/// write_bytes without cancelled_write_bytes.
Result<std::uint64_t> parse_written_bytes(std::string_view io);

}  // namespace vigil::cli
