// Writes whose samples are on their way to the disk, and who waits for them. Thread-safe.
#pragma once

#include "aggregator/ingest/local_writer.h"
#include "aggregator/store/history.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <utility>

namespace vigil::aggregator {

class PendingWrites {
 public:
  /// `stream`: all batches of these writes belong to it.
  explicit PendingWrites(const StreamId& stream) : stream_(stream) {}
  const StreamId& stream() const { return stream_; }

  /// Before the batch is journalled.
  void add(HostId host, std::uint64_t seq, LocalDone done, std::int64_t now_ms);
  /// What became of it is known; whoever waits hears of it once it is durable.
  void settle(HostId host, std::uint64_t seq, LocalWritten written);
  void fail(HostId host, std::uint64_t seq, const Error& error);
  /// For HistoryCallbacks::on_durable; batches of others are left out.
  void durable(std::span<const DurableBatch> batches);
  /// Those who have waited for longer than kPatienceMs are told to come again.
  void give_up(std::int64_t now_ms);

  static constexpr std::int64_t kPatienceMs = 20'000;  // Prometheus waits for 30 s

 private:
  using Key = std::pair<HostId, std::uint64_t>;
  struct Pending {
    LocalDone done;
    std::int64_t since_ms = 0;
    bool durable = false;
    std::optional<LocalWritten> written;
  };

  const StreamId stream_;
  std::mutex mutex_;  // protects what follows
  std::map<Key, Pending> pending_;
};

}  // namespace vigil::aggregator
