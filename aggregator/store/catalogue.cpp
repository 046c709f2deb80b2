#include "aggregator/store/catalogue.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

bool readable(const PartitionInfo& partition) {
  const FileForm form = partition.file.form;
  return form == FileForm::open || form == FileForm::finished || form == FileForm::compacted;
}

}  // namespace

void Catalogue::put(const PartitionInfo& partition) {
  const std::lock_guard lock(mutex_);
  partitions_[partition.file.number] = partition;
}

void Catalogue::remove(std::int64_t number) {
  const std::lock_guard lock(mutex_);
  partitions_.erase(number);
}

void Catalogue::replace(const std::vector<std::int64_t>& numbers, const PartitionInfo& by) {
  const std::lock_guard lock(mutex_);
  for (const std::int64_t number : numbers) partitions_.erase(number);
  partitions_[by.file.number] = by;
}

void Catalogue::set_form(std::int64_t number, FileForm form) {
  const std::lock_guard lock(mutex_);
  const auto at = partitions_.find(number);
  if (at != partitions_.end()) at->second.file.form = form;
}

void Catalogue::add(std::int64_t number, const BlockTotals& added, const BlockTotals& replaced) {
  const std::lock_guard lock(mutex_);
  const auto at = partitions_.find(number);
  if (at == partitions_.end()) return;
  at->second.totals += added;
  at->second.totals -= replaced;
}

void Catalogue::cover(std::int64_t number, std::int64_t first_ms, std::int64_t last_ms) {
  const std::lock_guard lock(mutex_);
  const auto at = partitions_.find(number);
  if (at != partitions_.end()) at->second.cover(first_ms, last_ms);
}

std::vector<PartitionInfo> Catalogue::overlapping(Tier tier, std::int64_t start_ms,
                                                  std::int64_t end_ms) const {
  std::vector<PartitionInfo> found = all(tier);
  std::erase_if(found, [&](const PartitionInfo& each) {
    return each.empty() || each.last_ms < start_ms || each.first_ms > end_ms;
  });
  return found;
}

std::vector<PartitionInfo> Catalogue::all(Tier tier) const {
  std::vector<PartitionInfo> found;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, each] : partitions_) {
      if (each.tier == tier && readable(each)) found.push_back(each);
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const PartitionInfo& left, const PartitionInfo& right) {
    return left.file.period_ms < right.file.period_ms;
  });
  return found;
}

std::optional<PartitionInfo> Catalogue::find(std::int64_t number) const {
  const std::lock_guard lock(mutex_);
  const auto at = partitions_.find(number);
  if (at == partitions_.end()) return std::nullopt;
  return at->second;
}

BlockTotals Catalogue::totals(Tier tier) const {
  BlockTotals sum;
  for (const PartitionInfo& each : all(tier)) sum += each.totals;
  return sum;
}

std::int64_t Catalogue::oldest_ms() const {
  std::int64_t oldest = std::numeric_limits<std::int64_t>::max();
  for (const PartitionInfo& each : all(Tier::raw)) oldest = std::min(oldest, each.first_ms);
  return oldest == std::numeric_limits<std::int64_t>::max() ? 0 : oldest;
}

std::int64_t Catalogue::newest_ms() const {
  std::int64_t newest = std::numeric_limits<std::int64_t>::min();
  for (const PartitionInfo& each : all(Tier::raw)) newest = std::max(newest, each.last_ms);
  return newest == std::numeric_limits<std::int64_t>::min() ? 0 : newest;
}

}  // namespace vigil::aggregator
