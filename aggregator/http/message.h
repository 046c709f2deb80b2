// A request and a response as handlers see them: no sockets, no Beast.
#pragma once

#include "common/error.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator::http {

struct Request {
  std::string method;                             // "GET"
  std::string path;                               // decoded, without the query
  std::multimap<std::string, std::string> query;  // decoded; of the URL and of a form body
  std::string body;

  /// The first value of a parameter, or `fallback`.
  std::string get(const std::string& name, std::string_view fallback = {}) const;
};

struct Response {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

/// `{"status":"error","errorType":"bad_data","error":"..."}`, the form of Prometheus's API, with the status
/// that fits the code.
Response error_response(const Error& error);
Response error_response(unsigned status, std::string_view type, std::string_view message);

/// "%41+b" -> "A b"; an incomplete escape stays as it is.
std::string decode_url(std::string_view text);
/// Splits a target into path and query. Errc::parse unless it begins with '/'.
Result<Request> parse_target(std::string_view method, std::string_view target);
/// Adds "a=b&c=d" to the parameters.
void add_query(Request& request, std::string_view query);

}  // namespace vigil::aggregator::http
