// The few things the spool asks of a file system, so that tests can give it one that fails, fills up or loses
// power.
#pragma once

#include "common/error.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::agent {

/// Paths are names of files in one folder. Owned by the spool; its thread.
class Disk {
 public:
  virtual ~Disk() = default;
  /// Writes all of `bytes` at `offset`, making the file when absent. After an error some of them may stand
  /// there.
  virtual Result<void> write(const std::string& name, std::uint64_t offset, std::string_view bytes) = 0;
  /// What was written to the file survives a power cut, and the file its name (fdatasync(2), fsync(2) of the
  /// folder).
  virtual Result<void> sync(const std::string& name) = 0;
  /// Cuts the file to nothing.
  virtual Result<void> clear(const std::string& name) = 0;
  virtual Result<void> remove(const std::string& name) = 0;
  virtual Result<std::string> read(const std::string& name) = 0;
  /// Names of all files, sorted.
  virtual Result<std::vector<std::string>> list() = 0;
  /// Bytes of the whole file system, and those an ordinary user may still write (statvfs(3)).
  struct Space {
    std::uint64_t total = 0;
    std::uint64_t available = 0;
  };
  virtual Result<Space> space() = 0;

  // Of a disk that does later what it is told (background_disk.h); others are done at once.

  enum class Call : std::uint8_t { write, sync, clear, remove, read };
  /// A call that seemed to succeed and did not.
  struct Failure {
    Call call = Call::write;
    std::string name;
    std::uint64_t number = 0;  // of the call
    Error error;
  };
  /// Calls that change something so far, and the last of them that is done; they are done in order.
  virtual std::uint64_t issued() const { return 0; }
  virtual std::uint64_t done() const { return 0; }
  virtual std::optional<Failure> next_failure() { return {}; }
  /// Why nothing can be written just now.
  virtual std::optional<Error> trouble() const { return {}; }
};

/// A real folder, made with mode 0700 when absent; files have mode 0600.
Result<std::unique_ptr<Disk>> open_disk(const std::string& folder);

}  // namespace vigil::agent
