#include "tests/aggregator/access/oidc/issuer.h"

#include "tests/support/catch.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <array>

namespace vigil::aggregator::access::oidc {
namespace {

using Number = std::unique_ptr<BIGNUM, tls::Freed<BN_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, tls::Freed<EVP_MD_CTX_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, tls::Freed<ECDSA_SIG_free>>;

constexpr int kCoordinateBytes = 32;

std::string number_at(const EVP_PKEY* key, const char* name) {
  BIGNUM* raw = nullptr;
  REQUIRE(::EVP_PKEY_get_bn_param(key, name, &raw) == 1);
  const Number number(raw);
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(number.get())), '\0');
  ::BN_bn2bin(number.get(), reinterpret_cast<unsigned char*>(bytes.data()));
  return bytes;
}

std::string padded(const BIGNUM* number) {
  std::string bytes(kCoordinateBytes, '\0');
  REQUIRE(::BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), kCoordinateBytes) ==
          kCoordinateBytes);
  return bytes;
}

std::string coordinate_at(const EVP_PKEY* key, const char* name) {
  BIGNUM* raw = nullptr;
  REQUIRE(::EVP_PKEY_get_bn_param(key, name, &raw) == 1);
  const Number number(raw);
  return padded(number.get());
}

std::string raw_signature(std::string_view der) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const EcSignature both(::d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der.size())));
  REQUIRE(both);
  return padded(ECDSA_SIG_get0_r(both.get())) + padded(ECDSA_SIG_get0_s(both.get()));
}

std::string signature_of(const Signer& signer, const std::string& text) {
  const DigestContext context(::EVP_MD_CTX_new());
  const EVP_MD* digest = signer.algorithm == "EdDSA" ? nullptr : ::EVP_sha256();
  EVP_PKEY_CTX* settings = nullptr;
  REQUIRE(::EVP_DigestSignInit(context.get(), &settings, digest, nullptr, signer.key.get()) == 1);
  if (signer.algorithm == "PS256") {
    REQUIRE(::EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1);
    REQUIRE(::EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) == 1);
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t size = 0;
  REQUIRE(::EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) == 1);
  std::string signature(size, '\0');
  REQUIRE(::EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                           text.size()) == 1);
  signature.resize(size);
  return signer.algorithm == "ES256" ? raw_signature(signature) : signature;
}

}  // namespace

std::string base64url(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = (bits << 8 | static_cast<unsigned char>(c)) & 0xFFFF;
    for (count += 8; count >= 6; count -= 6) out += kDigits[bits >> (count - 6) & 63];
  }
  if (count > 0) out += kDigits[bits << (6 - count) & 63];
  return out;
}

Signer make_signer(std::string id, std::string algorithm, unsigned bits) {
  tls::Key key;
  if (algorithm == "ES256") {
    key.reset(::EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  } else if (algorithm == "EdDSA") {
    key.reset(::EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  } else {
    key.reset(::EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<std::size_t>(bits)));
  }
  REQUIRE(key);
  return {std::move(id), std::move(algorithm), std::move(key)};
}

boost::json::object jwk_of(const Signer& signer) {
  boost::json::object jwk{{"use", "sig"}, {"alg", signer.algorithm}};
  if (!signer.id.empty()) jwk["kid"] = signer.id;
  const EVP_PKEY* key = signer.key.get();
  if (signer.algorithm == "ES256") {
    jwk["kty"] = "EC";
    jwk["crv"] = "P-256";
    jwk["x"] = base64url(coordinate_at(key, OSSL_PKEY_PARAM_EC_PUB_X));
    jwk["y"] = base64url(coordinate_at(key, OSSL_PKEY_PARAM_EC_PUB_Y));
  } else if (signer.algorithm == "EdDSA") {
    std::array<unsigned char, kCoordinateBytes> bytes{};
    std::size_t size = bytes.size();
    REQUIRE(::EVP_PKEY_get_raw_public_key(key, bytes.data(), &size) == 1);
    jwk["kty"] = "OKP";
    jwk["crv"] = "Ed25519";
    jwk["x"] = base64url({reinterpret_cast<const char*>(bytes.data()), size});
  } else {
    jwk["kty"] = "RSA";
    jwk["n"] = base64url(number_at(key, OSSL_PKEY_PARAM_RSA_N));
    jwk["e"] = base64url(number_at(key, OSSL_PKEY_PARAM_RSA_E));
  }
  return jwk;
}

std::string jwks_of(const std::vector<const Signer*>& signers) {
  boost::json::array keys;
  for (const Signer* signer : signers) keys.emplace_back(jwk_of(*signer));
  return boost::json::serialize(boost::json::object{{"keys", std::move(keys)}});
}

boost::json::object header_of(const Signer& signer) {
  boost::json::object header{{"alg", signer.algorithm}, {"typ", "JWT"}};
  if (!signer.id.empty()) header["kid"] = signer.id;
  return header;
}

boost::json::object claims_of_alice() {
  return {{"iss", "https://id.example.org"},
          {"aud", "vigil"},
          {"sub", "4711"},
          {"email", "alice@example.org"},
          {"email_verified", true},
          {"groups", boost::json::array{"everybody", "ops"}},
          {"iat", kNow / 1000},
          {"exp", kNow / 1000 + 300}};
}

std::string sign(const Signer& signer, const std::string& header, const std::string& claims) {
  const std::string text = base64url(header) + "." + base64url(claims);
  return text + "." + base64url(signature_of(signer, text));
}

std::string sign_by_secret(const std::string& secret, const std::string& header, const std::string& claims) {
  const std::string text = base64url(header) + "." + base64url(claims);
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  ::HMAC(::EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(), &size);
  return text + "." + base64url({reinterpret_cast<const char*>(mac.data()), size});
}

std::string pem_of(const Signer& signer) {
  const tls::Bio out(::BIO_new(::BIO_s_mem()));
  REQUIRE(::PEM_write_bio_PUBKEY(out.get(), signer.key.get()) == 1);
  return tls::text_of(out.get());
}

OidcConfig config_for_alice() {
  OidcConfig config;
  config.issuer = "https://id.example.org";
  config.client_id = "vigil";
  config.roles = {{"ops", "operator"}, {"everybody", "viewer"}, {"admins", "admin"}};
  return config;
}

FakeIssuer::FakeIssuer() {
  const boost::json::object document{{"issuer", "https://id.example.org"},
                                     {"jwks_uri", url("/keys")},
                                     {"token_endpoint", url("/token")},
                                     {"device_authorization_endpoint", url("/device")}};
  pages[url("/.well-known/openid-configuration")] = {200, boost::json::serialize(document)};
}

std::string FakeIssuer::url(std::string_view path) const {
  return fmt::format("https://id.example.org{}", path);
}

Result<WebReply> FakeIssuer::answer(const WebRequest& request) {
  asked.push_back(request);
  if (is_away) return fail(Errc::unavailable, "{}: Connection refused", request.url);
  const auto found = pages.find(request.url);
  return found == pages.end() ? WebReply{404, ""} : found->second;
}

}  // namespace vigil::aggregator::access::oidc
