// The agent's spool folder: what earlier lives left in it, one stream each, and spools for the streams of
// this life. A folder that cannot be used is said once, and memory does.
#pragma once

#include "agent/spool/spool.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vigil::agent {

struct SpoolOptions {
  std::string folder;  // empty: none, memory only
  std::uint64_t max_bytes = 64 << 20;
};

/// Owned by the outbox; the delivery's thread.
class SpoolFolder {
 public:
  explicit SpoolFolder(SpoolOptions options);
  /// On a disk of the test's.
  SpoolFolder(SpoolOptions options, std::shared_ptr<Disk> disk);

  /// Streams of earlier lives, oldest first. Once.
  std::vector<std::unique_ptr<Spool>> take_leftovers() { return std::move(leftovers_); }
  /// For a new stream; nullptr without a folder.
  std::unique_ptr<Spool> make(const SpoolStream& stream) const;
  bool usable() const { return disk_ != nullptr; }

  /// Bytes all streams together may have: asking the file system costs more than writing a batch.
  std::uint64_t cap() const;
  /// Says once that the disk does not take samples, until it does again.
  void complain(const Error& error);
  void works() { complained_ = false; }

  static constexpr std::uint64_t kDiskShare = 20;         // never more than a twentieth of the file system
  static constexpr std::uint64_t kSmallestCap = 1 << 20;  // that much is kept wherever it can be written

 private:
  void find_leftovers();

  const SpoolOptions options_;
  std::shared_ptr<Disk> disk_;
  std::vector<std::unique_ptr<Spool>> leftovers_;
  bool complained_ = false;
};

}  // namespace vigil::agent
