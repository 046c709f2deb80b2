#include "aggregator/head/open_block.h"

#include "aggregator/blocks/column.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <limits>
#include <unordered_map>
#include <utility>

namespace vigil::aggregator {
namespace {

constexpr std::uint32_t kMaxIndex = (std::uint32_t{1} << 31) - 1;
constexpr std::int32_t kNarrowAbsent = std::numeric_limits<std::int32_t>::min();

std::int64_t difference(std::int64_t value, std::int64_t base) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(base));
}

}  // namespace

OpenBlock::OpenBlock(std::vector<SeriesId> columns)
    : columns_(std::move(columns)),
      places_(columns_.size()),
      bases_(columns_.size(), kAbsent),
      narrow_width_(columns_.size()) {
  for (std::size_t i = 0; i < places_.size(); ++i)
    places_[i].index = static_cast<std::uint32_t>(i) & kMaxIndex;
}

bool OpenBlock::fits(std::size_t column, std::int64_t value) const {
  if (places_[column].wide != 0 || value == kAbsent || bases_[column] == kAbsent) return true;
  const std::int64_t cell = difference(value, bases_[column]);
  return cell > kNarrowAbsent && cell <= std::numeric_limits<std::int32_t>::max();
}

void OpenBlock::append(std::int64_t time_ms, std::span<const std::int64_t> values) {
  assert(values.size() <= width());
  assert(empty() || time_ms > last_ms());
  if (page_rows() == kPageRows && !loose_) pack();
  std::vector<std::size_t> too_narrow;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!fits(i, values[i])) too_narrow.push_back(i);
  if (!too_narrow.empty()) widen(too_narrow);
  times_ms_.push_back(time_ms);
  write(values);
}

/// The page's last row, whose time is there already.
void OpenBlock::write(std::span<const std::int64_t> values) {
  const std::size_t row = page_rows() - 1;
  // Doubling would leave room for rows that never come; the first ones are of sources that have few.
  if (row == kPageRows / 2) {
    narrow_.reserve(kPageRows * narrow_width_);
    wide_.reserve(kPageRows * wide_width_);
  }
  narrow_.resize((row + 1) * narrow_width_, kNarrowAbsent);
  wide_.resize((row + 1) * wide_width_, kAbsent);
  std::int32_t* const narrow = narrow_.data() + row * narrow_width_;
  std::int64_t* const wide = wide_.data() + row * wide_width_;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Place place = places_[i];
    if (place.wide != 0) {
      wide[place.index] = values[i];
    } else if (values[i] != kAbsent) {
      if (bases_[i] == kAbsent) bases_[i] = values[i];
      narrow[place.index] = static_cast<std::int32_t>(difference(values[i], bases_[i]));
    }
  }
}

void OpenBlock::pack() {
  thread_local std::string bytes;
  bytes.clear();
  Packed packed;
  packed.starts.reserve(width());
  std::array<std::int64_t, kPageRows> column;
  for (std::size_t i = 0; i < width(); ++i) {
    for (std::size_t row = 0; row < kPageRows; ++row) column[row] = page_cell(row, i);
    packed.starts.push_back(static_cast<std::uint32_t>(bytes.size()));
    encode_column(column, bytes);
  }
  packed.bytes = bytes;
  packed_.push_back(std::move(packed));
  narrow_.clear();
  wide_.clear();
  std::ranges::fill(bases_, kAbsent);
}

/// From now on rows come in pieces, each to where it belongs.
void OpenBlock::loosen() {
  if (std::exchange(loose_, true) || packed_.empty()) return;
  const Block all = transposed();
  clear();
  std::vector<std::int64_t> row(width());
  for (std::size_t r = 0; r < all.times_ms.size(); ++r) {
    for (std::size_t i = 0; i < width(); ++i) row[i] = all.values[i * all.times_ms.size() + r];
    append(all.times_ms[r], row);
  }
}

std::size_t OpenBlock::row_at(std::int64_t time_ms) {
  loosen();
  const auto at =
      empty() || time_ms > last_ms() ? times_ms_.end() : std::ranges::lower_bound(times_ms_, time_ms);
  const auto row = at - times_ms_.begin();
  if (at != times_ms_.end() && *at == time_ms) return static_cast<std::size_t>(row);
  times_ms_.insert(at, time_ms);
  narrow_.insert(narrow_.begin() + row * static_cast<std::ptrdiff_t>(narrow_width_), narrow_width_,
                 kNarrowAbsent);
  wide_.insert(wide_.begin() + row * static_cast<std::ptrdiff_t>(wide_width_), wide_width_, kAbsent);
  return static_cast<std::size_t>(row);
}

OpenBlock::Put OpenBlock::put(std::size_t row, std::size_t column, std::int64_t value) {
  assert(loose_);  // row_at() said where
  const std::int64_t there = cell(row, column);
  if (there != kAbsent) return there == value ? Put::same : Put::other;
  if (!fits(column, value)) widen({column});
  set_cell(row, column, value);
  return Put::stored;
}

void OpenBlock::set_cell(std::size_t row, std::size_t column, std::int64_t value) {
  const Place place = places_[column];
  if (place.wide != 0) {
    wide_[row * wide_width_ + place.index] = value;
  } else if (value != kAbsent) {
    if (bases_[column] == kAbsent) bases_[column] = value;
    narrow_[row * narrow_width_ + place.index] = static_cast<std::int32_t>(difference(value, bases_[column]));
  }
}

