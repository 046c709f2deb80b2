#include "aggregator/head/series_registry.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

// As Prometheus does with honor_labels: false: what identifies the target wins, the sender's own label keeps
// living under another name.
void set_target_label(Labels& labels, const std::string& name, const std::string& value) {
  const std::string own(labels.get(name));
  if (!own.empty() && own != value) labels.set("exported_" + name, own);
  labels.set(name, value);
}

}  // namespace

SeriesRegistry::SeriesRegistry(std::string instance, Labels host_labels)
    : instance_(std::move(instance)), host_labels_(std::move(host_labels)) {}

Labels SeriesRegistry::full_labels(const std::string& job, const SeriesSpec& spec) const {
  Labels labels = spec.labels;
  for (const Label& label : host_labels_) set_target_label(labels, label.name, label.value);
  set_target_label(labels, "instance", instance_);
  set_target_label(labels, "job", job);
  labels.set(kMetricName, spec.name);
  return labels;
}

SeriesRegistry SeriesRegistry::relabelled(Labels host_labels) const {
  SeriesRegistry made(instance_, std::move(host_labels));
  for (SeriesId id = 0; id < series_.size(); ++id) {
    if (!series_[id].labels) continue;
    Labels labels = *series_[id].labels;
    for (const Label& old : host_labels_) {
      const std::string own(labels.get("exported_" + old.name));
      labels.set(old.name, own);
      labels.erase("exported_" + old.name);
    }
    for (const Label& label : made.host_labels_) set_target_label(labels, label.name, label.value);
    made.add(id, std::move(labels), series_[id].form);
  }
  return made;
}

std::optional<SeriesId> SeriesRegistry::find(const Labels& full, const SeriesForm& form) const {
  const auto [begin, end] = by_hash_.equal_range(full.hash());
  for (auto it = begin; it != end; ++it) {
    const RegisteredSeries& series = series_[it->second];
    if (series.form == form && *series.labels == full) return it->second;
  }
  return std::nullopt;
}

void SeriesRegistry::add(SeriesId id, Labels full, const SeriesForm& form) {
  const std::uint64_t hash = full.hash();
  LabelsPtr labels;
  const auto [begin, end] = by_hash_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    if (*series_[it->second].labels == full) labels = series_[it->second].labels;
  }
  if (!labels) labels = std::make_shared<const Labels>(std::move(full));
  if (id >= series_.size()) series_.resize(std::size_t{id} + 1);
  if (series_[id].labels) return;  // known already
  series_[id] = {labels, form};
  by_hash_.emplace(hash, id);
  by_name_[labels->get(kMetricName)].push_back(id);
  ++count_;
}

const RegisteredSeries* SeriesRegistry::at(SeriesId id) const {
  return id < series_.size() && series_[id].labels ? &series_[id] : nullptr;
}

bool SeriesRegistry::may_match(std::span<const promql::Matcher> matchers) const {
  return std::all_of(matchers.begin(), matchers.end(), [this](const promql::Matcher& matcher) {
    return matcher.name() != "instance" || matcher.matches(instance_);
  });
}

std::vector<SeriesId> SeriesRegistry::matching(std::span<const promql::Matcher> matchers) const {
  std::vector<SeriesId> found;
  if (!may_match(matchers)) return found;
  const auto take = [&](const std::vector<SeriesId>& candidates) {
    for (const SeriesId id : candidates) {
      const Labels& labels = *series_[id].labels;
      const bool fits = std::all_of(matchers.begin(), matchers.end(),
                                    [&](const promql::Matcher& matcher) { return matcher.matches(labels); });
      if (fits) found.push_back(id);
    }
  };
  const auto named = std::find_if(matchers.begin(), matchers.end(), [](const promql::Matcher& matcher) {
    return matcher.name() == kMetricName && matcher.op() == promql::MatchOp::equal;
  });
  if (named != matchers.end()) {
    const auto it = by_name_.find(named->value());
    if (it != by_name_.end()) take(it->second);
    return found;
  }
  for (const auto& entry : by_name_) {
    const bool fits = std::all_of(matchers.begin(), matchers.end(), [&](const promql::Matcher& matcher) {
      return matcher.name() != kMetricName || matcher.matches(entry.first);
    });
    if (fits) take(entry.second);
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace vigil::aggregator
