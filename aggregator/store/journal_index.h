// Which rows of the journal are still needed, in memory: per stream the batches that are not settled, per row
// how many of its batches are. A row goes when its last batch is settled, a stream when nothing of it is
// needed any more: agents begin a new one with each of their starts. Owned by the history thread; rebuilt at
// start.
#pragma once

#include "aggregator/store/records.h"

#include <deque>
#include <unordered_map>
#include <vector>

namespace vigil::aggregator {

class JournalIndex {
 public:
  struct StreamKey {
    HostId host = 0;
    StreamId stream{};
    friend bool operator==(const StreamKey&, const StreamKey&) = default;
  };

  /// A row that holds `bytes`, before its entries are added.
  void add_row(std::int64_t row, std::size_t bytes);
  /// One batch of a row. Batches of a stream come in order of seq but for repetitions after a reconnection.
  void add_entry(std::int64_t row, const StreamKey& key, std::uint64_t seq);
  /// The place of a schema, settled like a batch; `seq` is that of the batch it came before.
  void add_mark(std::int64_t row, const StreamKey& key, std::uint64_t seq);
  /// Batches before needed_seq are settled. Doing it twice does no harm.
  void settle(const StreamKey& key, std::uint64_t needed_seq);
  /// Nothing of this host is needed any more.
  void settle_host(HostId host);
  /// A stream of which nothing was needed goes on: what comes now is.
  void reopen(const StreamKey& key) { streams_[key].needed_seq = 0; }
  /// Streams of which nothing is needed and nothing is left are known no more; to be called between
  /// transactions. One that comes back is to be reopened, as if it had been settled.
  void forget_settled_streams();
  bool knows(const StreamKey& key) const { return streams_.contains(key); }

  /// Rows of which nothing is needed: to be deleted in the next transaction, then forgotten.
  std::vector<std::int64_t> settled_rows() const;
  void forget(const std::vector<std::int64_t>& rows);

  /// Highest seq known of a stream; 0 when unknown.
  std::uint64_t durable_seq(const StreamKey& key) const;
  void raise_durable(const StreamKey& key, std::uint64_t seq);
  std::uint64_t needed_seq(const StreamKey& key) const;

  std::size_t rows() const { return rows_.size(); }
  std::size_t streams() const { return streams_.size(); }
  std::uint64_t bytes() const { return bytes_; }
  std::int64_t last_row() const { return last_row_; }

 private:
  struct StreamKeyHash {
    std::size_t operator()(const StreamKey& key) const;
  };
  struct Row {
    std::size_t open = 0;  // batches not settled
    std::size_t bytes = 0;
  };
  struct Entry {
    std::uint64_t seq = 0;
    std::int64_t row = 0;
  };
  struct Stream {
    std::deque<Entry> open;
    std::uint64_t durable_seq = 0;
    std::uint64_t needed_seq = 0;
  };
  std::unordered_map<std::int64_t, Row> rows_;
  std::unordered_map<StreamKey, Stream, StreamKeyHash> streams_;
  std::vector<StreamKey> settled_;  // of which nothing was needed when they were settled
  std::uint64_t bytes_ = 0;
  std::int64_t last_row_ = 0;
};

}  // namespace vigil::aggregator
