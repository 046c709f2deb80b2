#include "aggregator/http/router.h"

#include <iterator>

namespace vigil::aggregator::http {

void Router::add(const std::string& method, const std::string& path, Handler handler) {
  routes_[path][method] = std::move(handler);
}

Response Router::answer(const Request& request) const {
  auto at = routes_.find(request.path);
  if (at == routes_.end() && routes_.contains(request.path + '/')) {
    return {
        308, "text/plain; charset=utf-8", "see " + request.path + "/\n", {{"Location", request.path + '/'}}};
  }
  // The nearest folder above, if one was added.
  for (std::string folder = request.path; at == routes_.end();) {
    const auto slash = folder.size() < 2 ? std::string::npos : folder.rfind('/', folder.size() - 2);
    if (slash == std::string::npos) break;
    folder.resize(slash + 1);
    at = routes_.find(folder);
  }
  if (at == routes_.end()) return error_response(404, "not_found", "nothing is at " + request.path);
  const auto handler = at->second.find(request.method == "HEAD" ? "GET" : request.method);
  if (handler != at->second.end()) return handler->second(request);
  Response response = error_response(405, "bad_method", request.method + " is not possible here");
  std::string allowed;
  for (const auto& [method, unused] : at->second) allowed += (allowed.empty() ? "" : ", ") + method;
  response.headers.emplace_back("Allow", allowed);
  return response;
}

void add_status_routes(Router& router, const self::Registry& registry, Readiness readiness) {
  router.add("GET", "/healthz", [](const Request&) {
    return Response{200, "text/plain; charset=utf-8", "ok\n", {}};
  });
  router.add("GET", "/readyz", [readiness = std::move(readiness)](const Request&) {
    const std::string reason = readiness();
    if (reason.empty()) return Response{200, "text/plain; charset=utf-8", "ready\n", {}};
    return error_response(503, "unavailable", reason);
  });
  router.add("GET", "/metrics", [&registry](const Request&) {
    return Response{200, "text/plain; version=0.0.4; charset=utf-8", registry.exposition(), {}};
  });
}

}  // namespace vigil::aggregator::http
