// The agent's spool folder: what earlier lives left in it, one stream each, and spools for the streams of
// this life. Its disk has a thread of its own; a folder that cannot be used, or a disk that hangs, is said
// once, and memory does.
#pragma once

#include "agent/spool/spool.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
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
  explicit SpoolFolder(SpoolOptions options) : options_(std::move(options)) {}
  using Leftovers = Result<Spool::Leftovers>;
  /// On a disk that is there already, with what was found on it.
  SpoolFolder(SpoolOptions options, std::shared_ptr<Disk> disk, Leftovers found);

  /// Begins to open the folder; `wake` is called, on another thread, whenever poll() has something to do.
  void open(std::function<void()> wake);
  /// Whether the disk is there now and was not the last time; streams of earlier lives came with it.
  bool became_usable();
  /// Oldest first. Once.
  std::vector<std::unique_ptr<Spool>> take_leftovers() { return std::move(leftovers_.spools); }
  /// What of them could not be read, to be declared. Once.
  std::vector<BatchRange> take_damaged() { return std::move(leftovers_.damaged); }
  /// That is known to the aggregator: files of which nothing else is left go.
  void forget_damaged();
  bool usable() const { return usable_; }
  /// For a new stream; nullptr while there is no disk.
  std::unique_ptr<Spool> make(const SpoolStream& stream) const;

  /// Why nothing can be written just now.
  std::optional<Error> trouble() const { return disk_ ? disk_->trouble() : std::nullopt; }
  std::optional<Disk::Failure> next_failure() { return usable_ ? disk_->next_failure() : std::nullopt; }
  /// Bytes all streams together may have: asking the file system costs more than writing a batch.
  std::uint64_t cap() const;
  /// Says once that the disk does not take samples, until it does again.
  void complain(const Error& error);
  void works();

  static constexpr std::uint64_t kDiskShare = 20;         // never more than a twentieth of the file system
  static constexpr std::uint64_t kSmallestCap = 1 << 20;  // that much is kept wherever it can be written

 private:
  struct Found;
  void adopt(Leftovers found);

  const SpoolOptions options_;
  std::shared_ptr<Disk> disk_;
  std::shared_ptr<Found> found_;  // while it is being opened
  Spool::Leftovers leftovers_;
  bool usable_ = false;
  bool news_ = false;
  bool complained_ = false;
};

}  // namespace vigil::agent
