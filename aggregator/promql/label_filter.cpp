#include "aggregator/promql/label_filter.h"

#include <algorithm>
#include <functional>

namespace vigil::promql {

LabelFilter::LabelFilter(std::vector<std::string> names, bool listed)
    : names_(std::move(names)), listed_(listed) {
  std::sort(names_.begin(), names_.end());
}

LabelFilter LabelFilter::on(std::vector<std::string> names) {
  return {std::move(names), true};
}

LabelFilter LabelFilter::ignoring(std::vector<std::string> names) {
  names.emplace_back(kMetricName);
  return {std::move(names), false};
}

LabelFilter LabelFilter::all(std::vector<std::string> but) {
  return {std::move(but), false};
}

bool LabelFilter::keeps(std::string_view name) const {
  return std::binary_search(names_.begin(), names_.end(), name) == listed_;
}

std::uint64_t LabelFilter::hash(const Labels& labels) const {
  constexpr std::hash<std::string_view> kHash;
  std::uint64_t hash = 0x9E3779B97F4A7C15ULL;
  for (const LabelView& label : labels) {
    if (!keeps(label.name)) continue;
    hash = (hash ^ kHash(label.name)) * 0xBF58476D1CE4E5B9ULL;
    hash = (hash ^ (hash >> 31) ^ kHash(label.value)) * 0x94D049BB133111EBULL;
  }
  return hash ^ (hash >> 32);
}

bool LabelFilter::equal(const Labels& a, const Labels& b) const {
  auto left = a.begin();
  auto right = b.begin();
  // Only what differs is looked up: most label sets differ in little.
  while (left != a.end() && right != b.end()) {
    if (left->name == right->name) {
      if (left->value != right->value && keeps(left->name)) return false;
      ++left;
      ++right;
    } else if (auto& lesser = left->name < right->name ? left : right; keeps(lesser->name)) {
      return false;
    } else {
      ++lesser;
    }
  }
  const auto skips_all = [this](auto at, auto end) {
    while (at != end && !keeps(at->name)) ++at;
    return at == end;
  };
  return skips_all(left, a.end()) && skips_all(right, b.end());
}

Labels LabelFilter::apply(const Labels& labels) const {
  std::vector<Label> kept;
  for (const LabelView& label : labels) {
    if (keeps(label.name)) kept.push_back({std::string(label.name), std::string(label.value)});
  }
  return Labels(std::move(kept));
}

std::size_t KeyIndex::insert(const Labels& labels, const LabelFilter& filter) {
  if (const std::size_t known = find(labels, filter); known != kNone) return known;
  representatives_.push_back(&labels);
  const std::size_t count = representatives_.size();
  if (count <= kFew) return count - 1;
  for (std::size_t i = buckets_.size(); i < count; ++i)
    buckets_.emplace(filter.hash(*representatives_[i]), i);
  return count - 1;
}

std::size_t KeyIndex::find(const Labels& labels, const LabelFilter& filter) const {
  if (buckets_.empty()) {
    for (std::size_t i = 0; i < representatives_.size(); ++i) {
      if (filter.equal(labels, *representatives_[i])) return i;
    }
    return kNone;
  }
  const auto [first, last] = buckets_.equal_range(filter.hash(labels));
  for (auto it = first; it != last; ++it) {
    if (filter.equal(labels, *representatives_[it->second])) return it->second;
  }
  return kNone;
}

}  // namespace vigil::promql
