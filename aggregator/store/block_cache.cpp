#include "aggregator/store/block_cache.h"

namespace vigil::aggregator {
namespace {

// The opened directory beside the bytes: an id per column, a group of some 40 bytes per 16, the object
// itself.
std::size_t footprint(const SealedBlock& block) {
  return block.bytes().size() + block.series().size() * 7 + 300;
}

}  // namespace

std::shared_ptr<const SealedBlock> BlockCache::find(const BlockKey& key) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  items_.splice(items_.begin(), items_, found->second);
  return found->second->block;
}

void BlockCache::put(const BlockKey& key, std::shared_ptr<const SealedBlock> block) {
  const std::size_t size = footprint(*block);
  const std::lock_guard lock(mutex_);
  if (size > capacity_bytes_ || by_key_.contains(key)) return;
  items_.push_front({key, std::move(block), size});
  by_key_[key] = items_.begin();
  bytes_ += size;
  while (bytes_ > capacity_bytes_) {
    bytes_ -= items_.back().bytes;
    by_key_.erase(items_.back().key);
    items_.pop_back();
  }
}

std::size_t BlockCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace vigil::aggregator