void OpenBlock::set_columns(std::vector<SeriesId> columns) {
  loosen();
  OpenBlock changed(std::move(columns));
  changed.loose_ = true;
  if (!empty()) {
    std::unordered_map<SeriesId, std::size_t> places;
    for (std::size_t i = 0; i < changed.width(); ++i) places.emplace(changed.columns_[i], i);
    changed.narrow_width_ = 0;
    for (std::size_t i = 0; i < width(); ++i) changed.places_[places.at(columns_[i])].wide = places_[i].wide;
    for (Place& place : changed.places_)
      place.index =
          static_cast<std::uint32_t>(place.wide != 0 ? changed.wide_width_++ : changed.narrow_width_++) &
          kMaxIndex;
    changed.times_ms_ = std::move(times_ms_);
    changed.narrow_.assign(changed.rows() * changed.narrow_width_, kNarrowAbsent);
    changed.wide_.assign(changed.rows() * changed.wide_width_, kAbsent);
    for (std::size_t i = 0; i < width(); ++i) {
      const std::size_t column = places.at(columns_[i]);
      changed.bases_[column] = bases_[i];
      for (std::size_t row = 0; row < changed.rows(); ++row) changed.set_cell(row, column, cell(row, i));
    }
  }
  *this = std::move(changed);
}

std::vector<SeriesId> OpenBlock::filled_columns() const {
  std::vector<SeriesId> filled;
  std::vector<std::int64_t> cells(rows());
  for (std::size_t i = 0; i < width(); ++i) {
    read(i, cells);
    if (std::ranges::any_of(cells, [](std::int64_t value) { return value != kAbsent; }))
      filled.push_back(columns_[i]);
  }
  return filled;
}

/// The rows of the page are written anew: rare, for a column does it once.
void OpenBlock::widen(const std::vector<std::size_t>& columns) {
  std::vector<std::vector<std::int64_t>> rows(page_rows(), std::vector<std::int64_t>(width()));
  for (std::size_t row = 0; row < rows.size(); ++row)
    for (std::size_t i = 0; i < width(); ++i) rows[row][i] = page_cell(row, i);
  for (const std::size_t column : columns) places_[column].wide = 1;
  narrow_width_ = wide_width_ = 0;
  for (Place& place : places_)
    place.index = static_cast<std::uint32_t>(place.wide != 0 ? wide_width_++ : narrow_width_++) & kMaxIndex;
  narrow_ = {};
  wide_ = {};
  std::ranges::fill(bases_, kAbsent);
  const std::vector<std::int64_t> times(times_ms_.end() - static_cast<std::ptrdiff_t>(rows.size()),
                                        times_ms_.end());
  times_ms_.resize(packed_rows());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    times_ms_.push_back(times[row]);
    write(rows[row]);
  }
}

std::int64_t OpenBlock::value_of(std::size_t column, std::int32_t cell) const {
  if (cell == kNarrowAbsent) return kAbsent;
  // As difference(): modulo 2^64, for a base near one end may have values near the other.
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(bases_[column]) +
                                   static_cast<std::uint64_t>(std::int64_t{cell}));
}

std::int64_t OpenBlock::cell(std::size_t row, std::size_t column) const {
  if (row >= packed_rows()) return page_cell(row - packed_rows(), column);
  std::array<std::int64_t, kPageRows> cells{};
  read_packed(packed_[row / kPageRows], column, cells);
  return cells[row % kPageRows];
}

std::int64_t OpenBlock::page_cell(std::size_t row, std::size_t column) const {
  const Place place = places_[column];
  if (place.wide != 0) return wide_[row * wide_width_ + place.index];
  return value_of(column, narrow_[row * narrow_width_ + place.index]);
}

void OpenBlock::read_packed(const Packed& page, std::size_t column, std::span<std::int64_t> out) {
  ByteReader in(std::string_view(page.bytes).substr(page.starts[column]));
  [[maybe_unused]] const bool whole = decode_column(in, out);
  assert(whole);  // what pack() wrote
}

void OpenBlock::read(std::size_t column, std::size_t first, std::span<std::int64_t> out) const {
  std::size_t row = 0;
  for (std::size_t page = first / kPageRows; page < packed_.size(); ++page) {
    read_packed(packed_[page], column, out.subspan(row, kPageRows));
    row += kPageRows;
  }
  for (std::size_t i = 0; i < page_rows(); ++i) out[row + i] = page_cell(i, column);
}

std::size_t OpenBlock::memory_bytes() const {
  std::size_t bytes = (times_ms_.capacity() + bases_.capacity() + wide_.capacity()) * sizeof(std::int64_t) +
                      narrow_.capacity() * sizeof(std::int32_t) + places_.capacity() * sizeof(Place) +
                      columns_.capacity() * sizeof(SeriesId) + packed_.capacity() * sizeof(Packed);
  for (const Packed& page : packed_)
    bytes += page.bytes.capacity() + page.starts.capacity() * sizeof(std::uint32_t);
  return bytes;
}

Block OpenBlock::transposed() const {
  Block block{columns_, times_ms_, std::vector<std::int64_t>(rows() * width())};
  for (std::size_t i = 0; i < width(); ++i) read(i, std::span(block.values).subspan(i * rows(), rows()));
  return block;
}

void OpenBlock::clear() {
  times_ms_.clear();
  packed_ = {};
  narrow_.clear();
  wide_.clear();
  std::ranges::fill(bases_, kAbsent);
}

}  // namespace vigil::aggregator
