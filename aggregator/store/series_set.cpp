#include "aggregator/store/series_set.h"

#include <algorithm>

namespace vigil::aggregator {

bool SeriesSet::contains(SeriesId id) const {
  const auto after = std::ranges::upper_bound(runs_, id, {}, &SeriesRun::first);
  return after != runs_.begin() && std::prev(after)->last >= id;
}

bool SeriesSet::contains_all(std::span<const SeriesId> ids) const {
  return std::ranges::all_of(ids, [this](SeriesId id) { return contains(id); });
}

void SeriesSet::add(SeriesRun run) {
  // All runs that touch the new one become part of it; so does one that ends right before it.
  const auto begin = std::ranges::partition_point(
      runs_, [&](const SeriesRun& each) { return each.last < run.first && run.first - each.last > 1; });
  const auto end = std::partition_point(begin, runs_.end(), [&](const SeriesRun& each) {
    return each.first <= run.last || each.first - run.last == 1;
  });
  if (begin == end) {
    runs_.insert(begin, run);
    return;
  }
  *begin = {std::min(begin->first, run.first), std::max(std::prev(end)->last, run.last)};
  runs_.erase(std::next(begin), end);
}

void SeriesSet::add_all(std::span<const SeriesId> ids) {
  for (const SeriesId id : ids)
    if (!contains(id)) add({id, id});
}

}  // namespace vigil::aggregator
