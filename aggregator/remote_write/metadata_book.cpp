#include "aggregator/remote_write/metadata_book.h"

#include "aggregator/remote_write/routing.h"
#include "common/text/utf8.h"
#include "common/wire/names.h"

namespace vigil::aggregator::remote_write {

std::string_view to_string(MetricType type) {
  switch (type) {
    case MetricType::counter:
      return "counter";
    case MetricType::gauge:
      return "gauge";
    case MetricType::histogram:
      return "histogram";
    case MetricType::gauge_histogram:
      return "gaugehistogram";
    case MetricType::summary:
      return "summary";
    case MetricType::info:
      return "info";
    case MetricType::state_set:
      return "stateset";
    case MetricType::unknown:
      break;
  }
  return "unknown";
}

void MetadataBook::put(std::span<const Metadata> metadata) {
  const std::lock_guard lock(mutex_);
  for (const Metadata& each : metadata) {
    const bool sound = !each.family.empty() && each.family.size() <= kMaxNameBytes && is_utf8(each.family);
    if (!sound) continue;
    const auto [at, is_new] = families_.try_emplace(std::string(each.family));
    if (is_new) by_age_.push_back(at);
    if (by_age_.size() > kMost) {
      families_.erase(by_age_.front());
      by_age_.pop_front();
    }
    at->second = {each.type, wire::clean_text(each.help, kMaxHelpBytes), wire::clean_text(each.unit)};
  }
}

MetadataBook::Families::const_iterator MetadataBook::find_locked(std::string_view metric) const {
  auto at = families_.find(metric);
  for (const std::string_view suffix : {"_total", "_bucket", "_count", "_sum"}) {
    if (at != families_.end()) break;
    if (metric.ends_with(suffix)) at = families_.find(metric.substr(0, metric.size() - suffix.size()));
  }
  return at;
}

SeriesType MetadataBook::type_of(std::string_view metric) const {
  const std::lock_guard lock(mutex_);
  const auto at = find_locked(metric);
  return at == families_.end() ? SeriesType::unknown : to_series_type(at->second.type, metric);
}

std::optional<FamilyMetadata> MetadataBook::of(std::string_view metric) const {
  const std::lock_guard lock(mutex_);
  const auto at = find_locked(metric);
  return at == families_.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace vigil::aggregator::remote_write
