// The locks and the shared memory that SQLite's connections have on one file, within one simulated process.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <set>
#include <vector>

namespace vigil::aggregator::testing {

/// Connections are told apart by address. Results are SQLITE_OK or SQLITE_BUSY.
class FileLocks {
 public:
  // SQLite's five levels (https://sqlite.org/lockingv3.html).
  int lock(const void* who, int level);
  void unlock(const void* who, int level);
  int level(const void* who) const;
  bool is_reserved() const;

  // Shared memory of the WAL index: eight locks and regions of one size.
  static constexpr int kSlots = 8;
  using Region = std::vector<std::uint32_t>;
  /// Null: there is no such region and `add` says not to make it.
  enum class Missing : std::uint8_t { leave, add };
  void* region(const void* who, std::size_t index, std::size_t bytes, Missing missing);
  int lock_slots(const void* who, int first, int count, int flags);
  /// The memory goes with the last connection that has it.
  void unmap(const void* who);

 private:
  struct Slot {
    const void* exclusive = nullptr;
    std::set<const void*> shared;
  };
  int others_at_least(const void* who, int level) const;

  std::map<const void*, int> levels_;
  std::array<Slot, kSlots> slots_;
  std::set<const void*> mapped_;
  std::vector<std::unique_ptr<Region>> regions_;
};

}  // namespace vigil::aggregator::testing
