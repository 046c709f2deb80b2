#include "aggregator/store/merge.h"

#include "common/series.h"

#include <algorithm>

namespace vigil::aggregator {

/// How many rows of the block are not after our last one.
std::size_t Merger::overlap(const Block& block) const {
  if (times_ms_.empty()) return 0;
  const auto after = std::upper_bound(block.times_ms.begin(), block.times_ms.end(), times_ms_.back());
  return static_cast<std::size_t>(after - block.times_ms.begin());
}

bool Merger::holds_times(const Block& block, std::size_t rows) const {
  return std::includes(times_ms_.begin(), times_ms_.end(), block.times_ms.begin(),
                       block.times_ms.begin() + static_cast<std::ptrdiff_t>(rows));
}

std::vector<std::int64_t>& Merger::column(SeriesId id) {
  return columns_[id];
}

bool Merger::add(const Block& block) {
  const std::size_t known = overlap(block);
  if (!holds_times(block, known)) return false;
  std::size_t width = columns_.size();
  for (const SeriesId id : block.series) width += columns_.contains(id) ? 0 : 1;
  const std::size_t rows = times_ms_.size() + block.times_ms.size() - known;
  if (!empty() && rows * width > max_cells_) return false;

  const std::size_t before = times_ms_.size();
  const std::size_t height = block.times_ms.size();
  std::vector<std::size_t> places(known);  // of the rows we have already
  for (std::size_t row = 0; row < known; ++row) {
    places[row] = static_cast<std::size_t>(
        std::lower_bound(times_ms_.begin(), times_ms_.end(), block.times_ms[row]) - times_ms_.begin());
  }
  times_ms_.insert(times_ms_.end(), block.times_ms.begin() + static_cast<std::ptrdiff_t>(known),
                   block.times_ms.end());
  for (std::size_t i = 0; i < block.series.size(); ++i) {
    std::vector<std::int64_t>& cells = column(block.series[i]);
    const std::int64_t* values = block.values.data() + i * height;
    cells.resize(before, kAbsent);
    for (std::size_t row = 0; row < known; ++row) {
      if (cells[places[row]] == kAbsent) cells[places[row]] = values[row];
    }
    cells.insert(cells.end(), values + known, values + height);
  }
  return true;
}

Block Merger::take() {
  Block block;
  for (auto& [id, cells] : columns_) block.series.push_back(id);
  std::sort(block.series.begin(), block.series.end());
  block.values.reserve(block.series.size() * times_ms_.size());
  for (const SeriesId id : block.series) {
    std::vector<std::int64_t>& cells = columns_[id];
    cells.resize(times_ms_.size(), kAbsent);
    block.values.insert(block.values.end(), cells.begin(), cells.end());
  }
  block.times_ms = std::move(times_ms_);
  times_ms_.clear();
  columns_.clear();
  return block;
}

}  // namespace vigil::aggregator
