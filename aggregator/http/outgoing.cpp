#include "aggregator/http/outgoing.h"

#include <array>
#include <ctime>

namespace vigil::aggregator::http {

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 40> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

std::vector<std::pair<const char*, const char*>> safety_headers(std::string_view path) {
  std::vector<std::pair<const char*, const char*>> headers = {
      {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
      {"Referrer-Policy", "no-referrer"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"}};
  if (path.starts_with("/api/") || path.starts_with("/alerts/") || path == "/graph" || path == "/federate")
    headers.emplace_back("Cache-Control", "no-store");
  return headers;
}

Response refusal_of(const access::Verdict& verdict) {
  using Answer = access::Verdict::Answer;
  if (verdict.answer == Answer::too_many) {
    Response response = error_response(429, "too_many_requests", verdict.why);
    response.headers.emplace_back("Retry-After", "60");
    return response;
  }
  if (verdict.answer == Answer::forbidden) return error_response(403, "forbidden", verdict.why);
  Response response = error_response(401, "unauthorized", verdict.why);
  response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"vigil\", charset=\"UTF-8\"");
  response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"vigil\"");
  return response;
}

}  // namespace vigil::aggregator::http
