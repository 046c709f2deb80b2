#include "aggregator/head/silence.h"

#include <algorithm>
#include <cstdlib>

namespace vigil::aggregator {
namespace {

constexpr std::int64_t kShortMs = 30'000;

}  // namespace

Spans intersect(const Spans& left, const Spans& right) {
  Spans both;
  for (auto a = left.begin(), b = right.begin(); a != left.end() && b != right.end();) {
    const Span common{std::max(a->first_ms, b->first_ms), std::min(a->last_ms, b->last_ms)};
    if (common.first_ms <= common.last_ms) both.push_back(common);
    (a->last_ms < b->last_ms ? a : b)++;
  }
  return both;
}

Spans subtract(const Spans& from, const Spans& what) {
  Spans left;
  for (Span rest : from) {
    for (const Span& hole : what) {
      if (hole.last_ms < rest.first_ms) continue;
      if (hole.first_ms > rest.last_ms) break;
      if (hole.first_ms > rest.first_ms) left.push_back({rest.first_ms, hole.first_ms - 1});
      rest.first_ms = hole.last_ms + 1;
    }
    if (rest.first_ms <= rest.last_ms) left.push_back(rest);
  }
  return left;
}

Traces::Traces(std::int64_t start_ms, std::int64_t beat_ms)
    : start_ms_(start_ms),
      beat_ms_(std::max<std::int64_t>(beat_ms, 1)),
      least_ms_(std::max(3 * beat_ms_, kLeastMs)) {}

std::int64_t Traces::first_ms() const {
  std::int64_t first_ms = 0;
  for (const auto& [labels, trail] : trails_) {
    if (first_ms == 0 || trail.first_ms < first_ms) first_ms = trail.first_ms;
  }
  return first_ms;
}

std::int64_t Traces::newest_ms() const {
  std::int64_t newest_ms = 0;
  for (const auto& [labels, trail] : trails_) newest_ms = std::max(newest_ms, trail.last_ms);
  return newest_ms;
}

bool Traces::is_hole(const Trail& trail, std::int64_t next_step_ms) const {
  std::int64_t neighbour_ms = trail.before_step_ms != 0 ? trail.before_step_ms : next_step_ms;
  if (next_step_ms != 0) neighbour_ms = std::min(neighbour_ms, next_step_ms);
  // Like one of its neighbours: where an interval changes. Outages like each other are longer.
  const auto alike = [&](std::int64_t other_ms) {
    return std::abs(trail.step_ms - other_ms) * 5 <= trail.step_ms;
  };
  if (trail.step_ms <= kShortMs && (alike(trail.before_step_ms) || alike(next_step_ms))) return false;
  return trail.step_ms > std::max({least_ms_, neighbour_ms * 5 / 2, trail.coarse_ms * 3 / 2});
}

void Traces::judge_step(Trail& trail, std::int64_t next_step_ms) const {
  if (trail.last_ms == 0) return;
  const bool hole = trail.step_ms != 0 && is_hole(trail, next_step_ms);
  if (hole) {
    const std::int64_t from_ms = trail.last_ms - trail.step_ms + beat_ms_;
    const std::int64_t to_ms =
        trail.last_ms - std::max(trail.coarse_ms, beat_ms_);  // what the point stands for
    if (from_ms <= to_ms) trail.holes.push_back({from_ms, to_ms});
  }
  if (!trail.fails) return;
  const bool goes_on =
      !hole && !trail.failed.empty() && trail.failed.back().last_ms == trail.last_ms - trail.step_ms;
  if (goes_on)
    trail.failed.back().last_ms = trail.last_ms;
  else
    trail.failed.push_back({trail.last_ms, trail.last_ms});
}

void Traces::see(Trail& trail, const promql::Point& point, std::int64_t coarse_ms) const {
  if (trail.last_ms == 0) {
    trail.first_ms = point.t_ms;
    const std::int64_t to_ms = point.t_ms - std::max(coarse_ms, beat_ms_);
    if (to_ms - start_ms_ >= least_ms_) trail.holes.push_back({start_ms_, to_ms});
  } else {
    const std::int64_t step_ms = point.t_ms - trail.last_ms;
    judge_step(trail, step_ms);
    trail.before_step_ms = trail.step_ms;
    trail.step_ms = step_ms;
  }
  trail.last_ms = point.t_ms;
  trail.coarse_ms = coarse_ms;
  trail.fails = trail.of_collector && point.v == 0;
}

void Traces::add(const promql::SelectedSeries& series) {
  if (series.points.empty()) return;
  Trail& trail = trails_[*series.labels];
  trail.of_collector = series.labels->get("__name__") == "node_scrape_collector_success";
  for (const promql::Point& point : series.points) {
    if (point.t_ms <= trail.last_ms || is_stale(point.v)) continue;
    see(trail, point, point.t_ms < series.coarse_until_ms ? series.coarse_ms : 0);
  }
}

Spans Traces::silences(std::int64_t end_ms) const {
  if (empty()) return {};
  // What comes with each beat decides. What collectors tell of themselves comes too rarely for a short
  // silence; a long one is none while they go on.
  Spans of_beats{{start_ms_, end_ms}};
  Spans of_collectors{{start_ms_, end_ms}};
  bool beats = false;
  for (const auto& [labels, newest] : trails_) {
    Trail trail = newest;
    judge_step(trail, 0);
    trail.before_step_ms = trail.step_ms;
    trail.step_ms = end_ms - trail.last_ms;
    if (is_hole(trail, 0)) trail.holes.push_back({trail.last_ms + beat_ms_, end_ms});
    Spans& common = trail.of_collector ? of_collectors : of_beats;
    common = intersect(common, trail.holes);
    beats = beats || !trail.of_collector;
  }
  if (!beats) of_beats = of_collectors;
  Spans silent;
  for (const Span& span : of_beats) {
    const Spans parts =
        span.last_ms - span.first_ms < kShortMs ? Spans{span} : intersect({span}, of_collectors);
    silent.insert(silent.end(), parts.begin(), parts.end());
  }
  std::erase_if(silent,
                [&](const Span& span) { return span.last_ms - span.first_ms + beat_ms_ < least_ms_; });
  return silent;
}

std::vector<Blocked> Traces::blocked() const {
  std::vector<Blocked> all;
  for (const auto& [labels, newest] : trails_) {
    Trail trail = newest;
    judge_step(trail, 0);
    for (const Span& span : trail.failed) {
      if (span.last_ms - span.first_ms + std::max(beat_ms_, trail.before_step_ms) >= least_ms_)
        all.push_back({std::string(labels.get("collector")), span});
    }
  }
  return all;
}

}  // namespace vigil::aggregator
