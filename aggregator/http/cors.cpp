#include "aggregator/http/cors.h"

#include <re2/re2.h>

namespace vigil::aggregator::http {

Result<Cors> Cors::create(const std::string& origins) {
  Cors cors;
  if (origins.empty()) return cors;
  auto regex = std::make_shared<re2::RE2>(origins, re2::RE2::Quiet);
  if (!regex->ok())
    return fail(Errc::invalid_argument, "'{}' is no regular expression: {}", origins, regex->error());
  cors.any_ = origins == ".*";
  cors.origins_ = std::move(regex);
  return cors;
}

bool Cors::allows(std::string_view origin) const {
  return origins_ != nullptr && !origin.empty() &&
         re2::RE2::FullMatch(re2::StringPiece(origin.data(), origin.size()), *origins_);
}

void Cors::add_headers(std::string_view path, std::string_view origin, Response& response) const {
  if (origins_ == nullptr || !path.starts_with("/api/")) return;
  // Whatever the origin: a cache must not give the answer for one to another.
  response.headers.emplace_back("Vary", "Origin");
  if (!allows(origin)) return;
  response.headers.emplace_back("Access-Control-Allow-Headers",
                                "Accept, Authorization, Content-Type, Origin");
  response.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
  response.headers.emplace_back("Access-Control-Allow-Origin", any_ ? "*" : std::string(origin));
  response.headers.emplace_back("Access-Control-Expose-Headers", "Date");
}

bool Cors::is_foreign(const Request& request) const {
  const std::string_view origin = request.header("origin");
  if (origin.empty()) return request.header("sec-fetch-site") == "cross-site";
  const auto host_at = origin.find("://");
  const bool is_own =
      host_at != std::string_view::npos && origin.substr(host_at + 3) == request.header("host");
  return !is_own && !allows(origin);
}

}  // namespace vigil::aggregator::http
