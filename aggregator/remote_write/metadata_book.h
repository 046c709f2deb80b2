// What senders say of metric families: type, help, unit. In memory; Prometheus sends it anew each minute.
// Thread-safe.
#pragma once

#include "aggregator/remote_write/request.h"

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vigil::aggregator::remote_write {

struct FamilyMetadata {
  MetricType type = MetricType::unknown;
  std::string help;
  std::string unit;
  friend bool operator==(const FamilyMetadata&, const FamilyMetadata&) = default;
};

class MetadataBook {
 public:
  /// The latest word counts. Beyond kMost families the one that came first is forgotten: whoever
  /// still means it says it again.
  void put(std::span<const Metadata> metadata);
  /// Of a series' metric: of its family, which lacks _total, _bucket, _count or _sum.
  SeriesType type_of(std::string_view metric) const;
  /// What was said of it; nothing when nobody spoke.
  std::optional<FamilyMetadata> of(std::string_view metric) const;

  static constexpr std::size_t kMost = 20'000;
  static constexpr std::size_t kMaxHelpBytes = 1024;
  static constexpr std::size_t kMaxNameBytes = 256;

 private:
  using Families = std::map<std::string, FamilyMetadata, std::less<>>;
  Families::const_iterator find_locked(std::string_view metric) const;

  mutable std::mutex mutex_;  // protects what follows
  Families families_;
  std::deque<Families::iterator> by_age_;
};

std::string_view to_string(MetricType type);

}  // namespace vigil::aggregator::remote_write
