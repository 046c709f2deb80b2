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

void JournalIndex::add_group(std::int64_t file, std::size_t bytes) {
  File& at = files_[file];
  ++at.groups;
  at.bytes += bytes;
  ++groups_;
  bytes_ += bytes;
}

void JournalIndex::add_entry(std::int64_t file, const StreamKey& key, std::uint64_t seq) {
  raise_durable(key, seq);
  add_mark(file, key, seq);
}

void JournalIndex::add_mark(std::int64_t file, const StreamKey& key, std::uint64_t seq) {
  Stream& stream = streams_[key];
  if (seq < stream.needed_seq) return;  // settled while it was on its way
  if (!stream.open.empty() && stream.open.back().file == file) {
    stream.open.back().last_seq = std::max(stream.open.back().last_seq, seq);
    return;
  }
  stream.open.push_back({seq, file});
  ++files_[file].open;
}

void JournalIndex::settle(const StreamKey& key, std::uint64_t needed_seq) {
  Stream& stream = streams_[key];
  if (needed_seq == kNothingNeeded) settled_.push_back(key);
  stream.needed_seq = std::max(stream.needed_seq, needed_seq);
  while (!stream.open.empty() && stream.open.front().last_seq < needed_seq) {
    --files_[stream.open.front().file].open;
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

std::vector<std::int64_t> JournalIndex::settled_files() const {
  std::vector<std::int64_t> settled;
  for (const auto& [number, file] : files_) {
    if (file.open == 0) settled.push_back(number);
  }
  return settled;
}

std::vector<std::int64_t> JournalIndex::file_numbers() const {
  std::vector<std::int64_t> numbers;
  for (const auto& [number, file] : files_) numbers.push_back(number);
  return numbers;
}

void JournalIndex::forget_file(std::int64_t file) {
  const auto at = files_.find(file);
  if (at == files_.end()) return;
  groups_ -= at->second.groups;
  bytes_ -= at->second.bytes;
  files_.erase(at);
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
