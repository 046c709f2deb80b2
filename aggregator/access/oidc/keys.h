// The public keys of an issuer (JWKS, RFC 7517), and whether a token is signed by one of them. Constant after
// construction, so that any thread may look.
#pragma once

#include "aggregator/access/oidc/jwt.h"
#include "common/error.h"
#include "common/tls/openssl.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator::access::oidc {

class KeySet {
 public:
  /// Keys that sign nothing we take (encryption, symmetric, small or unknown ones) are left out; the error
  /// says so where none is left. A broken document is Errc::parse.
  static Result<KeySet> parse(std::string_view jwks);

  enum class Outcome : std::uint8_t { right, wrong, unknown_key };
  /// Only a key of the kind that the token's algorithm has is tried. A token without a key id is tried with
  /// the one key of that kind; where there are several, it is wrong.
  Outcome verify(const Jwt& jwt) const;
  std::size_t size() const { return keys_.size(); }

 private:
  struct SigningKey {
    std::string id;
    std::string algorithm;  // as the issuer says it: no other; "": any of its kind
    tls::Key key;
  };
  static std::optional<SigningKey> read_key(const boost::json::object& jwk);

  std::vector<SigningKey> keys_;
};

}  // namespace vigil::aggregator::access::oidc
