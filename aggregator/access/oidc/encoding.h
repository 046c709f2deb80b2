// The JSON that tokens and keys are written in, read in its one strict form, so that nobody can read the same
// bytes as something else.
#pragma once

#include "common/error.h"

#include <boost/json.hpp>
#include <string>
#include <string_view>

namespace vigil::aggregator::access::oidc {

/// A JSON object in UTF-8. An object in it that has a key twice is refused: RFC 7519, section 4, leaves open
/// which one counts. Errc::parse, without a word of what came.
Result<boost::json::object> parse_strictly(std::string_view text);

/// The text at `key`; "" where there is none or it is something else.
std::string text_in(const boost::json::object& object, std::string_view key);

}  // namespace vigil::aggregator::access::oidc
