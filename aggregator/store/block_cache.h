// Sealed blocks that were read lately, by file and row. Evicts the least recently used beyond a
// number of bytes. Thread-safe. Neither numbers of files nor rows are used again, so that nothing in
// here can be out of date.
#pragma once

#include "aggregator/blocks/block.h"

#include <list>
#include <map>
#include <memory>
#include <mutex>

namespace vigil::aggregator {

/// Of a block in a partition.
struct BlockKey {
  std::int64_t file = 0;
  std::int64_t row = 0;
  friend auto operator<=>(const BlockKey&, const BlockKey&) = default;  // NOLINT(modernize-use-nullptr)
};

class BlockCache {
 public:
  explicit BlockCache(std::size_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  /// Null when it is not there.
  std::shared_ptr<const SealedBlock> find(const BlockKey& key);
  void put(const BlockKey& key, std::shared_ptr<const SealedBlock> block);
  std::size_t bytes() const;

 private:
  struct Item {
    BlockKey key;
    std::shared_ptr<const SealedBlock> block;
    std::size_t bytes = 0;
  };
  const std::size_t capacity_bytes_;
  mutable std::mutex mutex_;  // protects what follows
  std::list<Item> items_;     // the most recently used first
  std::map<BlockKey, std::list<Item>::iterator> by_key_;
  std::size_t bytes_ = 0;
};

}  // namespace vigil::aggregator
