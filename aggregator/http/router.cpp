#include "aggregator/http/router.h"

namespace vigil::aggregator::http {

namespace {

std::string allowed_methods(const std::map<std::string, Route>& methods) {
  std::string allowed;
  for (const auto& [method, unused] : methods) {
    allowed += method + ", ";
    if (method == "GET") allowed += "HEAD, ";
  }
  return allowed + "OPTIONS";
}

}  // namespace

void Router::add(const std::string& method, const std::string& path, Handler handler) {
  routes_[path][method] = {path, std::move(handler), {}};
}

void Router::add_later(const std::string& method, const std::string& path, LaterHandler handler,
                       RouteOptions options) {
  routes_[path][method] = {path, std::move(handler), options};
}

/// Those of the path itself, or of the nearest folder above, which "/" is not.
const Router::Methods* Router::methods_of(const std::string& path) const {
  auto at = routes_.find(path);
  for (std::string folder = path; at == routes_.end();) {
    const auto slash = folder.size() < 2 ? std::string::npos : folder.rfind('/', folder.size() - 2);
    if (slash == std::string::npos || slash == 0) return nullptr;
    folder.resize(slash + 1);
    at = routes_.find(folder);
  }
  return &at->second;
}

std::variant<const Route*, Response> Router::find(const std::string& method, const std::string& path) const {
  if (!routes_.contains(path) && routes_.contains(path + '/')) {
    return Response{308, "text/plain; charset=utf-8", "see " + path + "/\n", {{"Location", path + '/'}}};
  }
  const Methods* methods = methods_of(path);
  if (methods == nullptr) return error_response(404, "not_found", "nothing is at " + path);
  const auto found = methods->find(method == "HEAD" ? "GET" : method);
  if (found != methods->end()) return &found->second;
  Response response = method == "OPTIONS"
                          ? Response{204, "", "", {}}
                          : error_response(405, "bad_method", method + " is not possible here");
  response.headers.emplace_back("Allow", allowed_methods(*methods));
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
