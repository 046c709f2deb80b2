// A hash table of ids whose keys live elsewhere: 4 bytes a slot, since an aggregator has millions. Pure.
#pragma once

#include "aggregator/blocks/block.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace vigil::aggregator {

/// Open addressing with linear probing. Hashes are the caller's, and the same for an id each time.
class IdTable {
 public:
  /// `hash_of(id)`: asked for every id there is when the table grows.
  template <class HashOf>
  void insert(SeriesId id, std::uint64_t hash, const HashOf& hash_of) {
    if (2 * (used_ + 1) > slots_.size()) resize(slots_.empty() ? kLeastSlots : 2 * slots_.size(), hash_of);
    place(id, hash);
    ++used_;
  }
  /// The id must be there; `hash_of` is asked for the few behind it, which move up: none may be unreachable.
  template <class HashOf>
  void erase(SeriesId id, std::uint64_t hash, const HashOf& hash_of) {
    std::size_t hole = home(hash);
    while (slots_[hole] != id) hole = (hole + 1) & mask();
    for (std::size_t at = (hole + 1) & mask(); slots_[at] != kFree; at = (at + 1) & mask()) {
      const std::size_t from_home = (at - home(hash_of(slots_[at]))) & mask();
      if (from_home < ((at - hole) & mask())) continue;  // its place lies behind the hole
      slots_[hole] = slots_[at];
      hole = at;
    }
    slots_[hole] = kFree;
    --used_;
  }
  /// Gives memory back when most of it is free.
  template <class HashOf>
  void shrink(const HashOf& hash_of) {
    std::size_t slots = slots_.size();
    while (slots > kLeastSlots && 8 * used_ < slots) slots /= 2;
    if (slots < slots_.size()) resize(slots, hash_of);
  }
  /// Calls `is_it(id)` for each id that may have this hash until it says true. That id's slot, to be read or
  /// replaced by another of the same hash; nullptr when there is none.
  template <class IsIt>
  SeriesId* find(std::uint64_t hash, const IsIt& is_it) {
    if (slots_.empty()) return nullptr;
    for (std::size_t at = home(hash); slots_[at] != kFree; at = (at + 1) & mask())
      if (is_it(slots_[at])) return &slots_[at];
    return nullptr;
  }
  template <class IsIt>
  const SeriesId* find(std::uint64_t hash, const IsIt& is_it) const {
    return const_cast<IdTable*>(this)->find(hash, is_it);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  }
  template <class Visit>
  void for_each(const Visit& visit) const {
    for (const SeriesId id : slots_)
      if (id != kFree) visit(id);
  }
  std::size_t memory_bytes() const { return slots_.capacity() * sizeof(SeriesId); }

 private:
  static constexpr SeriesId kFree = std::numeric_limits<SeriesId>::max();
  static constexpr std::size_t kLeastSlots = 16;

  std::size_t mask() const { return slots_.size() - 1; }
  /// Names of one low byte must not fill one corner: the finalizer of MurmurHash3.
  std::size_t home(std::uint64_t hash) const {
    hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCDULL;
    return (hash ^ (hash >> 33)) & mask();
  }
  void place(SeriesId id, std::uint64_t hash) {
    std::size_t at = home(hash);
    while (slots_[at] != kFree) at = (at + 1) & mask();
    slots_[at] = id;
  }
  template <class HashOf>
  void resize(std::size_t slots, const HashOf& hash_of) {
    std::vector<SeriesId> before(slots, kFree);
    before.swap(slots_);
    for (const SeriesId id : before)
      if (id != kFree) place(id, hash_of(id));
  }

  std::vector<SeriesId> slots_;  // a power of two of them
  std::size_t used_ = 0;
};

}  // namespace vigil::aggregator
