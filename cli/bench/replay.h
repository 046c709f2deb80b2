// A trace as all agents of a simulated fleet send it: its columns are encoded once and shared, each agent
// begins at a row of its own. What was sent can be told again at any time, to compare it with what is read
// back.
#pragma once

#include "common/error.h"
#include "common/series.h"
#include "common/trace/trace.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace vigil::cli {

/// A batch as a range of rows. Rows are numbered on without end: past the trace's last one it begins anew.
struct BatchShape {
  std::uint64_t seq = 0;
  bool keyframe = false;
  std::uint64_t first_row = 0;
  std::uint32_t rows = 0;          // at least 1
  std::int64_t first_time_ms = 0;  // of the first row
  std::uint32_t step_ms = 0;       // from row to row
};

/// Constant after construction. Columns that never fall (counters) go on where they ended when the trace
/// begins anew; the others jump.
class Replay {
 public:
  /// With `series` columns: evenly chosen ones when the trace has more, shifted copies when it has fewer.
  /// Columns with absent cells are left out. Errors: Errc::invalid_argument.
  static Result<Replay> create(const Trace& trace, std::size_t series);

  const std::string& trace() const { return trace_; }
  /// Columns of the trace that were left out, since cells of them are absent.
  std::size_t left_out() const { return left_out_; }
  /// Rows until the trace begins anew.
  std::size_t rows() const { return deltas_.size(); }
  /// Of a row's deltas, on average.
  std::size_t row_bytes() const { return row_bytes_; }
  /// Names become metric names ("bench_..."), and each series has the label `series`, its column's number.
  const std::vector<SeriesSpec>& series() const { return series_; }

  /// The raw value of a column.
  std::int64_t value(std::uint64_t row, std::size_t column) const;
  /// The serialized vigil.v1.AgentMessage with the schema: source 1, version 1, job "bench".
  std::string schema(std::uint32_t interval_ms) const;
  /// The serialized vigil.v1.AgentMessage with the batch.
  std::string batch(const BatchShape& shape) const;

 private:
  struct Column {
    std::vector<std::int64_t> values;
    std::int64_t gain = 0;  // from one run through the trace to the next
  };
  Replay() = default;
  void encode();

  std::string trace_;
  std::size_t left_out_ = 0;
  std::vector<SeriesSpec> series_;
  std::vector<Column> columns_;  // shifted already
  std::size_t row_bytes_ = 0;
  std::vector<std::string> deltas_;  // of each row from the one before: Rows.deltas, packed
};

}  // namespace vigil::cli
