// Rows that come in pieces and in any order, see HostHead::put().
#include "aggregator/head/host_head.h"
#include "aggregator/head/host_kind.h"
#include "aggregator/store/tier.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

/// The columns of an open block with those of the cells, if any is new.
std::vector<SeriesId> more_columns(const OpenBlock& open, std::span<const HostHead::Cell> cells) {
  const auto columns = open.columns();
  std::vector<SeriesId> all;
  std::size_t next = 0;
  for (const HostHead::Cell& cell : cells) {
    while (next < columns.size() && columns[next] < cell.series) all.push_back(columns[next++]);
    if (next < columns.size() && columns[next] == cell.series) ++next;
    if (all.empty() || all.back() != cell.series) all.push_back(cell.series);
  }
  all.insert(all.end(), columns.begin() + static_cast<std::ptrdiff_t>(next), columns.end());
  return all.size() == columns.size() ? std::vector<SeriesId>() : all;
}

}  // namespace

HostHead::SourceExtent HostHead::extent(std::uint32_t number) const {
  const auto at = sources_.find(number);
  return at == sources_.end() ? SourceExtent{} : SourceExtent{at->second.declared, at->second.last_ms};
}

HostHead::Source& HostHead::source_for_put(std::uint32_t number) {
  Source& source = sources_[number];
  if (source.in_pieces) return source;
  source.in_pieces = true;
  // Few names for all hosts: the history numbers them.
  source.key =
      pushed_source(kind_of(registry_.instance()), static_cast<std::uint16_t>(number % kLaneSources));
  if (lane_of(number) != kLiveLane) source.key.job += "+late";
  return source;
}

/// Whether a row of this time has a place in the open block, or in the one that is begun for it.
bool HostHead::make_room(std::uint32_t number, Source& source, std::int64_t time_ms) {
  const OpenBlock& open = source.open;
  const bool late = lane_of(number) != kLiveLane;
  if (open.empty()) return late || time_ms > source.last_ms;
  const std::int64_t first_ms = std::min(open.first_ms(), time_ms);
  const std::int64_t last_ms = std::max(open.last_ms(), time_ms);
  const bool fits = last_ms - first_ms <= 2 * options_.slot_ms &&
                    period_start_ms(Tier::raw, first_ms) == period_start_ms(Tier::raw, last_ms) &&
                    (open.rows() + 1) * open.width() <= kMaxOpenCells;
  if (fits && (late || time_ms >= open.first_ms())) return true;
  if (!late && time_ms <= open.last_ms()) return false;
  close(number, source);
  return true;
}

void HostHead::put_cells(Source& source, std::int64_t time_ms, std::span<const Cell> cells,
                         PutCounts& counts) {
  if (auto columns = more_columns(source.open, cells); !columns.empty())
    source.open.set_columns(std::move(columns));
  source.declared = source.open.width();
  const std::size_t row = source.open.row_at(time_ms);
  std::size_t column = 0;
  for (const Cell& cell : cells) {
    const auto columns = source.open.columns();
    if (columns[column] != cell.series)
      column = static_cast<std::size_t>(std::ranges::lower_bound(columns, cell.series) - columns.begin());
    switch (source.open.put(row, column, cell.raw)) {
      case OpenBlock::Put::stored:
        ++counts.stored;
        break;
      case OpenBlock::Put::same:
        ++counts.repeated;
        break;
      case OpenBlock::Put::other:
        ++counts.conflicting;
        if (!counts.conflict) counts.conflict = cell.series;
        break;
    }
    column = std::min(column + 1, columns.size() - 1);
  }
  source.last_ms = std::max(source.last_ms, time_ms);
}

std::int64_t HostHead::known_value(Kept& kept, std::int64_t time_ms, SeriesId series) {
  const auto ids = kept.block->series();
  const auto id = std::ranges::lower_bound(ids, series);  // put() keeps them in order
  if (id == ids.end() || *id != series) return kAbsent;
  if (kept.times_ms.empty()) {
    auto times = kept.block->times();
    if (!times) return kAbsent;
    kept.times_ms = std::move(*times);
  }
  const auto at = std::ranges::lower_bound(kept.times_ms, time_ms);
  if (at == kept.times_ms.end() || *at != time_ms) return kAbsent;
  const auto column = static_cast<std::size_t>(id - ids.begin());
  auto cached = kept.columns.find(column);
  if (cached == kept.columns.end()) {
    auto values = kept.block->column(column);
    if (!values) return kAbsent;
    cached = kept.columns.emplace(column, std::move(*values)).first;
  }
  return cached->second[static_cast<std::size_t>(at - kept.times_ms.begin())];
}

/// A sender that did not get its answer sends again what may be in closed blocks by now.
std::vector<HostHead::Cell> HostHead::without_known(std::int64_t time_ms, std::span<const Cell> cells,
                                                    PutCounts& counts) {
  std::vector<Cell> left(cells.begin(), cells.end());
  for (Kept& kept : kept_) {
    if (time_ms < kept.block->first_ms() || time_ms > kept.block->last_ms()) continue;
    std::erase_if(left, [&](const Cell& cell) {
      const std::int64_t known = known_value(kept, time_ms, cell.series);
      if (known == kAbsent) return false;
      ++(known == cell.raw ? counts.repeated : counts.conflicting);
      if (known != cell.raw && !counts.conflict) counts.conflict = cell.series;
      return true;
    });
  }
  return left;
}

HostHead::PutCounts HostHead::put(std::uint32_t number, std::int64_t time_ms, std::span<const Cell> cells) {
  PutCounts counts;
  if (cells.empty()) return counts;
  Source& source = source_for_put(number);
  if (make_room(number, source, time_ms)) {
    put_cells(source, time_ms, cells, counts);
    return counts;
  }
  const std::vector<Cell> left = without_known(time_ms, cells, counts);
  if (left.empty()) return counts;
  const std::uint32_t late_number = source_number(kLateLane, number % kLaneSources);
  Source& late = source_for_put(late_number);
  (void)make_room(late_number, late, time_ms);
  put_cells(late, time_ms, left, counts);
  return counts;
}

}  // namespace vigil::aggregator
