#include "aggregator/alerts/alert_series.h"

#include <algorithm>

namespace vigil::alerts {
namespace {

constexpr std::int64_t kLongestSilenceMs = 60'000;
constexpr std::int64_t kClockStepMs = 10'000;

promql::LabelsPtr named(const Labels& labels, std::string_view metric) {
  Labels out = labels;
  out.set(kMetricName, metric);
  return std::make_shared<const Labels>(std::move(out));
}

promql::LabelsPtr with_state(const Labels& labels, State state) {
  Labels out = labels;
  out.set(kMetricName, "ALERTS");
  out.set("alertstate", to_string(state));
  return std::make_shared<const Labels>(std::move(out));
}

/// Two changes in one millisecond are two samples all the same; a clock that was set back is followed.
std::int64_t next_time(std::int64_t last_ms, std::int64_t now_ms) {
  return now_ms < last_ms - kClockStepMs ? now_ms : std::max(now_ms, last_ms + 1);
}

void end(const promql::LabelsPtr& labels, std::int64_t t_ms, std::vector<rules::RecordedSample>& out) {
  if (labels) out.push_back({labels, t_ms, stale_marker()});
}

}  // namespace

void AlertSeries::put(const Alert& alert, Written& written, std::int64_t now_ms,
                      std::vector<rules::RecordedSample>& out) {
  const bool relabelled = written.labels != alert.labels;
  const bool changed = relabelled || written.state != alert.state;
  const bool set_back = now_ms < written.last_ms - kClockStepMs;
  if (!changed && !set_back && now_ms < written.due_ms) return;
  const std::int64_t t_ms = next_time(written.last_ms, now_ms);
  written.last_ms = t_ms;
  if (changed) {
    end(written.alerts, t_ms, out);
    written.alerts = with_state(alert.labels, alert.state);
  }
  if (relabelled) {
    end(written.for_state, t_ms, out);
    written.for_state = named(alert.labels, "ALERTS_FOR_STATE");
    written.labels = alert.labels;
  }
  written.state = alert.state;
  const std::int64_t interval_ms = std::min<std::int64_t>(alert.rule->interval.count(), kLongestSilenceMs);
  written.due_ms = t_ms + interval_ms;
  out.push_back({written.alerts, t_ms, 1});
  const std::int64_t since_s = alert.active_since_ms / 1000;
  out.push_back({written.for_state, t_ms, static_cast<double>(since_s)});
}

std::vector<rules::RecordedSample> AlertSeries::write(const AlertBook& book, std::int64_t now_ms) {
  std::vector<rules::RecordedSample> out;
  if (book.size() == 0 && written_.empty()) return out;
  ++round_;
  book.for_each([&](const Alert& alert) {
    if (alert.state != State::pending && alert.state != State::firing) return;
    Written& written = written_[alert.fingerprint];
    written.round = round_;
    put(alert, written, now_ms, out);
  });
  std::erase_if(written_, [&](const auto& entry) {
    if (entry.second.round == round_) return false;
    const std::int64_t t_ms = next_time(entry.second.last_ms, now_ms);
    end(entry.second.alerts, t_ms, out);
    end(entry.second.for_state, t_ms, out);
    return true;
  });
  return out;
}

}  // namespace vigil::alerts
