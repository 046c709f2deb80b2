// Sealed blocks that were read lately, by their row in history.db. Evicts the least recently used beyond a
// number of bytes. Thread-safe. A row's id is never used again while the process lives, so that nothing in
// here can be out of date.
#pragma once

#include "aggregator/blocks/block.h"

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace vigil::aggregator {

class BlockCache {
 public:
  explicit BlockCache(std::size_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  /// Null when it is not there.
  std::shared_ptr<const SealedBlock> find(std::int64_t id);
  void put(std::int64_t id, std::shared_ptr<const SealedBlock> block);
  std::size_t bytes() const;

 private:
  struct Item {
    std::int64_t id = 0;
    std::shared_ptr<const SealedBlock> block;
    std::size_t bytes = 0;
  };
  const std::size_t capacity_bytes_;
  mutable std::mutex mutex_;  // protects what follows
  std::list<Item> items_;     // the most recently used first
  std::unordered_map<std::int64_t, std::list<Item>::iterator> by_id_;
  std::size_t bytes_ = 0;
};

}  // namespace vigil::aggregator
