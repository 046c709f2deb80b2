// Which tokens count, and every way known to us of making one that must not.
#include "aggregator/access/oidc/claims.h"
#include "aggregator/access/oidc/encoding.h"
#include "aggregator/access/oidc/jwt.h"
#include "aggregator/access/oidc/keys.h"
#include "common/text/base64.h"
#include "tests/aggregator/access/oidc/issuer.h"
#include "tests/support/catch.h"

#include <functional>

using namespace vigil;
using namespace vigil::aggregator::access;
using namespace vigil::aggregator::access::oidc;

namespace {

using boost::json::object;
using boost::json::serialize;

/// Whether a token lets in, by all three steps.
Result<Person> judge(std::string_view token, const std::string& jwks, const OidcConfig& config,
                     std::int64_t now_ms = kNow) {
  const auto jwt = parse_jwt(token);
  if (!jwt) return jwt.error();
  const auto keys = KeySet::parse(jwks);
  if (!keys) return keys.error();
  switch (keys->verify(*jwt)) {
    case KeySet::Outcome::wrong:
      return fail(Errc::permission, "wrong signature");
    case KeySet::Outcome::unknown_key:
      return fail(Errc::permission, "unknown key");
    case KeySet::Outcome::right:
      break;
  }
  return check_claims(jwt->claims, config, now_ms);
}

std::string why(const Result<Person>& judged) {
  return judged ? "let in" : judged.error().message;
}

/// Alice's claims with one of them changed.
object with(std::string_view name, boost::json::value value) {
  object claims = claims_of_alice();
  claims[{name.data(), name.size()}] = std::move(value);
  return claims;
}
object without(std::string_view name) {
  object claims = claims_of_alice();
  claims.erase({name.data(), name.size()});
  return claims;
}

}  // namespace

TEST_CASE("a token of the issuer says who a person is, whichever of the four algorithms signs it") {
  const std::string algorithm = GENERATE("RS256", "PS256", "ES256", "EdDSA");
  INFO(algorithm);
  const Signer signer = make_signer("k1", algorithm);
  const Signer other = make_signer("k2", "RS256");
  for (int i = 0; i < 10; ++i) {  // R or S of ES256 begins with a zero now and then
    const auto person =
        judge(sign(signer, claims_of_alice()), jwks_of({&other, &signer}), config_for_alice());
    REQUIRE(why(person) == "let in");
    CHECK(person->name == "oidc:alice@example.org");
    CHECK(person->role == Role::operating);
    CHECK(person->until_ms == kNow + 300'000 + 60'000);
  }
}

