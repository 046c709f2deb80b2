#include "aggregator/store/found_blocks.h"

#include "aggregator/store/tier.h"

#include <algorithm>

namespace vigil::aggregator {

bool holds_any(const SealedBlock& block, std::span<const SeriesId> wanted) {
  if (wanted.empty()) return true;
  const auto& held = block.series();
  if (wanted.size() == 1) return std::find(held.begin(), held.end(), wanted.front()) != held.end();
  std::vector<SeriesId> sorted(wanted.begin(), wanted.end());
  std::sort(sorted.begin(), sorted.end());
  return std::any_of(held.begin(), held.end(),
                     [&](SeriesId id) { return std::binary_search(sorted.begin(), sorted.end(), id); });
}

bool holds_same(const FoundBlock& left, const FoundBlock& right) {
  return left.block == right.block ||
         (left.source == right.source && left.block->first_ms() == right.block->first_ms() &&
          left.block->bytes() == right.block->bytes());
}

bool covers(const FoundBlock& later, const FoundBlock& earlier) {
  return later.source == earlier.source && later.block->first_ms() == earlier.block->first_ms() &&
         later.block->last_ms() >= earlier.block->last_ms() && later.block->rows() >= earlier.block->rows() &&
         std::ranges::equal(later.block->series(), earlier.block->series());
}

void sort_by_time(std::vector<FoundBlock>& blocks) {
  const auto earlier = [](const FoundBlock& left, const FoundBlock& right) {
    return std::pair(left.block->first_ms(), left.source) < std::pair(right.block->first_ms(), right.source);
  };
  if (!std::ranges::is_sorted(blocks, earlier)) std::ranges::stable_sort(blocks, earlier);
}

Result<std::vector<std::shared_ptr<const SealedBlock>>> by_day(std::shared_ptr<const SealedBlock> block) {
  const std::int64_t midnight = next_period_ms(Tier::raw, block->first_ms());
  if (block->last_ms() < midnight) return std::vector{std::move(block)};
  auto plain = block->decode();
  if (!plain) return plain.error();
  const auto& times = plain->times_ms;
  const auto cut =
      static_cast<std::size_t>(std::lower_bound(times.begin(), times.end(), midnight) - times.begin());
  std::vector<std::shared_ptr<const SealedBlock>> days;
  for (const auto& [begin, end] : {std::pair{std::size_t{0}, cut}, {cut, times.size()}}) {
    Block day;
    day.series = plain->series;
    day.times_ms.assign(times.begin() + static_cast<std::ptrdiff_t>(begin),
                        times.begin() + static_cast<std::ptrdiff_t>(end));
    for (std::size_t column = 0; column < day.series.size(); ++column) {
      const auto* values = plain->values.data() + column * times.size();
      day.values.insert(day.values.end(), values + begin, values + end);
    }
    auto sealed = SealedBlock::open(seal(day));
    if (!sealed) return sealed.error();
    days.push_back(std::move(*sealed));
  }
  return days;
}

}  // namespace vigil::aggregator
