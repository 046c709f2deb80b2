// What came over a connection, as Beast reads it, and what it means to the routes.
#pragma once

#include "aggregator/http/message.h"

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <string_view>

namespace vigil::aggregator::http {

using Incoming = boost::beast::http::request<boost::beast::http::string_body>;

inline std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

/// What leaves open whom a request is for, or who sends it; "" when nothing does. RFC 9112, 3.2: one that
/// names no host, or two, is refused; and who looks at credentials later must not find others.
std::string_view ambiguity_of(const boost::beast::http::request_header<>& header);

/// All but who sends it. Errc::invalid_argument: its target or its form cannot be read.
Result<Request> request_of(Incoming message);

}  // namespace vigil::aggregator::http