TEST_CASE("a token that is not signed by the issuer lets nobody in") {
  const Signer rsa = make_signer("k1", "RS256");
  const Signer ec = make_signer("k2", "ES256");
  const Signer thief = make_signer("k1", "RS256");
  const std::string jwks = jwks_of({&rsa, &ec});
  const std::string claims = serialize(claims_of_alice());
  const std::string good = sign(rsa, claims_of_alice());
  REQUIRE(why(judge(good, jwks, config_for_alice())) == "let in");
  const auto header = [](const object& extra) {
    object all{{"alg", "RS256"}, {"kid", "k1"}, {"typ", "JWT"}};
    for (const auto& each : extra) all[each.key()] = each.value();
    return serialize(all);
  };
  const auto refused = [&](const std::string& what, const std::string& token) {
    INFO(what);
    CHECK_FALSE(judge(token, jwks, config_for_alice()));
  };

  for (const char* none : {"none", "None", "NONE", "nOnE", ""}) {
    refused("alg none with a signature", sign(rsa, header({{"alg", none}}), claims));
    refused("alg none without one", base64url(header({{"alg", none}})) + "." + base64url(claims) + ".");
  }
  refused("HS256 by the public key", sign_by_secret(pem_of(rsa), header({{"alg", "HS256"}}), claims));
  refused("the same as RS256", sign_by_secret(pem_of(rsa), header({}), claims));
  refused("HS256 by the modulus",
          sign_by_secret(std::string(jwk_of(rsa)["n"].as_string()), header({{"alg", "HS256"}}), claims));
  refused("HS256 by nothing", sign_by_secret("", header({{"alg", "HS256"}}), claims));
  refused("HS512", sign_by_secret(pem_of(rsa), header({{"alg", "HS512"}}), claims));
  refused("RS1", sign(rsa, header({{"alg", "RS1"}}), claims));
  refused("alg is a list", sign(rsa, header({{"alg", boost::json::array{"RS256"}}}), claims));
  refused("another key of the same id", sign(thief, claims_of_alice()));
  refused("a key the issuer does not have", sign(thief, header({{"kid", "k9"}}), claims));
  refused("the id of a key of another kind", sign(rsa, header({{"kid", "k2"}}), claims));
  refused("an algorithm of another kind than the key", sign(rsa, header({{"alg", "ES256"}}), claims));
  refused("PS256 where the key is for RS256", sign(rsa, header({{"alg", "PS256"}}), claims));
  refused("a key that it brings", sign(thief, header({{"jwk", jwk_of(thief)}}), claims));
  refused("an address of keys that it brings",
          sign(thief, header({{"jku", "https://evil.example/keys"}}), claims));
  refused("a certificate that it brings", sign(thief, header({{"x5u", "https://evil.example/c"}}), claims));
  refused("the id is a path", sign(thief, header({{"kid", "../../dev/null"}}), claims));
  refused("an extension that must be understood",
          sign(rsa, header({{"crit", boost::json::array{"b64"}}, {"b64", false}}), claims));
  refused("a logout token by its type", sign(rsa, header({{"typ", "logout+jwt"}}), claims));
  refused("a header that says alg twice", sign(rsa, R"({"alg":"none","alg":"RS256","kid":"k1"})", claims));
  refused("claims that say sub twice",
          sign(rsa, header({}), claims.substr(0, claims.size() - 1) + R"(,"email":"root@example.org"})"));
  refused(
      "the same, escaped",
      sign(rsa, header({}), claims.substr(0, claims.size() - 1) + R"(,"\u0065mail":"root@example.org"})"));
  refused("claims that are a list", sign(rsa, header({}), "[" + claims + "]"));
  refused("claims with something behind", sign(rsa, header({}), claims + "{}"));
  refused("claims that are no UTF-8", sign(rsa, header({}), "{\"sub\":\"\xff\"}"));
  refused("claims that nest without end", sign(rsa, header({}), "{\"a\":" + std::string(2000, '[') + "}"));
  refused("huge", sign(rsa, with("padding", boost::json::string(8000, 'x'))));
  refused("padding", good + "=");
  refused("a line", good + "\n");
  refused("four parts", good + ".x");
  refused("empty", "");
  refused("dots", "..");
  const std::string ec_good = sign(ec, claims_of_alice());
  REQUIRE(why(judge(ec_good, jwks, config_for_alice())) == "let in");
  const std::string ec_text = ec_good.substr(0, ec_good.rfind('.') + 1);
  refused("R and S are 0", ec_text + base64url(std::string(64, '\0')));  // CVE-2022-21449
  refused("a short signature", ec_text + base64url(std::string(63, '\1')));
  refused("a signature in DER", ec_text + base64url("\x30\x06\x02\x01\x01\x02\x01\x01"));
}

TEST_CASE("of a token no beginning and no changed byte lets in") {
  const std::string algorithm = GENERATE("RS256", "ES256", "EdDSA");
  const Signer signer = make_signer("k1", algorithm);
  const std::string jwks = jwks_of({&signer});
  const std::string good = sign(signer, claims_of_alice());
  REQUIRE(judge(good, jwks, config_for_alice()));
  for (std::size_t i = 0; i < good.size(); ++i) {
    INFO(algorithm << " " << i);
    CHECK_FALSE(judge(good.substr(0, i), jwks, config_for_alice()));
    std::string changed = good;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    if (changed != good) CHECK_FALSE(judge(changed, jwks, config_for_alice()));
  }
}

