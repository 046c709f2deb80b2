// A disk in memory that fails when told to, and loses power as a disk does: what was synced stays, of the
// rest any part may.
#pragma once

#include "agent/spool/background_disk.h"
#include "agent/spool/disk.h"

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace vigil::agent::testing {

class FakeDisk final : public Disk {
 public:
  Result<void> write(const std::string& name, std::uint64_t offset, std::string_view bytes) override;
  Result<void> sync(const std::string& name) override;
  Result<void> clear(const std::string& name) override;
  Result<void> remove(const std::string& name) override;
  Result<std::string> read(const std::string& name) override;
  Result<std::vector<std::string>> list() override;
  Result<Space> space() override { return Space{total, total}; }

  struct Fault {
    int error_number;      // as errno has it
    bool opening = false;  // of its file: nothing is done; else half of what the call does
  };
  /// From the `at`-th changing call on (1: the next one), `count` of them fail.
  void fail(int at, int count, Fault fault);
  void fail(int at, int count);  // EIO
  /// The machine stops and starts again.
  void cut_power(std::mt19937_64& random);

  std::size_t used() const;
  std::string& content(const std::string& name) { return files_.at(name).seen; }

  int read_error = 0;  // what reads fail with, as errno has it; 0: they do not
  std::uint64_t total = std::uint64_t{1} << 40;
  std::size_t capacity = std::size_t{1} << 40;  // writes past it fail with "no space"

 private:
  struct File {
    std::string seen;                                        // by a reader now
    std::optional<std::string> durable;                      // nothing: not even its name
    std::vector<std::pair<std::size_t, std::string>> since;  // writes since then; npos: cut to nothing
  };
  bool fails();
  Error broken(const char* what, const std::string& name) const;

  std::map<std::string, File> files_;
  std::map<std::string, std::string> removed_;  // since no sync of the folder: may come back
  int fail_at_ = 0;
  int fail_count_ = 0;
  Fault fault_{};
};

/// Where calls wait while it is closed, as for a disk that hangs. Has the clock by which they do.
class Gate {
 public:
  void pass();
  void close();
  void open();
  /// After a long time there.
  void await_one_inside();
  std::chrono::steady_clock::time_point now();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
  int inside_ = 0;
  std::chrono::steady_clock::time_point now_{};
};

/// The disk behind a thread of its own; each call passes the gate.
std::shared_ptr<BackgroundDisk> in_background(const std::shared_ptr<FakeDisk>& disk,
                                              const std::shared_ptr<Gate>& gate);
/// Until all it was told is done.
void await_done(const BackgroundDisk& disk);

}  // namespace vigil::agent::testing
