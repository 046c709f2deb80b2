// What an issuer says of itself (OpenID Connect Discovery 1.0).
#pragma once

#include "common/error.h"

#include <string>
#include <string_view>

namespace vigil::aggregator::access::oidc {

struct Endpoints {
  std::string keys;          // jwks_uri
  std::string token;         // "": it has none
  std::string device_login;  // of the device authorization grant (RFC 8628); "": it has none
};

/// Where the document is: behind the issuer's path, without a slash twice.
std::string discovery_url(std::string_view issuer);

/// The document's issuer must be this one, to the letter, and its addresses https, or http on loopback where
/// the issuer itself is there. Errc::parse.
Result<Endpoints> parse_discovery(std::string_view document, std::string_view issuer);

}  // namespace vigil::aggregator::access::oidc
