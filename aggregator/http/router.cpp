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

void Router::add(const std::string& method, const std::string& path, access::Need need, Handler handler) {
  routes_[path][method] = {path, need, std::move(handler), {}};
}

void Router::add_later(const std::string& method, const std::string& path, access::Need need,
                       LaterHandler handler, RouteOptions options) {
  routes_[path][method] = {path, need, std::move(handler), options};
}

std::vector<std::pair<std::string, const Route*>> Router::routes() const {
  std::vector<std::pair<std::string, const Route*>> all;
  for (const auto& [path, methods] : routes_) {
    for (const auto& [method, route] : methods) all.emplace_back(method, &route);
  }
  return all;
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
  router.add("GET", "/healthz", access::kOpen, [](const Request&) {
    return Response{200, "text/plain; charset=utf-8", "ok\n", {}};
  });
  router.add("GET", "/readyz", access::kOpen, [readiness = std::move(readiness)](const Request&) {
    const std::string reason = readiness();
    if (reason.empty()) return Response{200, "text/plain; charset=utf-8", "ready\n", {}};
    return error_response(503, "unavailable", reason);
  });
  router.add("GET", "/metrics", access::kMetrics, [&registry](const Request&) {
    return Response{200, "text/plain; version=0.0.4; charset=utf-8", registry.exposition(), {}};
  });
}

}  // namespace vigil::aggregator::http
