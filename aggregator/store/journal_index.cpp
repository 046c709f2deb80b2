#include "aggregator/store/journal_index.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace vigil::aggregator {

// Stream ids are random: their first bytes are as good as a hash.
std::size_t JournalIndex::StreamKeyHash::operator()(const StreamKey& key) const {
  std::uint64_t head = 0;
  std::memcpy(&head, key.stream.data(), sizeof head);
  return static_cast<std::size_t>(head ^ (std::uint64_t{key.host} * 0x9E3779B97F4A7C15ULL));
}

void JournalIndex::add_row(std::int64_t row, std::size_t bytes) {
  rows_[row].bytes = bytes;
  bytes_ += bytes;
  last_row_ = std::max(last_row_, row);
}

void JournalIndex::add_entry(std::int64_t row, const StreamKey& key, std::uint64_t seq) {
  raise_durable(key, seq);
  add_mark(row, key, seq);
}

void JournalIndex::add_mark(std::int64_t row, const StreamKey& key, std::uint64_t seq) {
  Stream& stream = streams_[key];
  if (seq < stream.needed_seq) return;  // settled while it was on its way
  stream.open.push_back({seq, row});
  ++rows_[row].open;
}

void JournalIndex::settle(const StreamKey& key, std::uint64_t needed_seq) {
  Stream& stream = streams_[key];
  if (needed_seq == kNothingNeeded) settled_.push_back(key);
  stream.needed_seq = std::max(stream.needed_seq, needed_seq);
  while (!stream.open.empty() && stream.open.front().seq < needed_seq) {
    --rows_[stream.open.front().row].open;
    stream.open.pop_front();
  }
}

void JournalIndex::settle_host(HostId host) {
  std::vector<StreamKey> keys;
  for (const auto& [key, stream] : streams_) {
    if (key.host == host) keys.push_back(key);
  }
  for (const StreamKey& key : keys) settle(key, kNothingNeeded);
}

void JournalIndex::forget_settled_streams() {
  for (const StreamKey& key : std::exchange(settled_, {})) {
    const auto found = streams_.find(key);
    if (found == streams_.end() || found->second.needed_seq != kNothingNeeded) continue;
    if (found->second.open.empty()) streams_.erase(found);
  }
}

std::vector<std::int64_t> JournalIndex::settled_rows() const {
  std::vector<std::int64_t> settled;
  for (const auto& [id, row] : rows_) {
    if (row.open == 0) settled.push_back(id);
  }
  return settled;
}

void JournalIndex::forget(const std::vector<std::int64_t>& rows) {
  for (const std::int64_t id : rows) {
    bytes_ -= rows_[id].bytes;
    rows_.erase(id);
  }
}

std::uint64_t JournalIndex::durable_seq(const StreamKey& key) const {
  const auto found = streams_.find(key);
  return found == streams_.end() ? 0 : found->second.durable_seq;
}

void JournalIndex::raise_durable(const StreamKey& key, std::uint64_t seq) {
  Stream& stream = streams_[key];
  stream.durable_seq = std::max(stream.durable_seq, seq);
}

std::uint64_t JournalIndex::needed_seq(const StreamKey& key) const {
  const auto found = streams_.find(key);
  return found == streams_.end() ? 0 : found->second.needed_seq;
}

}  // namespace vigil::aggregator
