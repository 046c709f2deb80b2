// A disk that never makes anybody wait: calls that change it are queued for a thread of its own and succeed
// at once, what is read comes later. A call that hangs (a dead disk keeps a thread inside the kernel for
// minutes, and nothing interrupts it) costs only the disk: nothing more is queued until it returns.
#pragma once

#include "agent/spool/disk.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

namespace vigil::agent {

struct BackgroundDiskOptions {
  /// Opens the disk beneath, on the thread.
  std::function<Result<std::unique_ptr<Disk>>()> open;
  /// Called on the thread once the disk is open, before anything queued.
  std::function<void(Disk& disk)> opened;
  /// Called on the thread whenever there is news: a read is there, a call failed, the disk is open.
  std::function<void()> wake;
  std::chrono::milliseconds patience{2000};  // a call that takes longer hangs
  std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
  std::size_t most_queued = std::size_t{4} << 20;  // bytes to be written
};

/// Used by one thread, but for the one inside. Errors of what was queued come by next_failure().
class BackgroundDisk final : public Disk {
 public:
  explicit BackgroundDisk(BackgroundDiskOptions options);
  /// Waits up to kPatience for what is queued; a thread that hangs keeps its memory and is left behind.
  ~BackgroundDisk() override;

  /// Errc::timeout while a call hangs, Errc::limit while too much is queued, Errc::io when it could not be
  /// opened: nothing was queued then.
  Result<void> write(const std::string& name, std::uint64_t offset, std::string_view bytes) override;
  Result<void> sync(const std::string& name) override;
  Result<void> clear(const std::string& name) override;
  Result<void> remove(const std::string& name) override;
  /// Errc::unavailable: it is being read, ask again after the next wake.
  Result<std::string> read(const std::string& name) override;
  /// Errc::unsupported: see Options::opened.
  Result<std::vector<std::string>> list() override;
  /// As of the last time it was asked; Errc::unavailable before that.
  Result<Space> space() override;

  std::uint64_t issued() const override;
  std::uint64_t done() const override;
  std::optional<Failure> next_failure() override;
  std::optional<Error> trouble() const override;

  static constexpr std::chrono::milliseconds kPatience{2000};

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;  // the inner thread holds it too: a hanging thread outlives this object
};

}  // namespace vigil::agent
