// An OpenID Connect provider for tests: keys of its own, tokens of whatever claims, and answers to who asks
// it.
#pragma once

#include "aggregator/access/oidc/config.h"
#include "aggregator/access/oidc/web.h"
#include "common/tls/openssl.h"

#include <boost/json.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator::access::oidc {

inline constexpr std::int64_t kNow = 1'800'000'000'000;

std::string base64url(std::string_view bytes);

/// A key with its private part.
struct Signer {
  std::string id;
  std::string algorithm;
  tls::Key key;
};
/// RS256 and PS256: RSA of `bits`; ES256; EdDSA.
Signer make_signer(std::string id, std::string algorithm, unsigned bits = 2048);
/// Of its public part.
boost::json::object jwk_of(const Signer& signer);
std::string jwks_of(const std::vector<const Signer*>& signers);

/// {"alg": ..., "kid": ..., "typ": "JWT"}
boost::json::object header_of(const Signer& signer);
/// The claims of an ID token for alice@example.org in the group ops, good for five minutes.
boost::json::object claims_of_alice();
std::string sign(const Signer& signer, const std::string& header, const std::string& claims);
inline std::string sign(const Signer& signer, const boost::json::object& claims) {
  return sign(signer, boost::json::serialize(header_of(signer)), boost::json::serialize(claims));
}
/// Signed as HS256 does, by a secret.
std::string sign_by_secret(const std::string& secret, const std::string& header, const std::string& claims);
/// The public part as a PEM file: what a confused reader would take for the secret of HS256.
std::string pem_of(const Signer& signer);

OidcConfig config_for_alice();

/// Answers as an issuer does; unknown addresses with 404.
class FakeIssuer {
 public:
  FakeIssuer();
  Web web() {
    return {[this](const WebRequest& request) { return answer(request); }};
  }
  std::string url(std::string_view path) const;

  std::map<std::string, WebReply> pages;  // by address
  bool is_away = false;
  std::vector<WebRequest> asked;

 private:
  Result<WebReply> answer(const WebRequest& request);
};

}  // namespace vigil::aggregator::access::oidc
