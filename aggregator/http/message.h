// A request and a response as handlers see them: no sockets, no Beast.
#pragma once

#include "aggregator/access/role.h"
#include "common/error.h"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vigil::aggregator::http {

struct Request {
  std::string method;                             // "GET"
  std::string path;                               // decoded, without the query
  std::multimap<std::string, std::string> query;  // decoded; of a form body, then of the URL
  std::map<std::string, std::string> headers;     // names in lower case; several of one name joined by ", "
  std::string body;                               // as it came
  std::string remote;                             // address:port of who asks; empty: not known
  access::Caller caller;                          // who asks, as far as the server asked who it is

  /// The first value of a parameter, or `fallback`.
  std::string get(const std::string& name, std::string_view fallback = {}) const;
  bool has(const std::string& name) const { return query.contains(name); }
  /// Every value of a parameter, in the order they came.
  std::vector<std::string> all(const std::string& name) const;
  /// The value of a header, by its lower-case name; "" when there is none.
  std::string_view header(const std::string& name) const;
};

/// Makes the next piece of a body; "" when that was all. Called on one thread at a time, never on HTTP's, and
/// not before the client has taken the piece before.
using NextPiece = std::function<std::string()>;

struct Response {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  NextPiece next = {};  // what follows `body`; empty: nothing. Such an answer is sent in chunks.
};

/// `{"status":"error","errorType":"bad_data","error":"..."}`, the form of Prometheus's API, with the status
/// that fits the code.
Response error_response(const Error& error);
Response error_response(unsigned status, std::string_view type, std::string_view message);

/// "%41+b" -> "A b" in a query; an incomplete escape stays as it is.
std::string decode_url(std::string_view text);
/// The same for a path, where '+' is itself and repeated slashes are one: base URLs end in '/', too. An
/// escaped slash is none of them.
std::string decode_path(std::string_view text);
/// Splits a target into path and query. Errc::parse unless it begins with '/'.
Result<Request> parse_target(std::string_view method, std::string_view target);
/// Adds "a=b&c=d" to the parameters.
Result<void> add_query(Request& request, std::string_view query);

}  // namespace vigil::aggregator::http
