// How many requests each route answered with which status, and how long that took.
#pragma once

#include "aggregator/self/registry.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace vigil::aggregator::http {

class RequestCounts {
 public:
  /// `registry` outlives this, and this outlives the registry's last exposition.
  explicit RequestCounts(self::Registry& registry);

  /// `route` is the path as it was added, "" where there is none; `took` until the answer was taken. Any
  /// thread.
  void add(const std::string& route, unsigned status, std::chrono::duration<double> took);

 private:
  self::Registry::Samples counts() const;
  self::Registry::Samples seconds() const;

  mutable std::mutex mutex_;  // protects what follows
  std::map<std::pair<std::string, unsigned>, std::uint64_t> counts_;
  std::map<std::string, double> seconds_;
  self::Histogram& durations_;
};

}  // namespace vigil::aggregator::http
