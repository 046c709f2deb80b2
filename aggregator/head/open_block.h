// The rows of one source that are still being collected: row after row, so that a new one is written in one
// place; those of some seconds ago packed column by column. Pure.
#pragma once

#include "aggregator/blocks/block.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vigil::aggregator {

/// Open rows are half of what an aggregator keeps in memory. Only the latest kPageRows stand as they came, 32
/// bits a cell: the difference to the column's first value of that page. A column with a difference that does
/// not fit becomes wide, 64 bits a cell, and stays so. A page that is full is packed when the next row comes,
/// with the transforms of sealed blocks (blocks/column.h) but without their zstd: one to two bytes a cell.
class OpenBlock {
 public:
  static constexpr std::size_t kPageRows = 16;

  explicit OpenBlock(std::vector<SeriesId> columns = {});

  /// `values` is as wide as the columns; `time_ms` is after last_ms(). Columns beyond `values` (of series
  /// that ended) are absent.
  void append(std::int64_t time_ms, std::span<const std::int64_t> values);

  // For rows that come in pieces and in any order. Such a block stays unpacked:

  enum class Put : std::uint8_t { stored, same, other };  // what the cell holds already
  /// The row of this time, made without any cell where it belongs when there is none.
  std::size_t row_at(std::int64_t time_ms);
  /// Fills a cell that is absent; one that is not stays as it is.
  Put put(std::size_t row, std::size_t column, std::int64_t value);
  /// Other columns, those of now among them unless the block is empty; new ones are absent in all rows.
  void set_columns(std::vector<SeriesId> columns);
  /// Columns with at least one value.
  std::vector<SeriesId> filled_columns() const;

  bool empty() const { return times_ms_.empty(); }
  std::size_t rows() const { return times_ms_.size(); }
  std::size_t width() const { return columns_.size(); }
  std::int64_t first_ms() const { return times_ms_.front(); }
  std::int64_t last_ms() const { return times_ms_.back(); }
  std::span<const SeriesId> columns() const { return columns_; }
  std::span<const std::int64_t> times_ms() const { return times_ms_; }
  /// Those of the last row are never packed.
  std::int64_t cell(std::size_t row, std::size_t column) const;
  /// All cells of a column, a row each; `out` has room for them.
  void read(std::size_t column, std::span<std::int64_t> out) const { read(column, 0, out); }
  /// The same of the rows from `first` on, which page_before() gave.
  void read(std::size_t column, std::size_t first, std::span<std::int64_t> out) const;
  /// The first row of the page that `row` is in: pages are unpacked as a whole.
  std::size_t page_before(std::size_t row) const { return std::min(row - row % kPageRows, packed_rows()); }
  std::size_t memory_bytes() const;

  /// Column-major, as sealing wants it.
  Block transposed() const;
  /// Forgets the rows, keeps columns and the memory of a page.
  void clear();

 private:
  /// Where the cells of a column stand in the page.
  struct Place {
    std::uint32_t index : 31 = 0;  // within a row of the narrow or the wide ones
    std::uint32_t wide : 1 = 0;
  };
  /// kPageRows rows, a column after the other.
  struct Packed {
    std::vector<std::uint32_t> starts;  // of each column in bytes
    std::string bytes;
  };
  std::size_t packed_rows() const { return packed_.size() * kPageRows; }
  std::size_t page_rows() const { return rows() - packed_rows(); }
  std::int64_t page_cell(std::size_t row, std::size_t column) const;
  static void read_packed(const Packed& page, std::size_t column, std::span<std::int64_t> out);
  void write(std::span<const std::int64_t> values);
  void pack();
  void loosen();
  void set_cell(std::size_t row, std::size_t column, std::int64_t value);
  /// Whether the cell is wide enough.
  bool fits(std::size_t column, std::int64_t value) const;
  void widen(const std::vector<std::size_t>& columns);
  std::int64_t value_of(std::size_t column, std::int32_t cell) const;

  std::vector<SeriesId> columns_;
  std::vector<std::int64_t> times_ms_;  // of all rows
  std::vector<Packed> packed_;          // full pages, oldest first
  bool loose_ = false;                  // rows come in pieces: all of them are in the page

  // The page.
  std::vector<Place> places_;        // by column
  std::vector<std::int64_t> bases_;  // by column: what narrow cells are relative to; kAbsent: no value yet
  std::size_t narrow_width_ = 0;
  std::size_t wide_width_ = 0;
  std::vector<std::int32_t> narrow_;  // a row after the other
  std::vector<std::int64_t> wide_;
};

}  // namespace vigil::aggregator
