// Brings batches to the aggregator: connects, resumes, resends, waits its turn. One thread owns outbox,
// sessions and connections; the beat's thread hands batches over and reads a few figures.
//
// The aggregator away or slow: batches stay in the outbox, the oldest are dropped past its cap and declared
// as a Gap. What is sampled now goes first; what an outage or an earlier life of the agent left goes beside
// it, over a second stream of the same connection. Messages are written one at a time, so a slow aggregator
// slows the writing and nothing else.
#pragma once

#include "agent/delivery/outbox.h"
#include "agent/delivery/session.h"
#include "common/delivery/channel.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace vigil::agent {

/// What keeps a connection from coming about, and what would mend it.
struct Trouble {
  std::string seen;
  std::string fix;
};

struct DeliveryOptions {
  ChannelOptions channel;
  Identity identity;
  BufferOptions buffer;
  SpoolOptions spool;
  /// The aggregator asks for an action. Called on the delivery's thread; must not block. May be empty.
  std::function<void(const v1::ActionRequest&)> on_action{};
  /// Asked before each connection: certificates as they are by now; nothing: as before. On the delivery's
  /// thread. May be empty.
  std::function<std::optional<TlsMaterial>()> fresh_tls{};
  /// Why there is no connection, for people, where that can be seen from here; nothing: nobody knows. Asked
  /// once an outage; may take a second. On the delivery's thread. May be empty.
  std::function<std::optional<Trouble>(const ChannelOptions&)> look_for_trouble{};
};

/// Figures for the agent's own metrics, as of the last change.
struct DeliveryFigures {
  bool connected = false;  // welcomed by the aggregator
  std::uint64_t connects = 0;
  std::uint64_t failures = 0;
  std::uint64_t sent_messages = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t durable_seq = 0;  // of the live stream
  std::uint64_t backfills = 0;    // streams that were over and are delivered
  std::uint64_t dropped_batches = 0;
  std::size_t buffered_bytes = 0;     // in memory
  std::uint64_t spooled_bytes = 0;    // on disk
  std::uint64_t spool_cap_bytes = 0;  // what may be there; 0: there is no spool
  std::int64_t clock_offset_ms = 0;   // the aggregator's clock minus ours
};

/// Owned by the agent; all functions are called by its main thread.
class Delivery {
 public:
  explicit Delivery(DeliveryOptions options);
  /// Stops at once, if stop() was not called.
  ~Delivery();

  void start();
  /// Batches come with consecutive sequence numbers, from 1 again after begins_stream().
  void push(EncodedBatch batch);
  /// Asked before each beat: whether what is sampled from now on shall be a stream of its own
  /// (BatchBuilder::begin_stream()). Says so once each time.
  bool begins_stream() { return begins_stream_.exchange(false); }
  /// Promises another stream, whose Hello says this: begins_stream() tells when it begins. Any thread.
  void begin_stream(Greeting greeting);
  /// How an action ended: sent once the aggregator is there. Any thread.
  void answer(const v1::ActionResult& result);
  /// Connects anew, without waiting, and sends again what was not acknowledged: there are other certificates.
  /// Any thread.
  void reconnect();
  /// Sends what is left and Bye, and waits for the aggregator to have it, at most `patience`; then ends the
  /// thread.
  void stop(std::chrono::milliseconds patience);

  /// Whether what was pushed long ago still waits for the delivery's thread: its disk hangs. What is pushed
  /// on top of that would fill the memory.
  bool stuck() const;

  /// How often a batch shall be pushed: what the aggregator asks for, one second before it did.
  std::chrono::milliseconds interval() const { return std::chrono::milliseconds(interval_ms_.load()); }
  /// Series the aggregator takes from this agent; 0: it has not said.
  std::size_t max_series() const { return max_series_.load(); }
  DeliveryFigures figures() const;

 private:
  static constexpr std::size_t kMostWaiting = 3600;  // batches

  class Loop;  // everything the thread owns
  std::atomic<std::int64_t> interval_ms_{1000};
  std::atomic<std::size_t> max_series_{0};
  std::atomic<bool> begins_stream_{false};
  mutable std::mutex figures_mutex_;
  DeliveryFigures figures_;  // protected by figures_mutex_
  std::unique_ptr<Loop> loop_;
  std::thread thread_;
};

}  // namespace vigil::agent
