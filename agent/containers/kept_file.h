// A file of which there are hundreds, read every second: one descriptor, no buffer of its own (a container
// has about fifteen of them, and 4 KB each would be most of the agent's memory).
#pragma once

#include "common/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace vigil::agent {

/// Shared by all files of one thread: the buffer they are read into, and how many descriptors may still be
/// kept open.
struct ReadContext {
  std::vector<char> buffer = std::vector<char>(64 << 10);
  int descriptors_left = 0;  // when used up, files are opened for each read instead
};

class KeptFile {
 public:
  /// How the kernel hands out the content. `whole`: in one read when the buffer is large enough (seq_file
  /// with one record: most of cgroup's files). `pieces`: record by record, up to a page a read (net/dev,
  /// cgroup.procs).
  enum class Reads : std::uint8_t { whole, pieces };

  KeptFile() = default;
  KeptFile(std::string path, Reads reads) : path_(std::move(path)), reads_(reads) {}
  KeptFile(KeptFile&& other) noexcept;
  KeptFile& operator=(KeptFile&& other) noexcept;
  /// The descriptor must have been given back with close().
  ~KeptFile();

  /// The content, in `context.buffer` until the next read of any file; what does not fit is cut off at the
  /// last line. Errors: not_found once the file is known not to exist (it is not looked for again), or the
  /// errno of the read.
  Result<std::string_view> read(ReadContext& context);
  void close(ReadContext& context);
  bool exists() const { return !path_.empty() && !missing_; }

 private:
  std::string path_;
  Reads reads_ = Reads::whole;
  int fd_ = -1;
  bool missing_ = false;
};

}  // namespace vigil::agent
