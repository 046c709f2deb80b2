// What anybody may show as a token of an OpenID Connect provider, and what a provider may answer: read
// without harm, whatever its bytes, and no token counts whose signature was not made by the key.
#include "aggregator/access/oidc/claims.h"
#include "aggregator/access/oidc/discovery.h"
#include "aggregator/access/oidc/encoding.h"
#include "aggregator/access/oidc/jwt.h"
#include "aggregator/access/oidc/keys.h"
#include "common/text/base64.h"

#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

using namespace vigil::aggregator::access::oidc;

/// Of RFC 8037, appendix A.2, and RFC 7517, appendix A.1: their private parts are known to all, but not to
/// the bytes that come here.
constexpr std::string_view kKeys =
    R"({"keys":[{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},)"
    R"({"kty":"EC","crv":"P-256","kid":"ec","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",)"
    R"("y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]})";

OidcConfig config() {
  OidcConfig config;
  config.issuer = "https://id.example.org";
  config.client_id = "vigil";
  return config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto keys = KeySet::parse(kKeys);
  static const OidcConfig kConfig = config();
  if (!keys || keys->size() != 2) std::abort();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto jwt = parse_jwt(text);
  if (jwt) {
    if (size > kMostTokenBytes || jwt->signature.empty()) std::abort();
    if (keys->verify(*jwt) == KeySet::Outcome::right) std::abort();
    (void)check_claims(jwt->claims, kConfig, 1'800'000'000'000);
  } else if (size > 80 && jwt.error().message.find(text) != std::string::npos) {
    std::abort();
  }
  const auto object = parse_strictly(text);
  if (object) {
    (void)check_claims(*object, kConfig, 1'800'000'000'000);
    // What was read once and written is read again, with the same keys.
    const auto again = parse_strictly(boost::json::serialize(*object));
    if (!again || again->size() != object->size()) std::abort();
  }
  const auto bytes = vigil::decode_base64url(text);
  if (bytes && bytes->size() > size) std::abort();
  (void)KeySet::parse(text);
  (void)parse_discovery(text, kConfig.issuer);
  (void)check_issuer_url(text);
  return 0;
}
