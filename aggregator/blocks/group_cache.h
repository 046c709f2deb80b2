// Groups of columns that were decompressed lately. Dashboards ask for the same hours again and again, and
// zstd is most of what reading a short block costs. Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace vigil::aggregator {

/// Two generations: what was not asked for while the younger one filled up goes with the older one.
class GroupCache {
 public:
  explicit GroupCache(std::size_t capacity_bytes) : shelf_bytes_(capacity_bytes / kShelves / 2) {}

  using Plain = std::shared_ptr<const std::string>;
  /// `block` is SealedBlock::serial(). Null when it is not there.
  Plain find(std::uint64_t block, std::size_t group);
  void put(std::uint64_t block, std::size_t group, Plain plain);
  std::size_t bytes() const;

 private:
  static constexpr std::size_t kShelves = 8;     // so that query threads seldom wait for each other
  static constexpr std::size_t kGroupBits = 20;  // a block has at most 2^24 cells and a group 16 columns
  struct Shelf {
    mutable std::mutex mutex;  // protects what follows
    std::unordered_map<std::uint64_t, Plain> young;
    std::unordered_map<std::uint64_t, Plain> old;
    std::size_t young_bytes = 0;
    std::size_t old_bytes = 0;
  };
  void add(Shelf& shelf, std::uint64_t key, Plain plain) const;

  const std::size_t shelf_bytes_;  // of a generation
  std::array<Shelf, kShelves> shelves_;
};

}  // namespace vigil::aggregator
