#include "aggregator/store/rollup.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>

namespace vigil::aggregator {
namespace {

bool less(Encoding encoding, std::int64_t left, std::int64_t right) {
  if (!is_float(encoding)) return left < right;
  return double_from_raw(left) < double_from_raw(right);
}

/// kAbsent when it does not fit, or cannot be told from it.
std::int64_t plus(Encoding encoding, std::int64_t left, std::int64_t right) {
  if (left == kAbsent || right == kAbsent) return kAbsent;
  if (is_float(encoding)) return raw_from_double(double_from_raw(left) + double_from_raw(right));
  std::int64_t sum = 0;
  return __builtin_add_overflow(left, right, &sum) ? kAbsent : sum;
}

constexpr std::array kOfGauge{Aggregate::min, Aggregate::max, Aggregate::sum, Aggregate::count,
                              Aggregate::last};
constexpr std::array kOfCounter{Aggregate::count, Aggregate::last, Aggregate::first, Aggregate::excess};

}  // namespace

// A counter that falls has been reset to 0: it grew by what it shows now.
void Rollup::put_counter(Bucket& bucket, Encoding encoding, std::int64_t raw) {
  if (less(encoding, raw, bucket.last)) bucket.excess = plus(encoding, bucket.excess, bucket.last);
}

void Rollup::put(Bucket& bucket, const SeriesKind& kind, std::int64_t time_ms, std::int64_t raw) {
  if (bucket.count == 0) {
    bucket.min = bucket.max = bucket.sum = bucket.first = bucket.last = raw;
    bucket.excess = is_float(kind.encoding) ? raw_from_double(0) : 0;
    bucket.first_ms = bucket.last_ms = time_ms;
    bucket.count = 1;
    return;
  }
  ++bucket.count;
  bucket.first_ms = std::min(bucket.first_ms, time_ms);
  if (less(kind.encoding, raw, bucket.min)) bucket.min = raw;
  if (less(kind.encoding, bucket.max, raw)) bucket.max = raw;
  bucket.sum = plus(kind.encoding, bucket.sum, raw);
  if (time_ms < bucket.last_ms) return;  // of a block that lies between others
  if (kind.type == SeriesType::counter) put_counter(bucket, kind.encoding, raw);
  bucket.last = raw;
  bucket.last_ms = time_ms;
}

Rollup::Bucket& Rollup::bucket_at(Series& series, std::int64_t index) {
  auto& buckets = series.buckets;
  if (!buckets.empty() && buckets.back().index == index) return buckets.back();
  const auto at =
      std::lower_bound(buckets.begin(), buckets.end(), index,
                       [](const Bucket& bucket, std::int64_t wanted) { return bucket.index < wanted; });
  if (at != buckets.end() && at->index == index) return *at;
  Bucket fresh;
  fresh.index = index;
  return *buckets.insert(at, fresh);
}

void Rollup::add(const Block& block, const std::vector<SeriesKind>& kinds) {
  const auto& times = block.times_ms;
  const auto begin =
      static_cast<std::size_t>(std::lower_bound(times.begin(), times.end(), span_.start_ms) - times.begin());
  const auto end =
      static_cast<std::size_t>(std::lower_bound(times.begin(), times.end(), span_.end_ms) - times.begin());
  if (begin == end) return;
  for (std::size_t column = 0; column < block.series.size(); ++column) {
    const SeriesId id = block.series[column];
    const std::int64_t* values = block.values.data() + column * times.size();
    Series* series = nullptr;
    for (std::size_t row = begin; row < end; ++row) {
      if (values[row] == kAbsent) continue;
      if (series == nullptr) {
        series = &series_[id];
        if (id < kinds.size()) series->kind = kinds[id];
      }
      if (is_end(values[row], series->kind.encoding)) continue;
      put(bucket_at(*series, (times[row] - span_.start_ms) / span_.bucket_ms), series->kind, times[row],
          values[row]);
    }
  }
}

std::vector<SeriesId> Rollup::brief(std::int64_t most_ms) const {
  std::int64_t first_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t last_ms = std::numeric_limits<std::int64_t>::min();
  for (const auto& [id, series] : series_) {
    if (series.buckets.empty()) continue;
    first_ms = std::min(first_ms, series.buckets.front().first_ms);
    last_ms = std::max(last_ms, series.buckets.back().last_ms);
  }
  std::vector<SeriesId> brief;
  for (const auto& [id, series] : series_) {
    if (series.buckets.empty() || is_sparse(series.kind.encoding)) continue;
    const std::int64_t from_ms = series.buckets.front().first_ms;
    const std::int64_t to_ms = series.buckets.back().last_ms;
    if (to_ms - from_ms < most_ms && from_ms > first_ms && to_ms < last_ms) brief.push_back(id);
  }
  return brief;
}

std::optional<Block> Rollup::take() {
  std::set<std::int64_t> indices;
  for (const auto& [id, series] : series_) {
    for (const Bucket& bucket : series.buckets) indices.insert(bucket.index);
  }
  if (indices.empty()) return std::nullopt;
  Block block;
  std::map<std::int64_t, std::size_t> rows;
  for (const std::int64_t index : indices) {
    rows[index] = block.times_ms.size();
    block.times_ms.push_back(span_.start_ms + (index + 1) * span_.bucket_ms - 1);
  }
  const auto value_of = [](const Bucket& bucket, Aggregate aggregate) {
    const std::array<std::int64_t, 7> values{bucket.min,  bucket.max,   bucket.sum,   bucket.count,
                                             bucket.last, bucket.first, bucket.excess};
    return values.at(static_cast<std::size_t>(aggregate));
  };
  const auto add_column = [&](SeriesId id, const Series& series, Aggregate aggregate) {
    block.series.push_back(tier_column(id, aggregate));
    const std::size_t start = block.values.size();
    block.values.resize(start + rows.size(), kAbsent);
    for (const Bucket& bucket : series.buckets) {
      block.values[start + rows[bucket.index]] = value_of(bucket, aggregate);
    }
  };
  for (const auto& [id, series] : series_) {
    if (series.buckets.empty()) continue;  // nothing but the end of it
    if (series.kind.type == SeriesType::counter) {
      for (const Aggregate aggregate : kOfCounter) add_column(id, series, aggregate);
    } else {
      for (const Aggregate aggregate : kOfGauge) add_column(id, series, aggregate);
    }
  }
  series_.clear();
  return block;
}

}  // namespace vigil::aggregator