TEST_CASE("a token must be of this issuer, for this client, good now, and about somebody") {
  const Signer signer = make_signer("k1", "ES256");
  const std::string jwks = jwks_of({&signer});
  OidcConfig config = config_for_alice();
  config.audiences = {"grafana"};
  const auto judged = [&](const object& claims) { return why(judge(sign(signer, claims), jwks, config)); };
  const std::int64_t now = kNow / 1000;
  using boost::json::array;

  CHECK_THAT(judged(with("iss", "https://id.example.org/")), Catch::Contains("(iss)"));
  CHECK_THAT(judged(with("iss", "https://evil.example")), Catch::Contains("(iss)"));
  CHECK_THAT(judged(without("iss")), Catch::Contains("(iss)"));
  CHECK_THAT(judged(with("iss", array{"https://id.example.org"})), Catch::Contains("(iss)"));

  CHECK_THAT(judged(with("aud", "another")), Catch::Contains("(aud)"));
  CHECK_THAT(judged(with("aud", array{})), Catch::Contains("(aud)"));
  CHECK_THAT(judged(with("aud", array{"vigil", 1})), Catch::Contains("(aud)"));
  CHECK_THAT(judged(without("aud")), Catch::Contains("(aud)"));
  CHECK(judged(with("aud", array{"vigil"})) == "let in");
  CHECK(judged(with("aud", "grafana")) == "let in");
  CHECK_THAT(judged(with("aud", array{"vigil", "another"})), Catch::Contains("(azp)"));
  object both = with("aud", array{"vigil", "another"});
  both["azp"] = "vigil";
  CHECK(judged(both) == "let in");
  both["azp"] = "another";
  CHECK_THAT(judged(both), Catch::Contains("(azp)"));
  both["azp"] = nullptr;
  CHECK_THAT(judged(both), Catch::Contains("(azp)"));

  CHECK(judged(with("exp", now - 59)) == "let in");  // the leeway
  CHECK_THAT(judged(with("exp", now - 60)), Catch::Contains("(exp)"));
  CHECK_THAT(judged(with("exp", "2100-01-01")), Catch::Contains("(exp)"));
  CHECK_THAT(judged(with("exp", -1)), Catch::Contains("(exp)"));
  CHECK_THAT(judged(with("exp", 1e300)), Catch::Contains("(exp)"));
  CHECK_THAT(judged(without("exp")), Catch::Contains("(exp)"));
  CHECK(judged(with("exp", now + 0.5)) == "let in");
  CHECK_THAT(judged(with("iat", now + 61)), Catch::Contains("(iat)"));
  CHECK_THAT(judged(without("iat")), Catch::Contains("(iat)"));
  CHECK(judged(with("nbf", now + 60)) == "let in");
  CHECK_THAT(judged(with("nbf", now + 61)), Catch::Contains("(nbf)"));
  CHECK_THAT(judged(with("nbf", "soon")), Catch::Contains("(nbf)"));

  CHECK_THAT(judged(without("sub")), Catch::Contains("(sub)"));
  CHECK_THAT(judged(with("events", object{})), Catch::Contains("(events)"));
  CHECK_THAT(judged(without("email")), Catch::Contains("access.oidc.user_claim"));
  CHECK_THAT(judged(with("email", array{"alice@example.org"})), Catch::Contains("access.oidc.user_claim"));
  CHECK_THAT(judged(with("email_verified", false)), Catch::Contains("email_verified"));
  CHECK_THAT(judged(with("email_verified", "false")), Catch::Contains("email_verified"));
  CHECK(judged(without("email_verified")) == "let in");
  CHECK_THAT(judged(with("email", "a\nb")), Catch::Contains("cannot be shown"));
  CHECK_THAT(judged(with("email", "a\u202Eb")), Catch::Contains("cannot be shown"));
  CHECK_THAT(judged(with("email", boost::json::string(129, 'a'))), Catch::Contains("128"));
}

