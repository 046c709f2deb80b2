#include "aggregator/rules/recording.h"

#include "aggregator/promql/parser.h"
#include "aggregator/rules/watch.h"

#include <unordered_set>

namespace vigil::rules {
namespace {

using LabelSet = std::unordered_set<Labels, LabelsHash>;

/// A clock that falls back further than this has been set: its times are taken as they are.
constexpr std::int64_t kClockStepMs = 10'000;

}  // namespace

Result<std::vector<std::pair<Labels, double>>> ask(std::string_view expr, promql::Storage& storage,
                                                   std::int64_t t_ms) {
  const auto parsed = promql::parse(expr);
  if (!parsed) return parsed.error();
  const auto samples = instant(**parsed, storage, t_ms);
  if (!samples) return samples.error();
  std::vector<std::pair<Labels, double>> out;
  for (const promql::Sample& sample : *samples) out.emplace_back(*sample.labels, sample.v);
  return out;
}

Result<promql::Vector> as_recorded(const Rule& rule, promql::Vector samples) {
  if (rule.limit > 0 && samples.size() > rule.limit)
    return fail(Errc::limit, "exceeded limit of {} with {} series", rule.limit, samples.size());
  LabelSet seen;
  for (promql::Sample& sample : samples) {
    Labels labels = *sample.labels;
    labels.set(kMetricName, rule.name);
    for (const NamedTemplate& label : rule.labels) labels.set(label.name, label.text);
    if (samples.size() > 1 && !seen.insert(labels).second) {
      return fail(Errc::invalid_argument,
                  "vector contains metrics with the same labelset after applying rule labels");
    }
    sample.labels = std::make_shared<const Labels>(std::move(labels));
  }
  return samples;
}

std::vector<RecordedSample> Record::evaluate(const Rule& rule, promql::Storage& storage, std::int64_t t_ms) {
  const bool clock_went_back = last_ms_ && t_ms < *last_ms_ - kClockStepMs;
  if (last_ms_ && t_ms <= *last_ms_ && !clock_went_back) return {};
  StatsScope scope(*rule.stats, t_ms);
  auto samples = query(rule, storage, t_ms);
  if (samples) samples = as_recorded(rule, std::move(*samples));
  if (!samples) {
    scope.failed(samples.error());
    return {};
  }
  rule.stats->note_success();
  last_ms_ = t_ms;
  const std::int64_t stamp_ms = t_ms - rule.query_offset.count();
  LabelSet given;
  std::vector<RecordedSample> next;
  for (promql::Sample& sample : *samples) {
    if (!latest_.empty()) given.insert(*sample.labels);
    next.push_back({std::move(sample.labels), stamp_ms, sample.v});
  }
  for (const RecordedSample& before : latest_) {
    if (!is_stale(before.value) && !given.contains(*before.labels))
      next.push_back({before.labels, stamp_ms, stale_marker()});
  }
  latest_ = next;
  return next;
}

std::vector<RecordedSample> Record::end(std::int64_t t_ms) {
  std::vector<RecordedSample> markers;
  for (const RecordedSample& before : latest_) {
    if (!is_stale(before.value) && before.t_ms < t_ms)
      markers.push_back({before.labels, t_ms, stale_marker()});
  }
  latest_.clear();
  return markers;
}

}  // namespace vigil::rules
