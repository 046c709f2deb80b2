// Joins blocks of one source that lie one after the other, or that hold the same rows twice, into a longer
// one. Pure.
#pragma once

#include "aggregator/blocks/block.h"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace vigil::aggregator {

class Merger {
 public:
  /// A merged block has at most this many cells.
  explicit Merger(std::size_t max_cells) : max_cells_(max_cells) {}

  /// Adds a block, in order of first times. Rows whose times are there already only fill cells that are
  /// absent: a crash may have sealed them twice. False, and nothing was added: it does not fit, or its rows
  /// lie between ours and belong to another stream of the source; take() what there is and add again.
  bool add(const Block& block);
  /// What was added, columns by id; empty afterwards.
  Block take();
  bool empty() const { return times_ms_.empty(); }
  std::int64_t first_ms() const { return times_ms_.front(); }

 private:
  std::size_t overlap(const Block& block) const;
  bool holds_times(const Block& block, std::size_t rows) const;
  std::vector<std::int64_t>& column(SeriesId id);

  const std::size_t max_cells_;
  std::vector<std::int64_t> times_ms_;
  std::unordered_map<SeriesId, std::vector<std::int64_t>>
      columns_;  // as long as times_ms_, or shorter: absent from there on
};

}  // namespace vigil::aggregator
