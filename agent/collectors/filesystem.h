// The filesystem collector with its system call as a parameter, so that a test can make a mount hang.
#pragma once

#include "agent/collectors/mount_prober.h"
#include "agent/collectors/table.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::agent {

struct Mount {
  std::string device;
  std::string mountpoint;
  std::string fstype;
  bool read_only = false;
};

/// The mounts of a mountinfo file (proc_pid_mountinfo(5)), escapes undone, in its order. Of several mounts on
/// one mount point only the last is given: it hides the others, so statvfs answers for it. Lines that are not
/// of that form are passed over.
std::vector<Mount> parse_mountinfo(std::string_view text);

/// Is statvfs on such a file system answered by another machine or by a user's process, which may be away?
bool may_hang(std::string_view fstype);

std::unique_ptr<Collector> make_filesystem_with(const CollectorOptions& options, StatvfsCall call,
                                                std::chrono::milliseconds deadline = std::chrono::seconds(2));

}  // namespace vigil::agent
