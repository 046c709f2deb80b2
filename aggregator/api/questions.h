// The routes that take PromQL: query, query_range, query_exemplars, format_query, parse_query.
#pragma once

#include "aggregator/api/desk.h"
#include "aggregator/api/sources.h"

#include <atomic>
#include <cstddef>
#include <memory>

namespace vigil::aggregator::api {

/// Samples of results that are on their way to clients: together no more than one query may hold. A result
/// stays in memory until its reader has taken it, and many slow readers must not fill it.
class OnTheWay {
 public:
  explicit OnTheWay(std::size_t most) : most_(most) {}
  /// To be kept as long as the result is; null: too many are under way. One alone is never too many.
  std::shared_ptr<void> add(std::size_t samples);

 private:
  const std::size_t most_;
  std::shared_ptr<std::atomic<std::size_t>> samples_ = std::make_shared<std::atomic<std::size_t>>(0);
};

class Questions {
 public:
  /// `sources` outlives this.
  explicit Questions(const ApiSources& sources)
      : sources_(sources), on_the_way_(sources.engine.limits().max_samples) {}

  http::Response instant(const Errand& errand);
  http::Response range(const Errand& errand);
  http::Response exemplars(const Errand& errand);
  http::Response format(const Errand& errand);
  http::Response parse(const Errand& errand);

 private:
  template <class Answer>
  http::Response deliver(const Errand& errand, Answer answer, std::chrono::steady_clock::time_point began);

  const ApiSources& sources_;
  OnTheWay on_the_way_;
};

}  // namespace vigil::aggregator::api
