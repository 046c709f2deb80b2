#include "aggregator/head/fleet_view.h"

#include "aggregator/head/gap_finder.h"
#include "aggregator/head/same_labels.h"
#include "aggregator/head/shard_set.h"
#include "aggregator/head/slice.h"
#include "aggregator/store/history.h"
#include "common/text/human.h"

#include <algorithm>
#include <iterator>
#include <mutex>
#include <optional>
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
  info.since_earlier = host.since_earlier;
  info.machine_changed_ms = host.machine_changed_ms;
  info.first_seen_ms = host.record.first_seen_ms;
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
  info.refusal = host.refusal;
  info.gap_batches = host.gap_batches;
  info.lost_batches = host.lost_batches;
  return info;
}

/// Of one host and one question: hosts have thousands of series, and a million take less.
constexpr std::chrono::milliseconds kMatchTime{500};

Result<void> add_matching(const Host& host, const MatcherLists& any_of, std::vector<SeriesInfo>& out) {
  MatchBudget budget(kMatchTime);
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
    for (const SeriesId id : registry.matching(matchers, budget)) add(id);
    if (budget.is_spent()) return MatchBudget::spent();
  }
  return {};
}

std::int64_t rolled_up_ms(const History* history, const promql::Selection& selection) {
  constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::min();
  return history != nullptr && selection.coarse_ms >= kMinuteMs ? history->rolled_up_until_ms() : kNone;
}

template <class T>
std::vector<T> joined(std::vector<std::vector<T>> parts) {
  std::vector<T> all;
  for (auto& part : parts) std::move(part.begin(), part.end(), std::back_inserter(all));
  return all;
}

}  // namespace

void HostGaps::keep_newest() {
  if (gaps.size() <= kMost) return;
  truncated = true;
  std::vector<std::int64_t> ends;
  ends.reserve(gaps.size());
  for (const HostGap& gap : gaps) ends.push_back(gap.last_ms);
  std::nth_element(ends.begin(), ends.end() - kMost, ends.end());
  const std::int64_t least = ends[ends.size() - kMost];
  std::erase_if(gaps, [least](const HostGap& gap) { return gap.last_ms < least; });
  if (gaps.size() > kMost) gaps.resize(kMost);  // some ended at the same time
}

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
  auto parts =
      shards_.ask_hosts<std::vector<SeriesInfo>>([any_of](const Host& host, std::vector<SeriesInfo>& found) {
        return add_matching(host, any_of, found);
      });
  if (!parts) return parts.error();
  auto all = joined(std::move(*parts));
  if (all.size() > limit)
    return fail(Errc::limit, "{} series match, at most {} are listed", all.size(), limit);
  std::ranges::sort(all, [](const SeriesInfo& a, const SeriesInfo& b) { return *a.labels < *b.labels; });
  // Of several hosts, see same_labels.h.
  const auto same = [](const SeriesInfo& a, const SeriesInfo& b) { return *a.labels == *b.labels; };
  all.erase(std::unique(all.begin(), all.end(), same), all.end());
  return all;
}

