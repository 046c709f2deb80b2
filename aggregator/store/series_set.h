// A set of series of one host, as runs of ids: what is sampled together was mostly first seen together, so
// that a few runs stand for thousands. A plain value.
#pragma once

#include "aggregator/blocks/block.h"

#include <span>
#include <vector>

namespace vigil::aggregator {

struct SeriesRun {
  SeriesId first = 0;
  SeriesId last = 0;  // inclusive
  friend bool operator==(const SeriesRun&, const SeriesRun&) = default;
};

class SeriesSet {
 public:
  bool contains(SeriesId id) const;  // logarithmic in the runs
  bool contains_all(std::span<const SeriesId> ids) const;
  /// Joins runs that meet. Linear in the runs when it makes one in the middle.
  void add(SeriesRun run);
  void add_all(std::span<const SeriesId> ids);
  bool empty() const { return runs_.empty(); }
  /// Ascending; there is a hole between each two.
  std::span<const SeriesRun> runs() const { return runs_; }

 private:
  std::vector<SeriesRun> runs_;
};

}  // namespace vigil::aggregator
