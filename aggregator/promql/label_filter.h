// Which labels of a series take part in a comparison: the grouping of an aggregation, the matching of a
// binary operator, or all of them. Internal to the engine.
#pragma once

#include "common/series.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vigil::promql {

class LabelFilter {
 public:
  /// Only these labels.
  static LabelFilter on(std::vector<std::string> names);
  /// All but these and the metric name.
  static LabelFilter ignoring(std::vector<std::string> names);
  /// All labels but these.
  static LabelFilter all(std::vector<std::string> but = {});

  bool keeps(std::string_view name) const;
  std::uint64_t hash(const Labels& labels) const;
  bool equal(const Labels& a, const Labels& b) const;
  Labels apply(const Labels& labels) const;

 private:
  LabelFilter(std::vector<std::string> names, bool listed);
  std::vector<std::string> names_;  // sorted
  bool listed_;                     // keep what is listed, or keep the rest
};

/// Numbers the distinct keys of label sets, from 0. Compares labels only when hashes are equal.
class KeyIndex {
 public:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  void reserve(std::size_t keys) {
    if (keys > kFew) buckets_.reserve(keys);
  }
  /// The number of this key, a new one if it was never seen. `labels` must outlive the index.
  std::size_t insert(const Labels& labels, const LabelFilter& filter);
  /// kNone when it was never inserted. `filter` is the inserting one.
  std::size_t find(const Labels& labels, const LabelFilter& filter) const;
  std::size_t size() const { return representatives_.size(); }
  const Labels& representative(std::size_t key) const { return *representatives_[key]; }

 private:
  static constexpr std::size_t kFew = 8;  // of so many each is looked at: that costs less than hashing labels
  std::unordered_multimap<std::uint64_t, std::size_t> buckets_;  // once there are more
  std::vector<const Labels*> representatives_;
};

}  // namespace vigil::promql
