// Which files of the journal are still needed, in memory: per stream the last batch it has in each file, per
// file how many streams still need it. A file goes when the last of them is settled, a stream when nothing of
// it is needed any more: agents begin a new one with each of their starts. Owned by the history thread;
// rebuilt at start.
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
  struct StreamKeyHash {
    std::size_t operator()(const StreamKey& key) const;
  };

  /// A file of which nothing may be needed: it is there all the same.
  void add_file(std::int64_t file) { files_[file]; }
  /// A group of `bytes` in a file, before its entries are added.
  void add_group(std::int64_t file, std::size_t bytes);
  /// One batch of a group. Batches of a stream come in order of seq but for repetitions after a reconnection.
  void add_entry(std::int64_t file, const StreamKey& key, std::uint64_t seq);
  /// The place of a schema, settled like a batch; `seq` is that of the batch it came before.
  void add_mark(std::int64_t file, const StreamKey& key, std::uint64_t seq);
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

  /// Files of which nothing is needed.
  std::vector<std::int64_t> settled_files() const;
  void forget_file(std::int64_t file);

  /// Highest seq known of a stream; 0 when unknown.
  std::uint64_t durable_seq(const StreamKey& key) const;
  void raise_durable(const StreamKey& key, std::uint64_t seq);
  std::uint64_t needed_seq(const StreamKey& key) const;

  std::vector<std::int64_t> file_numbers() const;
  std::uint64_t groups() const { return groups_; }
  std::uint64_t bytes() const { return bytes_; }
  std::size_t streams() const { return streams_.size(); }

 private:
  struct File {
    std::size_t open = 0;  // streams that need it
    std::uint64_t groups = 0;
    std::uint64_t bytes = 0;
  };
  struct Place {
    std::uint64_t last_seq = 0;
    std::int64_t file = 0;
  };
  struct Stream {
    std::deque<Place> open;  // by the order of files
    std::uint64_t durable_seq = 0;
    std::uint64_t needed_seq = 0;
  };
  std::unordered_map<std::int64_t, File> files_;
  std::unordered_map<StreamKey, Stream, StreamKeyHash> streams_;
  std::vector<StreamKey> settled_;  // of which nothing was needed when they were settled
  std::uint64_t groups_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace vigil::aggregator
