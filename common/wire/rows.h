// Rows of raw integers <-> vigil.v1.Rows, as proto/vigil/v1/ingest.proto documents it: per column the
// difference to its last value that was not absent, across rows and batches; absent cells as runs.
#pragma once

#include "common/error.h"
#include "common/series.h"
#include "vigil/v1/ingest.pb.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace vigil::wire {

inline constexpr std::size_t kMaxCells = 100'000;              // in one Rows
inline constexpr std::int64_t kMaxTimeMs = 7'258'118'400'000;  // 2200-01-01; later stamps are nonsense

/// The rows of one Rows message. Reuse one object: its memory stays.
struct DecodedRows {
  std::vector<std::int64_t> times_ms;  // Unix milliseconds, strictly ascending
  std::vector<std::int64_t>
      values;  // row after row, one per column of the schema; kAbsent where there is no sample
};

/// Encodes the rows of one source. Owned by the agent's batch builder; one thread.
class RowEncoder {
 public:
  explicit RowEncoder(std::size_t width = 0) { set_width(width); }
  /// A new schema version: `width` columns, deltas start from zero.
  void set_width(std::size_t width);
  /// A keyframe begins: deltas start from zero.
  void start_over();
  std::size_t width() const { return last_.size(); }
  /// Whether a row of this time may follow the last one in the same Rows.
  bool may_follow(std::int64_t time_ms) const {
    return time_ms > last_time_ms_ && time_ms - last_time_ms_ <= std::numeric_limits<std::uint32_t>::max();
  }
  /// Adds a row to `rows`, which holds only rows this encoder added, or none. In the same Rows `time_ms`
  /// may_follow() the row before; `values.size() == width()`.
  void append(std::int64_t time_ms, std::span<const std::int64_t> values, v1::Rows& rows);

 private:
  void mark_absent(std::uint32_t cell, v1::Rows& rows);

  std::vector<std::int64_t> last_;
  std::int64_t last_time_ms_ = 0;
  std::uint32_t runs_end_ = 0;  // the cell after the last absent run of the Rows being built
};

/// Decodes the rows of one source of one connection. Total: any message gives rows or an error, within
/// kMaxCells. After an error the decoder must not be used again; the stream is broken.
class RowDecoder {
 public:
  explicit RowDecoder(std::size_t width = 0) { set_width(width); }
  /// A new schema version of the source: `width` columns, deltas start from zero.
  void set_width(std::size_t width);
  /// A keyframe batch: call it for every source of the stream, also for those without rows in that batch.
  void start_over();
  std::size_t width() const { return last_.size(); }
  /// Errors: Errc::parse (counts contradict each other, two rows of one time), Errc::limit (cells, times out
  /// of range).
  Result<void> decode(const v1::Rows& rows, DecodedRows& out);

 private:
  Result<void> decode_times(const v1::Rows& rows, DecodedRows& out);
  Result<void> mark_absent(const v1::Rows& rows, DecodedRows& out) const;
  Result<void> add_up(const v1::Rows& rows, DecodedRows& out);

  std::vector<std::int64_t> last_;
};

}  // namespace vigil::wire
