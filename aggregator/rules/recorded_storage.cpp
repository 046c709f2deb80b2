#include "aggregator/rules/recorded_storage.h"

#include <algorithm>
#include <unordered_map>

namespace vigil::rules {
namespace {

bool matches(const promql::Selection& selection, const Labels& labels) {
  return std::all_of(selection.matchers.begin(), selection.matchers.end(),
                     [&labels](const promql::Matcher& matcher) { return matcher.matches(labels); });
}

/// Whether series of this metric can be meant.
bool may_match(const promql::Selection& selection, std::string_view metric) {
  return std::all_of(
      selection.matchers.begin(), selection.matchers.end(),
      [metric](const promql::Matcher& m) { return m.name() != kMetricName || m.matches(metric); });
}

/// Adds samples to series by their labels; the index is made when the first one is.
class Merger {
 public:
  explicit Merger(std::vector<promql::SelectedSeries>& series) : series_(series) {}

  void add(const RecordedSample& sample) {
    if (!indexed_) index();
    const auto [found, is_new] = places_.try_emplace(*sample.labels, series_.size());
    if (is_new) series_.push_back({sample.labels, {}});
    std::vector<promql::Point>& points = series_[found->second].points;
    if (points.empty() || points.back().t_ms < sample.t_ms) points.push_back({sample.t_ms, sample.value});
  }

 private:
  void index() {
    for (std::size_t i = 0; i < series_.size(); ++i) places_.emplace(*series_[i].labels, i);
    indexed_ = true;
  }

  std::vector<promql::SelectedSeries>& series_;
  std::unordered_map<Labels, std::size_t, LabelsHash> places_;
  bool indexed_ = false;
};

}  // namespace

void RecordedStorage::show(const Rule& rule, std::span<const RecordedSample> samples) {
  const auto found =
      std::find_if(shown_.begin(), shown_.end(), [&rule](const Shown& shown) { return shown.rule == &rule; });
  if (found == shown_.end()) {
    shown_.push_back({&rule, samples});
  } else {
    found->samples = samples;
  }
}

Result<std::vector<promql::SelectedSeries>> RecordedStorage::select(const promql::Selection& selection) {
  auto series = below_.select(selection);
  if (!series) return series;
  Merger merger(*series);
  for (const Shown& shown : shown_) {
    if (!may_match(selection, shown.rule->name)) continue;
    for (const RecordedSample& sample : shown.samples) {
      if (sample.t_ms < selection.start_ms || sample.t_ms > selection.end_ms) continue;
      if (matches(selection, *sample.labels)) merger.add(sample);
    }
  }
  return series;
}

Result<void> RecordedStorage::visit(const promql::Selection& selection, promql::SeriesSink& sink) {
  const bool is_meant = std::any_of(shown_.begin(), shown_.end(), [&selection](const Shown& shown) {
    return may_match(selection, shown.rule->name);
  });
  return is_meant ? Storage::visit(selection, sink) : below_.visit(selection, sink);
}

}  // namespace vigil::rules
