#include "aggregator/head/fleet_view.h"

#include "aggregator/head/shard_set.h"
#include "aggregator/head/slice.h"

#include <algorithm>
#include <iterator>
#include <set>

namespace vigil::aggregator {
namespace {

using MatcherLists = std::vector<std::vector<promql::Matcher>>;

HostInfo describe(const Host& host) {
  HostInfo info;
  info.id = host.record.id;
  info.name = host.record.name;
  info.state = host.state;
  info.connected = host.connected;
  info.since_ms = host.since_ms;
  info.last_sample_ms = host.last_sample_ms;
  info.clock_skew_seconds = host.skew.seconds();
  info.agent_version = host.record.agent_version;
  info.boot_id = host.record.boot_id;
  info.remote = host.remote;
  info.labels = host.record.labels;
  info.series = host.head.active_series();
  info.interval_ms = host.record.interval_ms;
  info.delivery_interval_ms = host.delivery_interval_ms;
  info.duplicates = host.duplicates;
  info.duplicate_remote = host.duplicate_remote;
  info.gap_batches = host.gap_batches;
  return info;
}

void add_matching(const Host& host, const MatcherLists& any_of, std::vector<SeriesInfo>& out) {
  const SeriesRegistry& registry = host.head.registry();
  std::set<const Labels*> seen;  // one label set may have two ids
  const auto add = [&](SeriesId id) {
    const RegisteredSeries& series = *registry.at(id);
    if (seen.insert(series.labels.get()).second)
      out.push_back({series.labels, series.form.type, host.record.id});
  };
  if (any_of.empty()) {
    for (const SeriesId id : registry.matching({})) add(id);
  }
  for (const auto& matchers : any_of) {
    for (const SeriesId id : registry.matching(matchers)) add(id);
  }
}

template <class T>
std::vector<T> joined(std::vector<std::vector<T>> parts) {
  std::vector<T> all;
  for (auto& part : parts) std::move(part.begin(), part.end(), std::back_inserter(all));
  return all;
}

}  // namespace

Result<std::vector<HostInfo>> FleetView::hosts() {
  auto parts = shards_.ask<std::vector<HostInfo>>([](Shard& shard) {
    std::vector<HostInfo> infos;
    for (const auto& [id, host] : shard.hosts()) {
      if (!host->record.removed) infos.push_back(describe(*host));
    }
    return infos;
  });
  if (!parts) return parts.error();
  auto all = joined(std::move(*parts));
  std::ranges::sort(all, {}, &HostInfo::name);
  return all;
}

Result<std::vector<SeriesInfo>> FleetView::series(const MatcherLists& any_of, std::size_t limit) {
  auto parts = shards_.ask<std::vector<SeriesInfo>>([any_of](Shard& shard) {
    std::vector<SeriesInfo> found;
    for (const auto& [id, host] : shard.hosts()) add_matching(*host, any_of, found);
    return found;
  });
  if (!parts) return parts.error();
  auto all = joined(std::move(*parts));
  if (all.size() > limit)
    return fail(Errc::limit, "{} series match, at most {} are listed", all.size(), limit);
  std::ranges::sort(all, [](const SeriesInfo& a, const SeriesInfo& b) { return *a.labels < *b.labels; });
  return all;
}

Result<std::vector<std::string>> FleetView::label_names(const MatcherLists& any_of) {
  const auto found = series(any_of);
  if (!found) return found.error();
  std::set<std::string> names;
  for (const SeriesInfo& info : *found) {
    for (const Label& label : *info.labels) names.insert(label.name);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<std::string>> FleetView::label_values(const std::string& name,
                                                         const MatcherLists& any_of) {
  const auto found = series(any_of);
  if (!found) return found.error();
  std::set<std::string> values;
  for (const SeriesInfo& info : *found) {
    if (info.labels->has(name)) values.emplace(info.labels->get(name));
  }
  return std::vector<std::string>(values.begin(), values.end());
}

Result<std::vector<promql::SelectedSeries>> FleetStorage::select(const promql::Selection& selection) {
  auto parts = view_.shards().ask<std::vector<HostSlice>>([selection](Shard& shard) {
    std::vector<HostSlice> slices;
    for (const auto& [id, host] : shard.hosts()) {
      if (!host->head.registry().may_match(selection.matchers)) continue;
      HostSlice slice = host->head.slice(selection);
      if (!slice.series.empty() || !slice.ready.empty()) slices.push_back(std::move(slice));
    }
    return slices;
  });
  if (!parts) return parts.error();
  std::vector<promql::SelectedSeries> out;
  std::size_t room = max_points_;
  for (const HostSlice& slice : joined(std::move(*parts))) {
    const std::size_t before = out.size();
    const SliceRead read{selection.start_ms, selection.end_ms, room};
    if (auto done = read_slice(slice, view_.history(), read, out); !done) return done.error();
    for (std::size_t i = before; i < out.size(); ++i) room -= out[i].points.size();
  }
  return out;
}

}  // namespace vigil::aggregator
