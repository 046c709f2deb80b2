// The agent's spool folder: what earlier lives left in it, one stream each, and the spool of this life.
#pragma once

#include "agent/delivery/buffer.h"
#include "agent/delivery/session.h"
#include "agent/spool/spool.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

namespace vigil::agent {

struct SpoolOptions {
  std::string folder;  // empty: none, memory only
  std::uint64_t max_bytes = 64 << 20;
};

/// A stream of an earlier life, to be delivered before this life's.
struct Leftover {
  Leftover(Identity the_identity, std::unique_ptr<Spool> spool);
  Identity identity;
  Buffer buffer;
};

/// Owned by the delivery's loop; its thread. A folder that cannot be used is said once, and memory does.
class Spools {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Spools(SpoolOptions options, const Identity& identity);

  /// The spool of this life, for its buffer; nullptr without a folder.
  std::unique_ptr<Spool> take_current() { return std::move(current_); }
  /// The oldest stream not delivered yet; nullptr when there is none.
  Leftover* leftover() { return leftovers_.empty() ? nullptr : &leftovers_.front(); }
  /// It is with the aggregator, or will never be: its files go.
  void forget_leftover();
  /// Those of which nothing is kept any more.
  void forget_empty_leftovers();
  /// Keeps all streams together below the cap: the oldest segments go first.
  void keep_cap(Buffer& buffer);
  /// Makes durable what has waited for a while. The next time it wants to be called, if it does.
  void sync(Buffer& buffer, Time now);
  std::optional<Time> next_sync() const { return sync_due_; }

  std::uint64_t bytes(const Buffer& buffer) const;

  static constexpr std::chrono::seconds kSyncEvery{5};
  static constexpr std::uint64_t kDiskShare = 20;         // never more than a twentieth of the file system
  static constexpr std::uint64_t kSmallestCap = 1 << 20;  // that much is kept wherever it can be written

 private:
  void open(const Identity& identity);
  std::uint64_t cap() const;
  void complain(const Error& error);

  const SpoolOptions options_;
  std::shared_ptr<Disk> disk_;
  std::unique_ptr<Spool> current_;
  std::deque<Leftover> leftovers_;
  std::optional<Time> sync_due_;
  bool complained_ = false;
};

}  // namespace vigil::agent
