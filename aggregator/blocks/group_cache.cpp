#include "aggregator/blocks/group_cache.h"

#include <utility>

namespace vigil::aggregator {
namespace {

constexpr std::size_t kOverhead = 120;  // of the text, its counter and its place in the table

std::size_t footprint(const std::string& plain) {
  return plain.size() + kOverhead;
}

}  // namespace

GroupCache::Plain GroupCache::find(std::uint64_t block, std::size_t group) {
  const std::uint64_t key = block << kGroupBits | group;
  Shelf& shelf = shelves_[(block + group) % kShelves];
  const std::lock_guard lock(shelf.mutex);
  if (const auto found = shelf.young.find(key); found != shelf.young.end()) return found->second;
  const auto found = shelf.old.find(key);
  if (found == shelf.old.end()) return nullptr;
  Plain plain = std::move(found->second);
  shelf.old_bytes -= footprint(*plain);
  shelf.old.erase(found);
  add(shelf, key, plain);
  return plain;
}

void GroupCache::put(std::uint64_t block, std::size_t group, Plain plain) {
  Shelf& shelf = shelves_[(block + group) % kShelves];
  const std::lock_guard lock(shelf.mutex);
  add(shelf, block << kGroupBits | group, std::move(plain));
}

void GroupCache::add(Shelf& shelf, std::uint64_t key, Plain plain) const {
  const std::size_t size = footprint(*plain);
  if (size > shelf_bytes_) return;
  if (shelf.young_bytes + size > shelf_bytes_) {
    shelf.old = std::exchange(shelf.young, {});
    shelf.old_bytes = std::exchange(shelf.young_bytes, 0);
  }
  if (shelf.young.emplace(key, std::move(plain)).second) shelf.young_bytes += size;
}

std::size_t GroupCache::bytes() const {
  std::size_t bytes = 0;
  for (const Shelf& shelf : shelves_) {
    const std::lock_guard lock(shelf.mutex);
    bytes += shelf.young_bytes + shelf.old_bytes;
  }
  return bytes;
}

}  // namespace vigil::aggregator
