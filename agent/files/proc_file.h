// A /proc or /sys file that is read again and again: opened once, re-read with pread from the start into a
// buffer that is kept. Both file systems generate their content anew at offset 0 (proc(5), sysfs(5)); keeping
// the descriptor saves 4-51 % of a read.
#pragma once

#include "common/error.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::agent {

class ProcFile {
 public:
  /// Files larger than `max_bytes` are cut at the last whole line: a million-line /proc/net file must not
  /// delay the beat.
  explicit ProcFile(std::string path, std::size_t max_bytes = 1 << 20);
  ~ProcFile();
  ProcFile(ProcFile&& other) noexcept;
  ProcFile& operator=(ProcFile&& other) noexcept;

  /// The whole content; valid until the next read. Opens on first use and again after a failed read (a device
  /// that came back).
  Result<std::string_view> read();
  const std::string& path() const { return path_; }
  /// The last read hit max_bytes.
  bool truncated() const { return truncated_; }
  /// Errc::limit when it did: for a collector to return, so that the cut is logged once and seen in its
  /// success.
  Result<void> whole() const;

 private:
  void close();

  std::string path_;
  std::size_t max_bytes_;
  std::vector<char> buffer_;
  int fd_ = -1;
  bool truncated_ = false;
};

/// Reads that hit their limit since the program's start, of all files. Thread-safe.
std::uint64_t cut_reads();

/// Reads a small file once: /etc/os-release, a sysfs attribute of a device that comes and goes. Trailing
/// newline removed.
Result<std::string> read_small_file(const std::string& path, std::size_t max_bytes = 64UL * 1024);

/// Names in a directory, sorted as numbers where they end in numbers (cpu2 before cpu10), without "." and
/// "..".
Result<std::vector<std::string>> list_directory(const std::string& path);

}  // namespace vigil::agent
