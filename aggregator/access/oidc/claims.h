// What a token says, once its signature is right: for whom, until when, about whom. Pure.
#pragma once

#include "aggregator/access/oidc/config.h"
#include "aggregator/access/role.h"
#include "common/error.h"

#include <boost/json.hpp>
#include <cstdint>
#include <string>

namespace vigil::aggregator::access::oidc {

/// Before the names of people that an issuer vouches for, so that nobody takes them for users of vigil's own:
/// those have no colon.
inline constexpr std::string_view kNamePrefix = "oidc:";

struct Person {
  std::string name;  // with the prefix
  Role role = Role::none;
  std::int64_t until_ms = 0;  // from then on the token is refused
};

/// Checks iss, aud, azp, exp, nbf, iat (OpenID Connect Core 1.0, 3.1.3.7; RFC 9068, 4) and finds name and
/// role. Errc::permission says which claim is in the way.
Result<Person> check_claims(const boost::json::object& claims, const OidcConfig& config, std::int64_t now_ms);

}  // namespace vigil::aggregator::access::oidc
