#include "aggregator/head/same_labels.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <unordered_set>

namespace vigil::aggregator {
namespace {

struct ByLabels {
  std::size_t operator()(const Labels* labels) const { return labels->hash(); }
  bool operator()(const Labels* a, const Labels* b) const { return a == b || *a == *b; }
};

/// Points of `more` into `into`, both ascending.
void join(promql::SelectedSeries& into, promql::SelectedSeries& more) {
  std::vector<promql::Point> all;
  all.reserve(into.points.size() + more.points.size());
  const auto earlier = [](const promql::Point& a, const promql::Point& b) { return a.t_ms < b.t_ms; };
  std::ranges::merge(into.points, more.points, std::back_inserter(all), earlier);  // stable
  const auto same = [](const promql::Point& a, const promql::Point& b) { return a.t_ms == b.t_ms; };
  all.erase(std::unique(all.begin(), all.end(), same), all.end());
  into.points = std::move(all);
  into.coarse_until_ms = std::max(into.coarse_until_ms, more.coarse_until_ms);
  into.coarse_ms = std::max(into.coarse_ms, more.coarse_ms);
  into.has_markers = into.has_markers || more.has_markers;
}

}  // namespace

bool share_labels(std::span<const HostSlice> slices) {
  std::size_t agents = 0;
  std::size_t written = 0;
  std::size_t recorded = 0;
  for (const HostSlice& slice : slices) {
    agents += slice.kind == HostKind::agent ? 1 : 0;
    written += slice.kind == HostKind::remote_write ? 1 : 0;
    recorded += slice.kind == HostKind::rules ? 1 : 0;
  }
  const int kinds = (agents > 0 ? 1 : 0) + (written > 0 ? 1 : 0) + (recorded > 0 ? 1 : 0);
  if (kinds < 2 && recorded < 2) return false;
  std::unordered_set<const Labels*, ByLabels, ByLabels> seen;
  for (const HostSlice& slice : slices) {
    std::unordered_set<const Labels*> own;  // one of its label sets may have two ids
    for (const WantedSeries& series : slice.series) own.insert(series.labels.get());
    for (const promql::SelectedSeries& series : slice.ready) own.insert(series.labels.get());
    for (const Labels* labels : own)
      if (!seen.insert(labels).second) return true;
  }
  return false;
}

void join_same_labels(std::vector<promql::SelectedSeries>& series) {
  std::unordered_map<const Labels*, std::size_t, ByLabels, ByLabels> places;
  std::vector<promql::SelectedSeries> joined;
  for (promql::SelectedSeries& each : series) {
    const auto [at, added] = places.try_emplace(each.labels.get(), joined.size());
    if (added) {
      joined.push_back(std::move(each));
    } else {
      join(joined[at->second], each);
    }
  }
  series = std::move(joined);
}

}  // namespace vigil::aggregator
