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
  const auto skip = [this](auto at, auto end) {
    while (at != end && !keeps(at->name)) ++at;
    return at;
  };
  auto left = skip(a.begin(), a.end());
  auto right = skip(b.begin(), b.end());
  while (left != a.end() && right != b.end()) {
    if (left->name != right->name || left->value != right->value) return false;
    left = skip(std::next(left), a.end());
    right = skip(std::next(right), b.end());
  }
  return left == a.end() && right == b.end();
}

Labels LabelFilter::apply(const Labels& labels) const {
  std::vector<Label> kept;
  for (const LabelView& label : labels) {
    if (keeps(label.name)) kept.push_back({std::string(label.name), std::string(label.value)});
  }
  return Labels(std::move(kept));
}

std::size_t KeyIndex::insert(const Labels& labels, const LabelFilter& filter) {
  const std::uint64_t hash = filter.hash(labels);
  const auto [first, last] = buckets_.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    if (filter.equal(labels, *representatives_[it->second])) return it->second;
  }
  buckets_.emplace(hash, representatives_.size());
  representatives_.push_back(&labels);
  return representatives_.size() - 1;
}

std::size_t KeyIndex::find(const Labels& labels, const LabelFilter& filter) const {
  const auto [first, last] = buckets_.equal_range(filter.hash(labels));
  for (auto it = first; it != last; ++it) {
    if (filter.equal(labels, *representatives_[it->second])) return it->second;
  }
  return kNone;
}

}  // namespace vigil::promql
