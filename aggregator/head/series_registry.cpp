#include "aggregator/head/series_registry.h"

#include "aggregator/head/host_kind.h"
#include "common/fnv1a.h"

#include <algorithm>

namespace vigil::aggregator {
namespace {

std::string exported(std::string_view name) {
  return std::string("exported_").append(name);
}

// As Prometheus does with honor_labels: false: what identifies the target wins, the sender's own label keeps
// living under another name.
void set_target_label(Labels& labels, std::string_view name, std::string_view value) {
  const std::string own(labels.get(name));
  if (!own.empty() && own != value) labels.set(exported(name), own);
  labels.set(name, value);
}

std::uint64_t hash_of(std::string_view name) {
  return fnv1a(kFnvBasis, name);
}

}  // namespace

SeriesRegistry::SeriesRegistry(std::string instance, Labels host_labels)
    : instance_(std::move(instance)),
      as_sent_(kind_of(instance_) != HostKind::agent),
      host_labels_(std::move(host_labels)) {}

Labels SeriesRegistry::full_labels(const std::string& job, const SeriesSpec& spec) const {
  Labels labels = spec.labels;
  if (as_sent_) {
    labels.set(kMetricName, spec.name);
    return labels;
  }
  for (const LabelView& label : host_labels_) set_target_label(labels, label.name, label.value);
  set_target_label(labels, "instance", instance_);
  set_target_label(labels, "job", job);
  labels.set(kMetricName, spec.name);
  return labels;
}

SeriesRegistry SeriesRegistry::relabelled(Labels host_labels) const {
  SeriesRegistry made(instance_, std::move(host_labels));
  series_.for_each([&](SeriesId id, const RegisteredSeries& series) {
    Labels labels = *series.labels;
    for (const LabelView& old : host_labels_) {
      const std::string own(labels.get(exported(old.name)));
      labels.set(old.name, own);
      labels.erase(exported(old.name));
    }
    for (const LabelView& label : made.host_labels_) set_target_label(labels, label.name, label.value);
    made.add(id, std::move(labels), series.form);
    made.series_[id].used_in = series.used_in;
  });
  made.round_ = round_;
  made.next_id_ = next_id_;
  return made;
}

std::optional<SeriesId> SeriesRegistry::find(const Labels& full, const SeriesForm& form) {
  const SeriesId* found = by_labels_.find(
      full.hash(), [&](SeriesId id) { return series_[id].form == form && *series_[id].labels == full; });
  if (found == nullptr) return std::nullopt;
  use(*found);
  return *found;
}

void SeriesRegistry::add(SeriesId id, Labels full, const SeriesForm& form) {
  if (series_.find(id) != nullptr) return;  // known already
  const std::uint64_t hash = full.hash();
  const SeriesId* same =
      by_labels_.find(hash, [&](SeriesId other) { return *series_[other].labels == full; });
  const LabelsPtr labels =
      same != nullptr ? series_[*same].labels : std::make_shared<const Labels>(std::move(full));
  series_.make(id) = {labels, form, round_};
  by_labels_.insert(id, hash, [this](SeriesId other) { return series_[other].labels->hash(); });
  const std::string_view name = name_of(id);
  if (SeriesId* latest =
          by_name_.find(hash_of(name), [&](SeriesId other) { return name_of(other) == name; })) {
    series_[id].next_named = *latest;
    *latest = id;
  } else {
    by_name_.insert(id, hash_of(name), [this](SeriesId other) { return hash_of(name_of(other)); });
  }
  reserve_ids(id + 1);
}

std::optional<SeriesId> SeriesRegistry::newest(const Labels& full) {
  std::optional<SeriesId> latest;
  by_labels_.find(full.hash(), [&](SeriesId id) {
    if ((!latest || id > *latest) && *series_[id].labels == full) latest = id;
    return false;
  });
  if (latest) use(*latest);
  return latest;
}

void SeriesRegistry::use(SeriesId id) {
  if (RegisteredSeries* series = series_.find(id)) series->used_in = round_;
}

bool SeriesRegistry::unused(SeriesId id) const {
  const RegisteredSeries* series = at(id);
  return series != nullptr && series->used_in != round_;
}

/// Takes those that leave out of the chain of a name.
void SeriesRegistry::unlink(std::string_view name, const std::unordered_set<SeriesId>& leaving) {
  SeriesId* head = by_name_.find(hash_of(name), [&](SeriesId id) { return name_of(id) == name; });
  SeriesId first = RegisteredSeries::kNoSeries;
  RegisteredSeries* last = nullptr;
  for (SeriesId id = *head; id != RegisteredSeries::kNoSeries; id = series_[id].next_named) {
    if (leaving.contains(id)) continue;
    (last == nullptr ? first : last->next_named) = id;
    last = &series_[id];
  }
  if (last == nullptr) {
    by_name_.erase(*head, hash_of(name), [this](SeriesId other) { return hash_of(name_of(other)); });
    return;
  }
  last->next_named = RegisteredSeries::kNoSeries;
  *head = first;
}

void SeriesRegistry::remove(std::span<const SeriesId> ids) {
  const std::unordered_set<SeriesId> leaving(ids.begin(), ids.end());
  std::unordered_set<std::string_view> names;  // in labels, which go last
  for (const SeriesId id : ids) names.insert(name_of(id));
  for (const std::string_view name : names) unlink(name, leaving);
  names.clear();
  const auto labels_hash = [this](SeriesId id) { return series_[id].labels->hash(); };
  for (const SeriesId id : ids) {
    by_labels_.erase(id, labels_hash(id), labels_hash);
    series_.erase(id);
  }
  by_labels_.shrink(labels_hash);
  by_name_.shrink([this](SeriesId other) { return hash_of(name_of(other)); });
}

bool SeriesRegistry::may_match(std::span<const promql::Matcher> matchers) const {
  if (as_sent_) return true;
  return std::all_of(matchers.begin(), matchers.end(), [this](const promql::Matcher& matcher) {
    return matcher.name() != "instance" || matcher.matches(instance_);
  });
}

std::vector<SeriesId> SeriesRegistry::matching(std::span<const promql::Matcher> matchers) const {
  return matching_while(matchers, [] { return true; });
}

std::vector<SeriesId> SeriesRegistry::matching(std::span<const promql::Matcher> matchers,
                                               MatchBudget& budget) const {
  return matching_while(matchers, [&budget] { return budget.go_on(); });
}

template <class GoOn>
std::vector<SeriesId> SeriesRegistry::matching_while(std::span<const promql::Matcher> matchers,
                                                     GoOn go_on) const {
  std::vector<SeriesId> found;
  if (!may_match(matchers)) return found;
  // Of series of one name, which has been looked at.
  const auto take = [&](SeriesId latest) {
    const RegisteredSeries* series = nullptr;
    for (SeriesId id = latest; id != RegisteredSeries::kNoSeries; id = series->next_named) {
      if (!go_on()) return;
      series = series_.find(id);
      const Labels& labels = *series->labels;
      const bool fits =
          std::all_of(matchers.begin(), matchers.end(), [&labels](const promql::Matcher& matcher) {
            return matcher.name() == kMetricName || matcher.matches(labels);
          });
      if (fits) found.push_back(id);
    }
  };
  const auto fits_name = [&matchers](std::string_view name) {
    return std::all_of(matchers.begin(), matchers.end(), [name](const promql::Matcher& matcher) {
      return matcher.name() != kMetricName || matcher.matches(name);
    });
  };
  const auto named = std::find_if(matchers.begin(), matchers.end(), [](const promql::Matcher& matcher) {
    return matcher.name() == kMetricName && matcher.op() == promql::MatchOp::equal;
  });
  if (named != matchers.end()) {
    const std::string_view name = named->value();
    const SeriesId* latest = by_name_.find(hash_of(name), [&](SeriesId id) { return name_of(id) == name; });
    if (latest != nullptr && fits_name(name)) take(*latest);
  } else {
    by_name_.for_each([&](SeriesId latest) {
      if (fits_name(name_of(latest))) take(latest);
    });
  }
  if (!std::is_sorted(found.begin(), found.end())) std::sort(found.begin(), found.end());
  return found;
}

}  // namespace vigil::aggregator
