// A JSON Web Token in the compact form (RFC 7519, RFC 7515, section 7.1), taken apart: outside bytes, of
// which nothing is believed yet.
#pragma once

#include "common/error.h"

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::aggregator::access::oidc {

/// What signs with a private key of the issuer. `none`, and HS256 and its kin, whose secret the reader would
/// have to know, are no algorithms here.
enum class Algorithm : std::uint8_t { rs256, ps256, es256, eddsa };
std::string_view to_string(Algorithm algorithm);

/// What fits into the metadata of a gRPC call, 8 KiB, beside everything else.
inline constexpr std::size_t kMostTokenBytes = 7680;

struct Jwt {
  Algorithm algorithm = Algorithm::rs256;
  std::string key_id;  // "": the header names none
  boost::json::object claims;
  std::string signed_part;
  std::string signature;
};

/// Three parts, as no token of vigil's own has.
bool looks_like_jwt(std::string_view text);

/// Errc::parse says what is wrong, without a word of the token. A header's jwk, jku and x5u, with which a
/// token would bring its own key, are not looked at; one with crit is refused.
Result<Jwt> parse_jwt(std::string_view text);

}  // namespace vigil::aggregator::access::oidc
