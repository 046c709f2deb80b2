#include "aggregator/store/pending_blocks.h"

#include <algorithm>
#include <unordered_set>

namespace vigil::aggregator {

void PendingBlocks::add(HostId host, std::vector<FoundBlock> blocks) {
  const std::lock_guard lock(mutex_);
  auto& pending = by_host_[host];
  std::move(blocks.begin(), blocks.end(), std::back_inserter(pending));
}

void PendingBlocks::remove(HostId host, const std::vector<FoundBlock>& blocks) {
  const std::lock_guard lock(mutex_);
  const auto found = by_host_.find(host);
  if (found == by_host_.end()) return;
  // Committed in the order in which they were added: those at the front, unless a group was divided.
  std::unordered_set<const SealedBlock*> committed;
  for (const FoundBlock& each : blocks) committed.insert(each.block.get());
  std::erase_if(found->second,
                [&](const FoundBlock& pending) { return committed.contains(pending.block.get()); });
  if (found->second.empty()) by_host_.erase(found);
}

std::vector<FoundBlock> PendingBlocks::find(HostId host, TimeRange range) const {
  std::vector<FoundBlock> found;
  const std::lock_guard lock(mutex_);
  const auto pending = by_host_.find(host);
  if (pending == by_host_.end()) return found;
  for (const FoundBlock& each : pending->second) {
    if (each.block->last_ms() >= range.start_ms && each.block->first_ms() <= range.end_ms)
      found.push_back(each);
  }
  return found;
}

}  // namespace vigil::aggregator
