// Rows of a block made of series as they come out of the storage, so that the samples of one series at a time
// are held, not those of all. Internal to the engine.
#pragma once

#include "aggregator/promql/eval.h"

#include <iterator>
#include <utility>
#include <vector>

namespace vigil::promql {

/// `Fill` is copied for each part but one, and called as fill(series, row) with a row of kNoValue.
template <class Fill>
class RowSink final : public SeriesSink {
 public:
  RowSink(Pulse& pulse, const Grid& grid, Fill fill) : pulse_(pulse), grid_(grid), fill_(std::move(fill)) {}

  void begin(std::size_t parts) override {
    parts_.reserve(parts);
    for (std::size_t i = 1; i < parts; ++i) parts_.push_back({make_block(grid_), fill_, {}});
    if (parts > 0) parts_.push_back({make_block(grid_), std::move(fill_), {}});
  }

  Result<void> take(std::size_t part, SelectedSeries& series) override {
    const std::size_t points = series.points.size();
    if (auto held = pulse_.hold(points + grid_.steps); !held) return held;
    Part& at = parts_[part];
    at.coarse.see(series);
    const std::size_t rows = at.block.rows();
    at.fill(series, at.block.add_row(std::move(series.labels)));
    at.block.drop_last_if_empty();
    pulse_.release(at.block.rows() == rows ? points + grid_.steps : points);
    if (!pulse_.working(points + grid_.steps)) return pulse_.check().error();
    return {};
  }

  Coarse coarse() const {
    Coarse all;
    for (const Part& part : parts_) all.join(part.coarse);
    return all;
  }
  /// All rows, in the order of the parts.
  Block finish() {
    Block block = parts_.empty() ? make_block(grid_) : std::move(parts_.front().block);
    for (std::size_t i = 1; i < parts_.size(); ++i) {
      Block& next = parts_[i].block;
      std::move(next.labels.begin(), next.labels.end(), std::back_inserter(block.labels));
      block.names.insert(block.names.end(), next.names.begin(), next.names.end());
      block.values.insert(block.values.end(), next.values.begin(), next.values.end());
      next = {};
    }
    block.held = Held(pulse_, block.rows() * grid_.steps);
    return block;
  }

 private:
  struct Part {
    Block block;
    Fill fill;
    Coarse coarse;
  };
  Pulse& pulse_;
  const Grid grid_;
  Fill fill_;
  std::vector<Part> parts_;  // made once: different threads are in different ones
};

}  // namespace vigil::promql
