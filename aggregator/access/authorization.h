// The value of an Authorization header (RFC 9110, 11.6.2), as HTTP and gRPC bring it: outside bytes.
#pragma once

#include "common/error.h"

#include <string>
#include <string_view>
#include <variant>

namespace vigil::aggregator::access {

struct Bearer {
  std::string token;
};
struct Basic {
  std::string user;
  std::string password;
};
using Credential = std::variant<Bearer, Basic>;

inline constexpr std::size_t kMostAuthorizationBytes = 8192;

/// Errc::parse, without a word of what came: it may be a secret with a slip of the pen.
Result<Credential> parse_authorization(std::string_view value);

}  // namespace vigil::aggregator::access
