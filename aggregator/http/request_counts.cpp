#include "aggregator/http/request_counts.h"

namespace vigil::aggregator::http {

using self::Kind;

RequestCounts::RequestCounts(self::Registry& registry)
    : durations_(registry.histogram("vigil_aggregator_http_request_seconds",
                                    "From an HTTP request to the end of its answer.")) {
  registry.collect_many(Kind::counter, "vigil_aggregator_http_requests_total",
                        "HTTP requests answered; code 499: the client did not wait.",
                        [this] { return counts(); });
  registry.collect_many(Kind::counter, "vigil_aggregator_http_seconds_total",
                        "From HTTP requests to the ends of their answers, by route.",
                        [this] { return seconds(); });
}

void RequestCounts::add(const std::string& route, unsigned status, std::chrono::duration<double> took) {
  durations_.observe(took.count());
  const std::lock_guard lock(mutex_);
  ++counts_[{route, status}];
  seconds_[route] += took.count();
}

self::Registry::Samples RequestCounts::counts() const {
  self::Registry::Samples samples;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, count] : counts_)
    samples.emplace_back(Labels{{"route", key.first}, {"code", std::to_string(key.second)}},
                         static_cast<double>(count));
  return samples;
}

self::Registry::Samples RequestCounts::seconds() const {
  self::Registry::Samples samples;
  const std::lock_guard lock(mutex_);
  for (const auto& [route, sum] : seconds_) samples.emplace_back(Labels{{"route", route}}, sum);
  return samples;
}

}  // namespace vigil::aggregator::http
