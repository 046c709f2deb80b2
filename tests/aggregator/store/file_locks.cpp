#include "tests/aggregator/store/file_locks.h"

#include <sqlite3.h>

#include <algorithm>

namespace vigil::aggregator::testing {

int FileLocks::level(const void* who) const {
  const auto found = levels_.find(who);
  return found == levels_.end() ? SQLITE_LOCK_NONE : found->second;
}

int FileLocks::others_at_least(const void* who, int level) const {
  return static_cast<int>(std::count_if(levels_.begin(), levels_.end(), [&](const auto& each) {
    return each.first != who && each.second >= level;
  }));
}

bool FileLocks::is_reserved() const {
  return others_at_least(nullptr, SQLITE_LOCK_RESERVED) > 0;
}

int FileLocks::lock(const void* who, int level) {
  if (this->level(who) >= level) return SQLITE_OK;
  const int in_the_way = level == SQLITE_LOCK_SHARED ? SQLITE_LOCK_PENDING : SQLITE_LOCK_RESERVED;
  if (others_at_least(who, in_the_way) > 0) return SQLITE_BUSY;
  if (level == SQLITE_LOCK_EXCLUSIVE && others_at_least(who, SQLITE_LOCK_SHARED) > 0) {
    levels_[who] = SQLITE_LOCK_PENDING;  // no new readers while it waits for the present ones
    return SQLITE_BUSY;
  }
  levels_[who] = level;
  return SQLITE_OK;
}

void FileLocks::unlock(const void* who, int level) {
  if (level == SQLITE_LOCK_NONE) {
    levels_.erase(who);
  } else if (this->level(who) > level) {
    levels_[who] = level;
  }
}

void* FileLocks::region(const void* who, std::size_t index, std::size_t bytes, Missing missing) {
  mapped_.insert(who);
  if (index >= regions_.size() && missing == Missing::leave) return nullptr;
  while (index >= regions_.size())
    regions_.push_back(std::make_unique<Region>(bytes / sizeof(std::uint32_t)));
  return regions_[index]->data();
}

int FileLocks::lock_slots(const void* who, int first, int count, int flags) {
  const auto begin = slots_.begin() + first;
  const auto end = begin + count;
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    for (auto slot = begin; slot != end; ++slot) {
      if (slot->exclusive == who) slot->exclusive = nullptr;
      slot->shared.erase(who);
    }
    return SQLITE_OK;
  }
  const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  const bool taken = std::any_of(begin, end, [&](const Slot& slot) {
    if (slot.exclusive != nullptr && slot.exclusive != who) return true;
    return exclusive && slot.shared.size() > slot.shared.count(who);
  });
  if (taken) return SQLITE_BUSY;
  for (auto slot = begin; slot != end; ++slot) {
    if (exclusive) {
      slot->exclusive = who;
    } else {
      slot->shared.insert(who);
    }
  }
  return SQLITE_OK;
}

void FileLocks::unmap(const void* who) {
  (void)lock_slots(who, 0, kSlots, SQLITE_SHM_UNLOCK);
  mapped_.erase(who);
  if (mapped_.empty()) regions_.clear();
}

}  // namespace vigil::aggregator::testing
