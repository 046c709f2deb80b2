#include "aggregator/head/open_block.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <unordered_map>

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
  std::vector<std::size_t> too_narrow;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!fits(i, values[i])) too_narrow.push_back(i);
  if (!too_narrow.empty()) widen(too_narrow);

  times_ms_.push_back(time_ms);
  narrow_.resize(rows() * narrow_width_, kNarrowAbsent);
  wide_.resize(rows() * wide_width_, kAbsent);
  std::int32_t* const narrow = narrow_.data() + (rows() - 1) * narrow_width_;
  std::int64_t* const wide = wide_.data() + (rows() - 1) * wide_width_;
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

std::size_t OpenBlock::row_at(std::int64_t time_ms) {
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
  OpenBlock changed(std::move(columns));
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
  for (std::size_t i = 0; i < width(); ++i) {
    bool any = false;
    for (std::size_t row = 0; row < rows() && !any; ++row) any = cell(row, i) != kAbsent;
    if (any) filled.push_back(columns_[i]);
  }
  return filled;
}

/// All rows are written anew: rare, for a column does it once.
void OpenBlock::widen(const std::vector<std::size_t>& columns) {
  OpenBlock wider(columns_);
  for (std::size_t i = 0; i < width(); ++i) wider.places_[i].wide = places_[i].wide;
  for (const std::size_t column : columns) wider.places_[column].wide = 1;
  wider.narrow_width_ = 0;
  for (Place& place : wider.places_)
    place.index =
        static_cast<std::uint32_t>(place.wide != 0 ? wider.wide_width_++ : wider.narrow_width_++) & kMaxIndex;
  std::vector<std::int64_t> row(width());
  for (std::size_t r = 0; r < rows(); ++r) {
    for (std::size_t i = 0; i < width(); ++i) row[i] = cell(r, i);
    wider.append(times_ms_[r], row);
  }
  *this = std::move(wider);
}

std::int64_t OpenBlock::value_of(std::size_t column, std::int32_t cell) const {
  if (cell == kNarrowAbsent) return kAbsent;
  // As difference(): modulo 2^64, for a base near one end may have values near the other.
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(bases_[column]) +
                                   static_cast<std::uint64_t>(std::int64_t{cell}));
}

std::int64_t OpenBlock::cell(std::size_t row, std::size_t column) const {
  const Place place = places_[column];
  if (place.wide != 0) return wide_[row * wide_width_ + place.index];
  return value_of(column, narrow_[row * narrow_width_ + place.index]);
}

void OpenBlock::read(std::size_t column, std::span<std::int64_t> out) const {
  for (std::size_t row = 0; row < rows(); ++row) out[row] = cell(row, column);
}

std::size_t OpenBlock::memory_bytes() const {
  return (times_ms_.capacity() + bases_.capacity() + wide_.capacity()) * sizeof(std::int64_t) +
         narrow_.capacity() * sizeof(std::int32_t) + places_.capacity() * sizeof(Place) +
         columns_.capacity() * sizeof(SeriesId);
}

Block OpenBlock::transposed() const {
  constexpr std::size_t kTile = 16;  // columns at a time: 16 cache lines are written while rows are read once
  const std::size_t row_count = rows();
  Block block{columns_, times_ms_, std::vector<std::int64_t>(row_count * width())};
  for (std::size_t begin = 0; begin < width(); begin += kTile) {
    const std::size_t end = std::min(begin + kTile, width());
    for (std::size_t row = 0; row < row_count; ++row)
      for (std::size_t column = begin; column < end; ++column)
        block.values[column * row_count + row] = cell(row, column);
  }
  return block;
}

void OpenBlock::clear() {
  times_ms_.clear();
  narrow_.clear();
  wide_.clear();
  std::ranges::fill(bases_, kAbsent);
}

}  // namespace vigil::aggregator
