// What is known of each series of a host, found by its id. Ids grow for ever and series leave, so it lies in
// pages: one goes with the last of its series, and what stays of it is a pointer. Pure.
#pragma once

#include "aggregator/blocks/block.h"

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace vigil::aggregator {

template <class T>
class ById {
 public:
  /// Null for an id that is not there. Good until it is erased.
  T* find(SeriesId id) {
    const std::size_t page = id / kPageIds;
    if (page >= pages_.size() || !pages_[page] || (pages_[page]->used & bit(id)) == 0) return nullptr;
    return &pages_[page]->values[id % kPageIds];
  }
  const T* find(SeriesId id) const {
    return const_cast<ById*>(this)->find(id);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  }
  /// Made when it is not there.
  T& make(SeriesId id) {
    const std::size_t page = id / kPageIds;
    if (page >= pages_.size()) pages_.resize(page + 1);
    if (!pages_[page]) pages_[page] = std::make_unique<Page>();
    if ((pages_[page]->used & bit(id)) == 0) ++size_;
    pages_[page]->used |= bit(id);
    return pages_[page]->values[id % kPageIds];
  }
  /// It must be there.
  T& operator[](SeriesId id) {
    T* found = find(id);
    assert(found != nullptr);
    return *found;
  }
  const T& operator[](SeriesId id) const {
    return const_cast<ById&>(*this)[id];  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  }
  void erase(SeriesId id) {
    T* found = find(id);
    if (found == nullptr) return;
    *found = T{};
    --size_;
    std::unique_ptr<Page>& page = pages_[id / kPageIds];
    page->used &= ~bit(id);
    if (page->used == 0) page.reset();
  }
  /// In order of id.
  template <class Visit>
  void for_each(const Visit& visit) const {
    for (std::size_t page = 0; page < pages_.size(); ++page) {
      if (!pages_[page]) continue;
      for (std::size_t i = 0; i < kPageIds; ++i) {
        const auto id = static_cast<SeriesId>(page * kPageIds + i);
        if ((pages_[page]->used & bit(id)) != 0) visit(id, pages_[page]->values[i]);
      }
    }
  }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kPageIds = 64;
  static constexpr std::uint64_t bit(SeriesId id) { return std::uint64_t{1} << (id % kPageIds); }
  struct Page {
    std::uint64_t used = 0;
    std::array<T, kPageIds> values{};
  };

  std::vector<std::unique_ptr<Page>> pages_;
  std::size_t size_ = 0;
};

}  // namespace vigil::aggregator
