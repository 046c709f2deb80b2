// Which pages of other origins may read the API (https://fetch.spec.whatwg.org/#http-cors-protocol).
#pragma once

#include "aggregator/http/message.h"
#include "common/error.h"

#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace vigil::aggregator::http {

class Cors {
 public:
  /// `origins`: a regular expression that a whole origin must match, such as `https?://.*\.example\.org`; ""
  /// allows none. Errc::invalid_argument when it is none.
  static Result<Cors> create(const std::string& origins);
  Cors() = default;

  bool allows(std::string_view origin) const;
  /// Adds what a browser looks for in an answer to a request from `origin`, below /api/.
  void add_headers(std::string_view path, std::string_view origin, Response& response) const;
  /// A browser sends this for a page of another origin that is not allowed: it must change nothing.
  bool is_foreign(const Request& request) const;

 private:
  std::shared_ptr<const re2::RE2> origins_;  // null: none
  bool any_ = false;                         // `.*`
};

}  // namespace vigil::aggregator::http
