#include "aggregator/head/silence.h"

#include <algorithm>

namespace vigil::aggregator {

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

/// Between two points with no hole in between. Series have intervals of their own; of a coarser tier there
/// is a point per bucket.
std::int64_t Traces::longest_step(const Trail& trail, std::int64_t coarse_ms) const {
  return std::max({least_ms_, trail.step() * 5 / 2, coarse_ms * 3 / 2});
}

void Traces::see(Trail& trail, const promql::Point& point, std::int64_t coarse_ms) const {
  const std::int64_t before_ms = trail.last_ms != 0 ? trail.last_ms : start_ms_;
  const std::int64_t longest_ms = longest_step(trail, coarse_ms);
  const std::int64_t begins_ms = point.t_ms - std::max(coarse_ms, beat_ms_);  // what it stands for
  if (point.t_ms - before_ms > longest_ms && begins_ms >= before_ms + beat_ms_)
    trail.holes.push_back({trail.last_ms != 0 ? before_ms + beat_ms_ : before_ms, begins_ms});
  trail.last_ms = point.t_ms;
  if (!trail.of_collector || point.v != 0) return;
  if (!trail.failed.empty() && point.t_ms - trail.failed.back().last_ms <= longest_ms)
    trail.failed.back().last_ms = point.t_ms;
  else
    trail.failed.push_back({point.t_ms, point.t_ms});
}

void Traces::add(const promql::SelectedSeries& series) {
  if (series.points.empty()) return;
  Trail& trail = trails_[*series.labels];
  trail.of_collector = series.labels->get("__name__") == "node_scrape_collector_success";
  std::int64_t before_ms = trail.last_ms;
  for (const promql::Point& point : series.points) {
    if (before_ms >= series.coarse_until_ms && before_ms != 0 && point.t_ms > before_ms)
      trail.step_ms = std::min(trail.step_ms, point.t_ms - before_ms);
    before_ms = point.t_ms;
  }
  for (const promql::Point& point : series.points) {
    if (point.t_ms <= trail.last_ms || is_stale(point.v)) continue;
    see(trail, point, point.t_ms < series.coarse_until_ms ? series.coarse_ms : 0);
  }
}

Spans Traces::silences(std::int64_t end_ms) const {
  if (empty()) return {};
  Spans common{{start_ms_, end_ms}};
  for (const auto& [labels, trail] : trails_) {
    Spans holes = trail.holes;
    const std::int64_t last_ms = std::max(trail.last_ms, start_ms_);
    if (end_ms - last_ms > longest_step(trail, 0)) holes.push_back({last_ms + beat_ms_, end_ms});
    common = intersect(common, holes);
  }
  std::erase_if(common, [&](const Span& span) { return span.last_ms - span.first_ms + beat_ms_ < least_ms_; });
  return common;
}

std::vector<Blocked> Traces::blocked() const {
  std::vector<Blocked> all;
  for (const auto& [labels, trail] : trails_) {
    for (const Span& span : trail.failed) {
      if (span.last_ms - span.first_ms + std::max(beat_ms_, trail.step()) >= least_ms_)
        all.push_back({std::string(labels.get("collector")), span});
    }
  }
  return all;
}

}  // namespace vigil::aggregator
