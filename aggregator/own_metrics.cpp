#include "aggregator/own_metrics.h"

#include "aggregator/head/host_kind.h"
#include "common/log/log.h"

#include <utility>

namespace vigil::aggregator {
namespace {

constexpr std::string_view kJob = "vigil";

SeriesType type_of(self::Kind kind) {
  return kind == self::Kind::counter ? SeriesType::counter : SeriesType::gauge;
}

void add(LocalWrite& write, const Labels& labels, SeriesType type, promql::Point point) {
  write.series.push_back({labels, type, 1});
  write.samples.push_back(point);
}

}  // namespace

OwnMetrics::OwnMetrics(const self::Registry& registry, LocalWriter& writer, std::string instance)
    : registry_(registry), writer_(writer), instance_(std::move(instance)) {}

LocalWrite OwnMetrics::write_of(std::int64_t t_ms) {
  LocalWrite write;
  write.host = kOwnHost;
  std::set<Labels> present;
  for (self::Registry::Reading& reading : registry_.read()) {
    reading.labels.set("__name__", reading.name);
    reading.labels.set("instance", instance_);
    reading.labels.set("job", kJob);
    if (!present.insert(reading.labels).second) continue;
    add(write, reading.labels, type_of(reading.kind), {t_ms, reading.value});
  }
  for (const Labels& labels : known_) {  // a receiver that was removed, say
    if (!present.contains(labels)) add(write, labels, SeriesType::unknown, {t_ms, stale_marker()});
  }
  known_ = std::move(present);
  return write;
}

void OwnMetrics::beat(std::int64_t now_ms) {
  const std::int64_t t_ms = now_ms - now_ms % kEvery.count();
  if (t_ms == written_ms_ || under_way_.exchange(true)) return;
  written_ms_ = t_ms;
  writer_.write(write_of(t_ms), [this](const LocalWritten& written) {
    const bool is_odd = written.failed.has_value() || !written.problem.empty();
    if (is_odd && !complained_)
      log::warn("aggregator", "own metrics are not stored",
                {{"error", written.failed ? written.failed->message : written.problem}});
    complained_ = is_odd;
    under_way_ = false;
  });
}

}  // namespace vigil::aggregator
