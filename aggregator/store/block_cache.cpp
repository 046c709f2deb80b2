#include "aggregator/store/block_cache.h"

namespace vigil::aggregator {
namespace {

// The opened directory beside the bytes: an id per column, a group of some 40 bytes per 16, the object
// itself.
std::size_t footprint(const SealedBlock& block) {
  return block.bytes().size() + block.series().size() * 7 + 300;
}

}  // namespace

std::shared_ptr<const SealedBlock> BlockCache::find(std::int64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return nullptr;
  items_.splice(items_.begin(), items_, found->second);
  return found->second->block;
}

void BlockCache::put(std::int64_t id, std::shared_ptr<const SealedBlock> block) {
  const std::size_t size = footprint(*block);
  const std::lock_guard lock(mutex_);
  if (size > capacity_bytes_ || by_id_.contains(id)) return;
  items_.push_front({id, std::move(block), size});
  by_id_[id] = items_.begin();
  bytes_ += size;
  while (bytes_ > capacity_bytes_) {
    bytes_ -= items_.back().bytes;
    by_id_.erase(items_.back().id);
    items_.pop_back();
  }
}

std::size_t BlockCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace vigil::aggregator
