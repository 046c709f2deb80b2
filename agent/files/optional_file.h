// A /proc file that not every kernel has: /proc/pressure/irq, sockstat6 without IPv6, PSI switched off at
// boot (the file is there and says EOPNOTSUPP). Asking for it at every beat would cost a failed open and an
// error message each time.
#pragma once

#include "agent/files/proc_file.h"

#include <string>
#include <string_view>

namespace vigil::agent {

class OptionalFile {
 public:
  explicit OptionalFile(std::string path, std::size_t max_bytes = 1 << 20)
      : file_(std::move(path), max_bytes) {}

  /// The content, "" while the host has no such file; any other failure is an error. Valid until the next
  /// read. An absent file is asked for again after kRetryReads reads: a kernel module may bring it.
  Result<std::string_view> read();
  const std::string& path() const { return file_.path(); }
  /// See ProcFile::whole().
  Result<void> whole() const { return file_.whole(); }

  static constexpr int kRetryReads = 60;

 private:
  ProcFile file_;
  int reads_to_skip_ = 0;
};

}  // namespace vigil::agent
