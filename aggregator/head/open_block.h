// The rows of one source that are still being collected: tick-major, so that a new row is one copy. Pure.
#pragma once

#include "aggregator/blocks/block.h"

#include <cassert>
#include <cstdint>
#include <span>
#include <vector>

namespace vigil::aggregator {

class OpenBlock {
 public:
  explicit OpenBlock(std::vector<SeriesId> columns = {}) : columns_(std::move(columns)) {}

  /// `values` is as wide as the columns; `time_ms` is after last_ms(). Columns beyond `values` (of series
  /// that ended) are absent.
  void append(std::int64_t time_ms, std::span<const std::int64_t> values) {
    assert(values.size() <= columns_.size());
    assert(times_ms_.empty() || time_ms > times_ms_.back());
    times_ms_.push_back(time_ms);
    cells_.insert(cells_.end(), values.begin(), values.end());
    cells_.resize(times_ms_.size() * columns_.size(), kAbsent);
  }

  bool empty() const { return times_ms_.empty(); }
  std::size_t rows() const { return times_ms_.size(); }
  std::size_t width() const { return columns_.size(); }
  std::int64_t first_ms() const { return times_ms_.front(); }
  std::int64_t last_ms() const { return times_ms_.back(); }
  std::span<const SeriesId> columns() const { return columns_; }
  std::span<const std::int64_t> times_ms() const { return times_ms_; }
  /// Cell of row r and column c: cells()[r * width() + c].
  const std::int64_t* cells() const { return cells_.data(); }
  std::size_t memory_bytes() const {
    return (times_ms_.capacity() + cells_.capacity()) * sizeof(std::int64_t);
  }

  /// Column-major, as sealing wants it.
  Block transposed() const;
  /// Forgets the rows, keeps columns and memory.
  void clear() {
    times_ms_.clear();
    cells_.clear();
  }

 private:
  std::vector<SeriesId> columns_;
  std::vector<std::int64_t> times_ms_;
  std::vector<std::int64_t> cells_;
};

}  // namespace vigil::aggregator
