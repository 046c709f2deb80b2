// Which handler answers which path. Filled at start, then only read: handlers run on the HTTP threads and
// must be thread-safe.
#pragma once

#include "aggregator/http/message.h"
#include "aggregator/self/registry.h"

#include <functional>
#include <map>
#include <string>

namespace vigil::aggregator::http {

using Handler = std::function<Response(const Request&)>;

class Router {
 public:
  /// `method` is "GET" (which also answers HEAD) or "POST". A path ending in '/' answers everything below it,
  /// and without that '/' leads there.
  void add(const std::string& method, const std::string& path, Handler handler);
  /// 404 and 405 in the form of error_response().
  Response answer(const Request& request) const;

 private:
  std::map<std::string, std::map<std::string, Handler>> routes_;  // path, method
};

/// Whether the aggregator can take data: "" when it can, otherwise the reason.
using Readiness = std::function<std::string()>;

/// /healthz (this process answers), /readyz (it can take data), /metrics (what it counts of itself).
void add_status_routes(Router& router, const self::Registry& registry, Readiness readiness);

}  // namespace vigil::aggregator::http