Result<std::vector<std::string>> FleetView::label_names(const MatcherLists& any_of) {
  const auto found = series(any_of);
  if (!found) return found.error();
  std::set<std::string> names;
  for (const SeriesInfo& info : *found) {
    for (const LabelView& label : *info.labels) names.emplace(label.name);
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

Result<HostGaps> FleetView::gaps(const GapQuery& query) {
  auto known = hosts();
  if (!known) return known.error();
  if (!query.host.empty()) {
    std::erase_if(*known, [&](const HostInfo& info) { return info.name != query.host; });
    if (known->empty()) return fail(Errc::not_found, "no host is called '{}'", query.host);
  }
  std::erase_if(*known, [](const HostInfo& info) { return kind_of(info.name) != HostKind::agent; });
  return GapFinder(*this, history_, query).find(*known);
}

Result<std::size_t> FleetView::forget(const std::string& name) {
  using Answer = std::optional<Result<std::size_t>>;
  auto answers = shards_.ask<Answer>([name](Shard& shard) -> Answer {
    if (shard.find(name) == nullptr) return std::nullopt;
    return shard.forget(name);
  });
  if (!answers) return answers.error();
  for (Answer& answer : *answers) {
    if (answer) return std::move(*answer);
  }
  const auto known = hosts();
  if (!known) return known.error();
  std::vector<std::string_view> names;
  names.reserve(known->size());
  for (const HostInfo& info : *known) names.push_back(info.name);
  const std::string_view nearest = suggest(name, names);
  return fail(Errc::not_found, "no host is called '{}'{}", name,
              nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest));
}

Result<std::vector<HostSlice>> FleetStorage::slices(const promql::Selection& selection) {
  if (left_.count() <= 0)
    return fail(Errc::unavailable, "the aggregator did not answer within {} ms", reads_.patience.count());
  const auto began = std::chrono::steady_clock::now();
  auto parts = view_.shards().ask_hosts<std::vector<HostSlice>>(
      [selection, late = reads_.late](const Host& host, std::vector<HostSlice>& slices) -> Result<void> {
        if (!host.head.registry().may_match(selection.matchers)) return {};
        MatchBudget budget(kMatchTime);
        HostSlice slice = host.head.slice(selection, late, &budget);
        if (budget.is_spent()) return MatchBudget::spent();
        if (!slice.series.empty() || !slice.ready.empty()) slices.push_back(std::move(slice));
        return {};
      },
      std::chrono::ceil<std::chrono::milliseconds>(left_));
  left_ -= std::chrono::steady_clock::now() - began;
  if (!parts && left_.count() <= 0 && reads_.missed != nullptr) ++*reads_.missed;
  if (!parts) return parts.error();
  return joined(std::move(*parts));
}

Result<std::vector<promql::SelectedSeries>> FleetStorage::select(const promql::Selection& selection) {
  const auto found = slices(selection);
  if (!found) return found.error();
  return read_all(*found, selection);
}

Result<std::vector<promql::SelectedSeries>> FleetStorage::read_all(const std::vector<HostSlice>& slices,
                                                                   const promql::Selection& selection) const {
  std::vector<promql::SelectedSeries> out;
  std::size_t room = reads_.max_points;
  const std::int64_t rolled_up = rolled_up_ms(view_.history(), selection);
  for (const HostSlice& slice : slices) {
    if (reads_.expired && reads_.expired()) return promql::too_slow();
    const std::size_t before = out.size();
    const SliceRead read{selection.start_ms,  selection.end_ms, room,
                         selection.coarse_ms, selection.stand,  rolled_up};
    if (auto done = read_slice(slice, view_.history(), read, out); !done) return done.error();
    for (std::size_t i = before; i < out.size(); ++i) room -= out[i].points.size();
  }
  if (share_labels(slices)) join_same_labels(out);
  return out;
}

/// Where one label set is on several hosts everything is read before it is joined.
Result<void> FleetStorage::visit_joined(const std::vector<HostSlice>& slices,
                                        const promql::Selection& selection, promql::SeriesSink& sink) const {
  auto all = read_all(slices, selection);
  if (!all) return all.error();
  sink.begin(1);
  for (promql::SelectedSeries& series : *all) {
    if (auto taken = sink.take(0, series); !taken) return taken;
  }
  return {};
}

/// Threads are asked for help only where there is more to read than waking them costs.
std::size_t FleetStorage::parts_of(const std::vector<HostSlice>& slices,
                                   const promql::Selection& selection) const {
  constexpr std::int64_t kUsualMs = 1000;  // from sample to sample
  constexpr std::int64_t kWorthHelp = 500'000;
  if (!reads_.spread || reads_.parts < 2) return 1;
  std::int64_t series = 0;
  for (const HostSlice& slice : slices) series += static_cast<std::int64_t>(slice.series.size());
  const std::int64_t points = series * ((selection.end_ms - selection.start_ms) / kUsualMs + 1);
  return points < kWorthHelp ? 1 : std::clamp<std::size_t>(slices.size(), 1, reads_.parts);
}

Result<void> FleetStorage::visit(const promql::Selection& selection, promql::SeriesSink& sink) {
  const auto found = slices(selection);
  if (!found) return found.error();
  if (share_labels(*found)) return visit_joined(*found, selection, sink);
  const std::size_t parts = parts_of(*found, selection);
  sink.begin(parts);
  const SliceRead read{selection.start_ms,  selection.end_ms, reads_.max_points,
                       selection.coarse_ms, selection.stand,  rolled_up_ms(view_.history(), selection)};
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  Result<void> done;  // protected by mutex
  const auto work = [&] {
    SliceReader reader(view_.history(), &view_.cache());
    for (std::size_t part = next++; part < parts; part = next++) {
      const std::size_t end = found->size() * (part + 1) / parts;
      for (std::size_t i = found->size() * part / parts; i < end; ++i) {
        const auto taken = reader.read((*found)[i], read, part, sink);
        if (taken) continue;
        next = parts;  // nobody begins another part
        const std::lock_guard lock(mutex);
        if (done) done = taken;
        return;
      }
    }
  };
  if (parts > 1) {
    reads_.spread(work);
  } else {
    work();
  }
  return done;
}

}  // namespace vigil::aggregator
