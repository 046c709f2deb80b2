#include "aggregator/head/gap_finder.h"

#include "aggregator/head/shard.h"
#include "aggregator/store/history.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

namespace vigil::aggregator {
namespace {

constexpr std::int64_t kMostPoints = 20'000'000;  // some seconds of reading: blocks come whole
constexpr std::chrono::seconds kPatience{20};
constexpr std::int64_t kWindowPoints = 2'000'000;  // at once in memory
constexpr std::int64_t kLeastWindowMs = 60'000;
constexpr std::int64_t kMostWindowMs = 6LL * 3600 * 1000;
/// An agent that is down before and after a restart of ours is down meanwhile.
constexpr std::int64_t kToldWithinMs = 60'000;
/// What every agent samples with each beat, by collectors that have nothing to do with each other.
constexpr std::string_view kOfEachBeat = "node_load1|node_memory_MemAvailable_bytes";
constexpr std::string_view kOfEachBeatAndCollector =
    "node_load1|node_memory_MemAvailable_bytes|node_scrape_collector_success";
constexpr std::int64_t kBeatPoints = 2;  // of a host, with each beat
constexpr std::int64_t kCollectorPoints =
    10;  // with those of collectors, which come each five seconds; about

/// Times of a gap in which samples are missing; a changed machine only marks one.
bool misses_samples(const GapRecord& gap) {
  return gap.reason != kMachineChanged;
}

Spans ascending(Spans spans) {
  std::ranges::sort(spans, {}, &Span::first_ms);
  Spans merged;
  for (const Span& span : spans) {
    if (!merged.empty() && span.first_ms <= merged.back().last_ms + 1)
      merged.back().last_ms = std::max(merged.back().last_ms, span.last_ms);
    else
      merged.push_back(span);
  }
  return merged;
}

Result<Spans> times_without(const History& history) {
  const auto runs = history.runs();
  if (!runs) return runs.error();
  Spans down;
  std::int64_t alive_ms = std::numeric_limits<std::int64_t>::max();
  for (const RunRecord& run : *runs) {
    if (run.start_ms > alive_ms) down.push_back({alive_ms, run.start_ms});
    alive_ms = alive_ms == std::numeric_limits<std::int64_t>::max() ? run.alive_ms
                                                                    : std::max(alive_ms, run.alive_ms);
  }
  return ascending(std::move(down));
}

bool is_away(const HostInfo& host) {
  return host.state == HostState::down || host.state == HostState::left;
}

}  // namespace

GapFinder::GapFinder(FleetView& view, History* history, const GapQuery& query)
    : view_(view), history_(history), query_(query) {}

Result<HostGaps> GapFinder::find(std::span<const HostInfo> hosts) {
  if (auto added = add_declared(hosts); !added) return added.error();
  if (auto looked = look(hosts); !looked) return looked.error();
  std::ranges::stable_sort(found_.gaps, [](const HostGap& a, const HostGap& b) {
    return std::tie(a.host, a.first_ms, a.last_ms) < std::tie(b.host, b.first_ms, b.last_ms);
  });
  found_.keep_newest();
  return std::move(found_);
}

Result<void> GapFinder::add_declared(std::span<const HostInfo> hosts) {
  if (history_ == nullptr) return {};
  for (const HostInfo& host : hosts) {
    auto gaps = history_->gaps(host.id, query_.start_ms, query_.end_ms);
    if (!gaps) return gaps.error();
    Spans& spans = declared_[host.name];
    for (GapRecord& gap : *gaps) {
      if (misses_samples(gap))
        spans.push_back({gap.first_ms - host.interval_ms, gap.last_ms + host.interval_ms});
      found_.gaps.push_back({host.name, gap.first_ms, gap.last_ms, std::move(gap.reason), ""});
    }
    spans = ascending(std::move(spans));
    if (found_.gaps.size() > 2 * HostGaps::kMost) found_.keep_newest();
  }
  return {};
}

/// How far back is looked, how closely, and how much at once: reading has an end.
void GapFinder::plan(std::span<const HostInfo> hosts) {
  std::int64_t beats = 0;  // of all, a day
  for (const HostInfo& host : hosts) beats += 86'400'000 / std::max<std::int64_t>(host.interval_ms, 1);
  beats = std::max<std::int64_t>(beats, 1);
  const std::int64_t end_ms = std::min(query_.end_ms, query_.now_ms);
  const auto points = [&](std::int64_t of_host) {
    return static_cast<double>(end_ms - from_ms_) / 86'400'000 * static_cast<double>(beats * of_host);
  };
  found_.collectors_left_out =
      hosts.size() > 1 && points(kCollectorPoints) > static_cast<double>(kMostPoints);
  const std::int64_t of_host = found_.collectors_left_out ? kBeatPoints : kCollectorPoints;
  if (points(of_host) > static_cast<double>(kMostPoints)) {
    const double days = static_cast<double>(kMostPoints) / static_cast<double>(beats * of_host);
    from_ms_ = end_ms - static_cast<std::int64_t>(days * 86'400'000);
    found_.looked_from_ms = from_ms_;
  }
  const double days = static_cast<double>(kWindowPoints) / static_cast<double>(beats * of_host);
  window_ms_ = std::clamp(static_cast<std::int64_t>(days * 86'400'000), kLeastWindowMs, kMostWindowMs);
}

/// Whether the agent ever told what is looked for.
Result<void> GapFinder::find_samplers() {
  auto matchers = beat_matchers();
  if (!matchers) return matchers.error();
  const auto series = view_.series({std::move(*matchers)});
  if (!series) return series.error();
  for (const SeriesInfo& each : *series) samplers_.insert(each.host);
  return {};
}

Result<std::vector<promql::Matcher>> GapFinder::beat_matchers() const {
  std::vector<promql::Matcher> matchers;
  const std::string_view names = found_.collectors_left_out ? kOfEachBeat : kOfEachBeatAndCollector;
  auto name = promql::Matcher::create(promql::MatchOp::regex, "__name__", std::string(names));
  if (!name) return name.error();
  matchers.push_back(std::move(*name));
  if (query_.host.empty()) return matchers;
  auto instance = promql::Matcher::create(promql::MatchOp::equal, "instance", query_.host);
  if (!instance) return instance.error();
  matchers.push_back(std::move(*instance));
  return matchers;
}

Result<void> GapFinder::look(std::span<const HostInfo> hosts) {
  const std::int64_t end_ms = std::min(query_.end_ms, query_.now_ms);
  from_ms_ = query_.start_ms;
  std::int64_t first_seen_ms = end_ms;
  for (const HostInfo& host : hosts) first_seen_ms = std::min(first_seen_ms, host.first_seen_ms);
  from_ms_ = std::max(from_ms_, first_seen_ms);
  if (history_ != nullptr) {  // what retention took is no gap
    const std::int64_t kept_ms =
        std::min({history_->complete_from_ms(Tier::raw), history_->complete_from_ms(Tier::minute),
                  history_->complete_from_ms(Tier::hour)});
    from_ms_ = std::max(from_ms_, kept_ms);
    auto down = times_without(*history_);
    if (!down) return down.error();
    aggregator_down_ = std::move(*down);
  }
  if (from_ms_ >= end_ms) return {};
  plan(hosts);
  for (const HostInfo& host : hosts)
    traces_.emplace(host.name, Traces(std::max(from_ms_, host.first_seen_ms), host.interval_ms));
  if (auto found = find_samplers(); !found) return found;
  if (auto read = read_traces(); !read) return read;
  for (const HostInfo& host : hosts) tell(host, traces_.at(host.name));
  return {};
}

Result<void> GapFinder::read_traces() {
  const std::int64_t end_ms = std::min(query_.end_ms, query_.now_ms);
  auto matchers = beat_matchers();
  if (!matchers) return matchers.error();
  promql::Selection selection;
  selection.matchers = std::move(*matchers);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (std::int64_t at_ms = from_ms_; at_ms <= end_ms; at_ms += window_ms_) {
    if (query_.cancelled && query_.cancelled()) return fail(Errc::timeout, "cancelled");
    if (std::chrono::steady_clock::now() > deadline)
      return fail(Errc::timeout, "looking for gaps takes longer than {} s: name a host, or ask for less time",
                  kPatience.count());
    selection.start_ms = at_ms;
    selection.end_ms = std::min(at_ms + window_ms_ - 1, end_ms);
    FleetStorage storage(view_);
    const auto selected = storage.select(selection);
    if (!selected) return selected.error();
    for (const promql::SelectedSeries& series : *selected) {
      const auto host = traces_.find(series.labels->get("instance"));
      if (host != traces_.end()) host->second.add(series);
    }
  }
  return {};
}

void GapFinder::tell(const HostInfo& host, const Traces& traces) {
  const std::int64_t end_ms = std::min(query_.end_ms, query_.now_ms);
  if (!samplers_.contains(host.id)) return;  // a simulated one, or its collectors are off
  // Of one that is there, what comes next is on its way.
  const std::int64_t newest_ms = std::max(host.last_sample_ms, traces.newest_ms());
  const std::int64_t until_ms = is_away(host) ? end_ms : std::min(end_ms, newest_ms);
  // One that was enrolled meanwhile sampled nothing before, whatever its clock says.
  const bool is_new = host.first_seen_ms >= from_ms_ && !traces.empty();
  const std::int64_t begin_ms = is_new ? traces.first_ms() : from_ms_;
  const Spans silent = traces.empty() ? Spans{{std::max(from_ms_, host.first_seen_ms), until_ms}}
                                      : intersect(traces.silences(until_ms), {{begin_ms, until_ms}});
  for (const Span& span : subtract(silent, declared_[host.name])) {
    if (span.last_ms - span.first_ms + host.interval_ms >= traces.least_ms())
      tell_silence(host, span, traces.least_ms());
  }
  for (const Blocked& blocked : traces.blocked())
    found_.gaps.push_back({host.name, blocked.span.first_ms, blocked.span.last_ms,
                           std::string(kCollectorBlocked), blocked.collector});
}

/// While the aggregator was away nobody can say what the agent did: only its samples could.
void GapFinder::tell_silence(const HostInfo& host, const Span& span, std::int64_t least_ms) {
  // An agent's last and first samples lie some seconds beside our own end and start, and by its own clock.
  const auto skew_ms = static_cast<std::int64_t>(std::abs(host.clock_skew_seconds) * 1000);
  const std::int64_t beside_ms = 2 * least_ms + skew_ms;
  Spans away;
  for (Span down : intersect({span}, aggregator_down_)) {
    const bool begins = down.first_ms - span.first_ms < beside_ms;
    const bool ends = span.last_ms - down.last_ms < beside_ms;
    if (!begins && !ends && down.last_ms - down.first_ms < kToldWithinMs) continue;
    away.push_back({begins ? span.first_ms : down.first_ms, ends ? span.last_ms : down.last_ms});
  }
  away = ascending(std::move(away));
  for (const Span& part : away)
    found_.gaps.push_back({host.name, part.first_ms, part.last_ms, std::string(kAggregatorDown), ""});
  for (const Span& part : subtract({span}, away))
    found_.gaps.push_back({host.name, part.first_ms, part.last_ms, std::string(kAgentDown), ""});
}

}  // namespace vigil::aggregator
