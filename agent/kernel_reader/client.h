// The asking side, for collectors whose own read was refused.
#pragma once

#include "agent/kernel_reader/protocol.h"
#include "common/error.h"

#include <chrono>
#include <string>
#include <string_view>

namespace vigil::agent::kernel {

/// A connection that is made when something is asked, and kept. One thread uses it. Every wait ends after
/// `patience`; after a failure nothing is asked any more until begin(), so that a reader that hangs costs a
/// collector one wait.
class Client {
 public:
  explicit Client(std::string socket_path,
                  std::chrono::milliseconds patience = std::chrono::milliseconds(500))
      : path_(std::move(socket_path)), patience_(patience) {}
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// A new round of a collector: what failed may be tried again.
  void begin() { failed_ = false; }

  /// Errc::unavailable: no reader answers here (there is none, or it may not be asked). Otherwise what the
  /// kernel said. Valid until the next question.
  Result<const Answer*> ask(const Question& question);
  /// PROCFS/[pid]/io.
  Result<std::string_view> process_io(std::int64_t pid);

 private:
  Result<void> connect();
  Result<void> exchange(const Question& question);
  void close();

  const std::string path_;
  const std::chrono::milliseconds patience_;
  int fd_ = -1;
  bool failed_ = false;
  Answer answer_;
};

}  // namespace vigil::agent::kernel
