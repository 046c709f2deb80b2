// One pass over the processes of a host: PROCFS/[pid]/stat (proc_pid_stat(5)), one open, read and close for
// each.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::agent {

/// What one line of stat says. Views point into the text that was parsed.
struct ProcessStat {
  std::int64_t pid = 0;
  std::string_view comm;       // without its parentheses; any bytes, may hold spaces and parentheses
  char state = '?';            // R S D T t Z X I ...
  std::int64_t cpu_ticks = 0;  // user and system time, of threads that ended too; in 1/sysconf(_SC_CLK_TCK) s
  std::int64_t threads = 0;
  std::int64_t start_ticks = 0;  // after boot; with the pid it identifies a process for good
  std::int64_t rss_pages =
      0;  // of sysconf(_SC_PAGESIZE) bytes; may lag (proc_pid_stat(5)), good enough to rank by
};

/// The process of a stat line, or nothing when it is not one.
std::optional<ProcessStat> parse_process_stat(std::string_view text);

/// read_bytes and write_bytes of PROCFS/[pid]/io: bytes that went to or came from storage.
struct ProcessIo {
  std::int64_t read_bytes = 0;
  std::int64_t written_bytes = 0;
};
std::optional<ProcessIo> parse_process_io(std::string_view text);

/// The first twelve digits of the container's id in a /proc/[pid]/cgroup file, "" when the process is in
/// none. An id is what Docker, Podman, containerd and CRI-O use: 64 hexadecimal digits as a whole word of the
/// path, with or without a prefix and ".scope".
std::string container_of_cgroup(std::string_view text);

/// An open /proc. Files are read into one buffer: a view is valid until the next read.
class ProcessTree {
 public:
  explicit ProcessTree(std::string procfs);
  ~ProcessTree();
  ProcessTree(const ProcessTree&) = delete;
  ProcessTree& operator=(const ProcessTree&) = delete;

  /// Calls `visit` for every process that can be read; those that end meanwhile are passed over.
  Result<void> each(const std::function<void(const ProcessStat&)>& visit);
  /// Calls `visit` with the state of every thread of a process.
  void each_thread(std::int64_t pid, const std::function<void(char state)>& visit);
  /// PROCFS/[pid]/NAME, at most 4 KiB.
  Result<std::string_view> read(std::int64_t pid, const char* name);

 private:
  Result<std::string_view> read_at(int folder, const char* path);

  std::string procfs_;
  int folder_ = -1;
  char buffer_[4096];
};

}  // namespace vigil::agent
