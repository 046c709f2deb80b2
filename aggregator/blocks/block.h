// A block: the rows of one source of one host over a span of time. It is filled tick by tick in memory,
// sealed (compressed) once, and from then on immutable: kept in memory while rules look at it, stored as one
// BLOB, read column by column. The byte format is described in docs/storage.md.
#pragma once

#include "common/error.h"
#include "common/series.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator {

class ByteReader;
class GroupCache;

using HostId = std::uint32_t;    // dense, given by the history store when a host is first seen
using SeriesId = std::uint32_t;  // dense within a host, given when a series is first seen; never reused

/// Plain rows, column-major: values[column * times_ms.size() + row], kAbsent where there was no sample.
struct Block {
  std::vector<SeriesId> series;        // one per column, no duplicates
  std::vector<std::int64_t> times_ms;  // strictly ascending Unix milliseconds
  std::vector<std::int64_t> values;
};

/// The most cells (rows x columns) one sealed block may hold: bounds what hostile bytes can make us allocate.
/// 5,000 series fit for almost an hour at one row a second.
inline constexpr std::size_t kMaxCells = std::size_t{1} << 24;

/// Compresses a block: each column transformed to small integers, zstd level 1 over groups of 16 columns, the
/// directory outside, CRC32C over everything. Any int64 round-trips, kAbsent included. `block` must be
/// consistent, not empty, and of at most kMaxCells.
std::string seal(const Block& block);

/// A sealed block opened for reading. Immutable and safe to share between threads.
class SealedBlock {
 public:
  /// Checks magic, version, bounds and checksum; Errc::corrupt says what is wrong. Total on hostile bytes.
  static Result<std::shared_ptr<const SealedBlock>> open(std::string bytes);

  std::span<const SeriesId> series() const { return series_; }
  std::int64_t first_ms() const { return first_ms_; }
  std::int64_t last_ms() const { return last_ms_; }
  std::size_t rows() const { return rows_; }
  /// Of this object, among all there ever were.
  std::uint64_t serial() const { return serial_; }
  /// Cells that hold a value.
  std::uint64_t samples() const { return samples_; }
  const std::string& bytes() const { return bytes_; }

  /// The time column.
  Result<std::vector<std::int64_t>> times() const;
  /// The same into memory that is used again.
  Result<void> times(std::vector<std::int64_t>& out) const;
  /// The values of one column (index into series()); decompresses its group only.
  Result<std::vector<std::int64_t>> column(std::size_t index) const;
  /// Everything, decompressing each group once.
  Result<Block> decode() const;

 private:
  friend class ColumnReader;
  SealedBlock() = default;
  struct Group {
    std::uint32_t first_column = 0;
    std::uint32_t columns = 0;
    std::size_t offset = 0;  // into bytes_
    std::size_t size = 0;    // compressed
    std::size_t plain_size = 0;
  };
  static std::uint64_t next_serial();
  static Result<void> check_frame(const std::string& bytes);
  bool read_directory();
  bool read_series(ByteReader& in, std::uint64_t columns);
  bool read_groups(ByteReader& in, std::uint64_t group_columns);
  bool read_group(const Group& group, std::span<std::int64_t> values) const;
  const std::uint64_t serial_ = next_serial();
  std::string bytes_;
  std::vector<SeriesId> series_;
  std::vector<Group> groups_;
  std::int64_t first_ms_ = 0;
  std::int64_t last_ms_ = 0;
  std::size_t rows_ = 0;
  std::uint64_t samples_ = 0;
  std::size_t times_offset_ = 0;  // the encoded time column, in bytes_
  std::size_t times_size_ = 0;
};

/// Reads some columns of a block, in ascending order: each group of them is decompressed once. One at a time
/// on a thread. Refers to the block.
class ColumnReader {
 public:
  /// `cache` may be null.
  explicit ColumnReader(const SealedBlock& block, GroupCache* cache = nullptr)
      : block_(block), cache_(cache) {}
  /// The values of a column behind those that were read; good until the next one is.
  Result<std::span<const std::int64_t>> read(std::size_t index);

 private:
  Result<void> open_group(std::size_t group);
  const SealedBlock& block_;
  GroupCache* const cache_;
  std::shared_ptr<const std::string> kept_;  // in the cache, too
  std::string_view plain_;                   // of the group
  std::size_t group_ = static_cast<std::size_t>(-1);
  std::size_t next_ = 0;  // the column that begins at position_
  std::size_t position_ = 0;
};

}  // namespace vigil::aggregator