TEST_CASE("groups and names have roles, the name's goes first, and without one there is none") {
  const auto role = [](const object& claims, const OidcConfig& config) {
    const auto person = check_claims(claims, config, kNow);
    REQUIRE(why(person) == "let in");
    return person->role;
  };
  using boost::json::array;
  OidcConfig config = config_for_alice();
  CHECK(role(with("groups", "everybody"), config) == Role::viewer);
  CHECK(role(with("groups", array{"everybody", "admins", "ops"}), config) == Role::admin);
  CHECK(role(with("groups", array{"others", "OPS"}), config) == Role::none);
  CHECK(role(with("groups", array{"ops", 7}), config) == Role::none);
  CHECK(role(without("groups"), config) == Role::none);
  config.users = {{"alice@example.org", "viewer"}, {"4711", "admin"}};
  CHECK(role(claims_of_alice(), config) == Role::viewer);
  config.users["alice@example.org"] = "none";
  CHECK(role(claims_of_alice(), config) == Role::none);
  config.user_claim = "sub";
  CHECK(role(with("email_verified", false), config) == Role::admin);
  config.users.clear();
  config.groups_claim = "https://example.org/roles";
  CHECK(role(with("https://example.org/roles", array{"admins"}), config) == Role::admin);
}

TEST_CASE("keys that sign nothing are left out, and an unclear choice is none") {
  const Signer rsa = make_signer("", "RS256");
  const Signer another = make_signer("", "RS256");
  const Signer ec = make_signer("", "ES256");
  const std::string token = sign(rsa, claims_of_alice());
  CHECK(why(judge(token, jwks_of({&rsa, &ec}), config_for_alice())) == "let in");
  CHECK(why(judge(token, jwks_of({&rsa, &another}), config_for_alice())) == "wrong signature");
  CHECK(why(judge(token, jwks_of({&ec}), config_for_alice())) == "unknown key");

  const auto alone = [](object jwk) {
    return KeySet::parse(serialize(object{{"keys", boost::json::array{std::move(jwk)}}})).has_value();
  };
  const auto changed = [](object jwk, const char* name, boost::json::value value) {
    jwk[name] = std::move(value);
    return jwk;
  };
  CHECK(alone(jwk_of(rsa)));
  CHECK_FALSE(alone(changed(jwk_of(rsa), "use", "enc")));
  CHECK_FALSE(alone(changed(jwk_of(rsa), "key_ops", boost::json::array{"encrypt"})));
  CHECK(alone(changed(jwk_of(rsa), "key_ops", boost::json::array{"verify"})));
  CHECK_FALSE(alone(changed(jwk_of(rsa), "e", "AQ")));  // 1
  CHECK_FALSE(alone(changed(jwk_of(rsa), "e", "Ag")));  // 2
  CHECK_FALSE(alone(changed(jwk_of(rsa), "e", "")));
  CHECK_FALSE(alone(changed(jwk_of(rsa), "kty", "oct")));
  CHECK_FALSE(alone(jwk_of(make_signer("small", "RS256", 1024))));
  CHECK_FALSE(alone(changed(jwk_of(rsa), "n", boost::json::string(base64url(std::string(1025, '\xff'))))));
  CHECK_FALSE(alone(changed(jwk_of(ec), "crv", "P-384")));
  CHECK_FALSE(alone(
      changed(jwk_of(ec), "x", boost::json::string(base64url(std::string(32, '\1'))))));  // not on the curve
  CHECK_FALSE(alone(object{{"kty", "oct"}, {"k", "c2VjcmV0"}, {"alg", "HS256"}}));
  CHECK_FALSE(KeySet::parse("{}"));
  CHECK_FALSE(KeySet::parse(R"({"keys":[1]})"));
  CHECK_FALSE(KeySet::parse(R"({"keys":[],"keys":[]})"));
  CHECK_FALSE(KeySet::parse("<html>"));
}

TEST_CASE("base64url has one form only") {
  CHECK(*decode_base64url("") == "");
  CHECK(*decode_base64url("-_8") == "\xfb\xff");
  for (const char* bad : {"A", "AB", "-_9", "AA==", "+/8", "A A", "AAAAA"}) {
    INFO(bad);
    CHECK_FALSE(decode_base64url(bad));
  }
  CHECK(*decode_base64url("AA") == std::string(1, '\0'));
}
