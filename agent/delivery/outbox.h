// All that the aggregator does not have yet: one live stream, which takes what is sampled now, and streams
// that are over, left by outages and by earlier lives of the agent. Live goes first: when the agent comes
// back with more than a short backlog, the live stream is declared over and a new one begins, so that what is
// sampled now never waits behind what was. No gRPC, no clock.
#pragma once

#include "agent/delivery/buffer.h"
#include "agent/delivery/session.h"
#include "agent/delivery/spool_folder.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vigil::agent {

/// A stream and who it belongs to, as its Hello says.
struct OutboxStream {
  Identity identity;
  Buffer buffer;
};

struct OutboxOptions {
  Identity identity;
  BufferOptions buffer;
  std::function<std::string()> new_stream_id;  // 16 bytes
};

/// Owned by the delivery's loop; its thread.
class Outbox {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Outbox(OutboxOptions options, SpoolFolder folder);
  /// Begins to open the spool, see SpoolFolder::open().
  void open_spool(std::function<void()> wake) { folder_.open(std::move(wake)); }

  /// Batches of one stream come with consecutive numbers; number 1 begins the stream that begin_stream()
  /// promised, what comes before it still belongs to the one before. In memory first: what has waited for
  /// kMemoryFirst is put on disk by tend().
  void push(EncodedBatch batch, Time now);

  /// None comes after this: what is over is complete.
  void no_more_batches() { awaiting_first_ = false; }

  OutboxStream& live() { return *live_; }
  /// The oldest stream that is over; nullptr when there is none. Stays where it is until delivered().
  OutboxStream* ended() { return complete() == 0 ? nullptr : ended_.front().get(); }

  bool has_ended() const { return complete() > 0; }

  /// Whether so much waits that what is sampled now should not wait behind it.
  bool behind() const;
  /// What the Hello of the next stream says.
  void greet_with(Greeting greeting);
  /// Not while the first batch of one that began is under way.
  bool may_begin_stream() const { return !awaiting_first_; }
  /// The live stream is over and another one begins: the next batch but those under way has number 1 and all
  /// schemas. Not between a Hello of the live stream and its end.
  void begin_stream();
  /// The whole stream ended() is with the aggregator: it goes, with its files.
  void delivered();
  /// Nothing of the live stream waits.
  bool all_durable() const;
  /// The aggregator has all of it, and took our leave.
  void all_delivered();
  /// The oldest group of a stream is refused for ever: it goes.
  void give_up_oldest(OutboxStream& stream);

  /// Tells the live session, once, what whole streams lost; call it whenever it may send. `told` forgets what
  /// an earlier session was told and did not take.
  void declare(Session& live);
  void session_ended() { told_with_.reset(); }

  /// Keeps memory and disk below their caps: the oldest goes first. `delivering`: not to be taken from under
  /// its session, it declares by itself what it lost.
  void keep_caps(const OutboxStream* delivering);
  /// Looks after the disk: what has waited is written, and synced when it has waited longer. To be called
  /// when it is due() and whenever the spool wakes.
  void tend(Time now);
  std::optional<Time> due() const;

  /// Something would be lost if the agent ended now: what is over and in memory only.
  bool holds_ended_in_memory() const;
  /// At a stop: all that waits, at once.
  void spool_all();
  std::uint64_t spooled_bytes() const;
  /// What the disk may hold, as it was when it was last asked; 0 while there is none.
  std::uint64_t spool_cap() const { return spool_cap_; }
  std::size_t memory_bytes() const;
  std::uint64_t dropped_batches() const;

  static constexpr std::uint64_t kShortBacklog = 10;  // batches: sent in a moment
  static constexpr std::chrono::seconds kMemoryFirst{1};
  static constexpr std::chrono::seconds kSyncEvery{4};  // with kMemoryFirst: five seconds
  static constexpr std::chrono::seconds kRetryDisk{10};

 private:
  struct Fresh {
    std::uint64_t seq = 0;
    Time at{};
  };
  void take_disk();
  void hear_failures(Time now);
  void check_disk(Time now);
  void spool_waiting(Time now);
  void sync(Time now);
  std::unique_ptr<OutboxStream> make_live(const std::string& follows);
  /// Of those that are over so many get no batch any more.
  std::size_t complete() const { return ended_.size() - (awaiting_first_ ? 1 : 0); }
  bool drop_oldest_spooled(const OutboxStream* delivering);
  bool drop_oldest_in_memory(const OutboxStream* delivering);
  void forget_ended(std::size_t index, const std::string& reason);
  void owe(LostBatches lost);

  OutboxOptions options_;  // but for what a Hello says, constant
  SpoolFolder folder_;
  std::uint64_t spool_cap_ = 0;
  std::unique_ptr<OutboxStream> live_;
  std::deque<std::unique_ptr<OutboxStream>> ended_;  // oldest first
  bool awaiting_first_ = false;                      // of a new live stream; until it comes, the last one's
  std::uint64_t dropped_before_ = 0;                 // by streams that are gone
  std::vector<LostBatches> owed_;                    // by streams that are gone, to be declared
  std::size_t told_ = 0;                             // of these, to the present session
  std::optional<std::uint64_t> told_with_;           // the batch with which that is durable
  std::deque<Fresh> fresh_;                          // of the live stream, not due to be put on disk yet
  std::optional<Time> sync_due_;
  std::optional<Time> retry_disk_;  // something is wrong with it; then it is tried again
};

}  // namespace vigil::agent
