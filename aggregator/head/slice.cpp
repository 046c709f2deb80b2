#include "aggregator/head/slice.h"

#include "aggregator/head/points.h"
#include "aggregator/head/tier_reader.h"
#include "aggregator/store/history.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

// A column by itself costs the decompression of its group of 16; from here on decoding the whole block once
// is cheaper.
constexpr std::size_t kWholeBlockColumns = 16;

class SliceReader {
 public:
  SliceReader(const HostSlice& slice, const SliceRead& read)
      : sets_(slice.series, read.start_ms, read.end_ms) {}

  Result<void> add_block(const SealedBlock& block) {
    std::vector<std::size_t> wanted;
    const auto ids = block.series();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (sets_.wants(ids[i])) wanted.push_back(i);
    }
    if (wanted.empty()) return {};
    return wanted.size() >= kWholeBlockColumns ? add_whole(block) : add_columns(block, wanted);
  }

  void add_open(const OpenRows& rows) {
    for (std::size_t column = 0; column < rows.series.size(); ++column) {
      sets_.add(rows.series[column], {rows.times_ms, rows.cells.data() + column * rows.times_ms.size()});
    }
  }

  PointSets& sets() { return sets_; }

 private:
  Result<void> add_whole(const SealedBlock& block) {
    const auto plain = block.decode();
    if (!plain) return plain.error();
    for (std::size_t i = 0; i < plain->series.size(); ++i) {
      sets_.add(plain->series[i], {plain->times_ms, plain->values.data() + i * plain->times_ms.size()});
    }
    return {};
  }

  Result<void> add_columns(const SealedBlock& block, const std::vector<std::size_t>& wanted) {
    const auto times = block.times();
    if (!times) return times.error();
    for (const std::size_t i : wanted) {
      const auto values = block.column(i);
      if (!values) return values.error();
      sets_.add(block.series()[i], {*times, values->data()});
    }
    return {};
  }

  PointSets sets_;
};

Result<void> add_samples(const HostSlice& slice, const History& history, const SliceRead& read,
                         SliceReader& reader) {
  if (read.start_ms > read.end_ms) return {};
  std::vector<SeriesId> ids;
  for (const WantedSeries& series : slice.series) ids.push_back(series.id);
  const auto blocks = history.read(slice.host, ids, read.start_ms, read.end_ms);
  if (!blocks) return blocks.error();
  for (const auto& block : *blocks) {
    if (auto added = reader.add_block(*block); !added) return added;
    if (reader.sets().points() > read.max_points) return too_many_points(read.max_points);
  }
  return {};
}

/// What is older than the slice. Where samples have been removed, minutes stand in for them, and hours for
/// minutes.
Result<void> add_history(const HostSlice& slice, const History& history, const SliceRead& read,
                         SliceReader& reader) {
  if (read.start_ms >= slice.complete_from_ms) return {};
  const std::int64_t end_ms = std::min(read.end_ms, slice.complete_from_ms - 1);
  if (read.start_ms > end_ms) return {};
  const std::int64_t raw_from = history.complete_from_ms(Tier::raw);
  const std::int64_t minutes_from = history.complete_from_ms(Tier::minute);
  if (read.start_ms < raw_from) {
    TierReader tiers(slice, history, reader.sets());
    const std::int64_t before = std::min(end_ms, raw_from - 1);
    Result<void> added;
    if (read.start_ms < minutes_from)
      added = tiers.add(Tier::hour, {read.start_ms, std::min(before, minutes_from - 1), read.max_points});
    if (added)
      added = tiers.add(Tier::minute, {std::max(read.start_ms, minutes_from), before, read.max_points});
    if (!added) return added;
  }
  return add_samples(slice, history, {std::max(read.start_ms, raw_from), end_ms, read.max_points}, reader);
}

}  // namespace

Result<void> read_slice(const HostSlice& slice, const History* history, const SliceRead& read,
                        std::vector<promql::SelectedSeries>& out) {
  if (slice.ready.size() > read.max_points) return too_many_points(read.max_points);
  out.insert(out.end(), slice.ready.begin(), slice.ready.end());
  if (slice.series.empty()) return {};
  SliceRead wider = read;  // an instant selector may look back to the hour before
  if (history != nullptr && read.start_ms < history->complete_from_ms(Tier::minute))
    wider.start_ms -= kHourMs;
  SliceReader reader(slice, wider);
  if (history != nullptr) {
    if (auto added = add_history(slice, *history, wider, reader); !added) return added.error();
  }
  for (const auto& block : slice.blocks) {
    if (auto added = reader.add_block(*block); !added) return added.error();
    if (reader.sets().points() > read.max_points) return too_many_points(read.max_points);
  }
  for (const OpenRows& rows : slice.open) reader.add_open(rows);
  return reader.sets().take(read.max_points - slice.ready.size(), out);
}

}  // namespace vigil::aggregator
