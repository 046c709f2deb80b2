// Which handler answers which path. Filled at start, then only read: handlers run on the HTTP threads and
// must be thread-safe.
#pragma once

#include "aggregator/access/role.h"
#include "aggregator/http/message.h"
#include "aggregator/http/responder.h"
#include "aggregator/self/registry.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace vigil::aggregator::http {

/// Answers at once: on HTTP's thread, so it must not block.
using Handler = std::function<Response(const Request&)>;
/// Answers when it can: takes request and responder to where the work is done, and returns.
using LaterHandler = std::function<void(Request, Responder)>;

struct RouteOptions {
  std::uint64_t max_body_bytes = 1 << 20;  // as sent; beyond it 413
};

struct Route {
  std::string path;   // as it was added: for counting
  access::Need need;  // what its callers must have
  std::variant<Handler, LaterHandler> handler;
  RouteOptions options;
};

class Router {
 public:
  /// `method` is "GET" (which also answers HEAD), "POST" and so on. A path ending in '/' answers everything
  /// below it, and without that '/' leads there; "/" answers only itself.
  /// `need` is what a caller must have: the server sees to it.
  void add(const std::string& method, const std::string& path, access::Need need, Handler handler);
  void add_later(const std::string& method, const std::string& path, access::Need need, LaterHandler handler,
                 RouteOptions options = {});

  /// The route, good as long as this is, or the answer where there is none: 404 and 405 in the form of
  /// error_response(), 308 to a folder, 204 to OPTIONS.
  std::variant<const Route*, Response> find(const std::string& method, const std::string& path) const;
  /// Every route, by its method.
  std::vector<std::pair<std::string, const Route*>> routes() const;

 private:
  using Methods = std::map<std::string, Route>;
  const Methods* methods_of(const std::string& path) const;

  std::map<std::string, Methods> routes_;  // by path
};

/// Whether the aggregator can take data: "" when it can, otherwise the reason.
using Readiness = std::function<std::string()>;

/// /healthz (this process answers), /readyz (it can take data), /metrics (what it counts of itself).
void add_status_routes(Router& router, const self::Registry& registry, Readiness readiness);

}  // namespace vigil::aggregator::http
