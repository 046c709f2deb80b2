#include "aggregator/access/oidc/keys.h"

#include "aggregator/access/oidc/encoding.h"
#include "common/text/base64.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>

namespace vigil::aggregator::access::oidc {
namespace {

constexpr std::size_t kMostKeys = 100;
constexpr int kLeastRsaBits = 2048;  // RFC 7518, section 3.3
constexpr int kMostRsaBits = 8192;   // looking at a signature takes longer with each bit
constexpr std::size_t kMostExponentBytes = 4;
constexpr std::size_t kCoordinateBytes = 32;  // of P-256 and Ed25519

using Number = std::unique_ptr<BIGNUM, tls::Freed<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, tls::Freed<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, tls::Freed<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, tls::Freed<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, tls::Freed<EVP_MD_CTX_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, tls::Freed<ECDSA_SIG_free>>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Number number_of(std::string_view bytes) {
  return Number(::BN_bin2bn(bytes_of(bytes), static_cast<int>(bytes.size()), nullptr));
}

/// The decoded value at `name`; "" where it is missing or no base64url.
std::string bytes_at(const boost::json::object& jwk, std::string_view name) {
  auto bytes = decode_base64url(text_in(jwk, name));
  return bytes ? std::move(*bytes) : std::string();
}

tls::Key make_key(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(::OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(::EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || ::EVP_PKEY_fromdata_init(context.get()) != 1 ||
      ::EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
    return nullptr;
  return tls::Key(key);
}

tls::Key read_rsa(const boost::json::object& jwk) {
  const std::string modulus = bytes_at(jwk, "n");
  const std::string exponent = bytes_at(jwk, "e");
  if (modulus.size() > kMostRsaBits / 8 || exponent.size() > kMostExponentBytes) return nullptr;
  const Number n = number_of(modulus);
  const Number e = number_of(exponent);
  if (!n || !e || ::BN_num_bits(n.get()) < kLeastRsaBits || ::BN_is_odd(e.get()) == 0 ||
      ::BN_is_one(e.get()) == 1)
    return nullptr;
  const Builder builder(::OSSL_PARAM_BLD_new());
  if (!builder || ::OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      ::OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
    return nullptr;
  return make_key("RSA", builder.get());
}

tls::Key read_ec(const boost::json::object& jwk) {
  const std::string x = bytes_at(jwk, "x");
  const std::string y = bytes_at(jwk, "y");
  if (text_in(jwk, "crv") != "P-256" || x.size() != kCoordinateBytes || y.size() != kCoordinateBytes)
    return nullptr;
  const std::string point = "\x04" + x + y;  // uncompressed: SEC 1, 2.3.3
  const Builder builder(::OSSL_PARAM_BLD_new());
  if (!builder ||
      ::OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1, 0) !=
          1 ||
      ::OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size()) != 1)
    return nullptr;
  tls::Key key = make_key("EC", builder.get());
  const KeyContext check(key ? ::EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr) : nullptr);
  if (!check || ::EVP_PKEY_public_check(check.get()) != 1) return nullptr;  // the point lies on the curve
  return key;
}

tls::Key read_ed25519(const boost::json::object& jwk) {
  const std::string x = bytes_at(jwk, "x");
  if (text_in(jwk, "crv") != "Ed25519" || x.size() != kCoordinateBytes) return nullptr;
  return tls::Key(::EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(x), x.size()));
}

bool signs(const boost::json::object& jwk) {
  if (const std::string use = text_in(jwk, "use"); !use.empty() && use != "sig") return false;
  const auto* operations = jwk.if_contains("key_ops");
  if (operations == nullptr) return true;
  if (!operations->is_array()) return false;
  return std::ranges::any_of(operations->get_array(), [](const boost::json::value& each) {
    return each.is_string() && each.get_string() == "verify";
  });
}

int kind_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::rs256:
    case Algorithm::ps256:
      return EVP_PKEY_RSA;
    case Algorithm::es256:
      return EVP_PKEY_EC;
    case Algorithm::eddsa:
      break;
  }
  return EVP_PKEY_ED25519;
}

/// R and S, one behind the other (RFC 7518, section 3.4), as OpenSSL wants them; "" where they are not that.
std::string der_of(std::string_view signature) {
  if (signature.size() != 2 * kCoordinateBytes) return {};
  const EcSignature both(::ECDSA_SIG_new());
  Number r = number_of(signature.substr(0, kCoordinateBytes));
  Number s = number_of(signature.substr(kCoordinateBytes));
  if (!both || !r || !s || ::ECDSA_SIG_set0(both.get(), r.get(), s.get()) != 1) return {};
  (void)r.release();  // they are the signature's now
  (void)s.release();
  unsigned char* der = nullptr;
  const int size = ::i2d_ECDSA_SIG(both.get(), &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  ::OPENSSL_free(der);
  return out;
}

bool is_signed_by(EVP_PKEY* key, const Jwt& jwt) {
  const DigestContext context(::EVP_MD_CTX_new());
  const EVP_MD* digest = jwt.algorithm == Algorithm::eddsa ? nullptr : ::EVP_sha256();
  EVP_PKEY_CTX* settings = nullptr;  // the digest context's
  if (!context || ::EVP_DigestVerifyInit(context.get(), &settings, digest, nullptr, key) != 1) return false;
  if (jwt.algorithm == Algorithm::ps256 &&
      (::EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) != 1 ||
       ::EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) != 1))
    return false;
  const std::string signature = jwt.algorithm == Algorithm::es256 ? der_of(jwt.signature) : jwt.signature;
  if (signature.empty()) return false;
  return ::EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(jwt.signed_part),
                            jwt.signed_part.size()) == 1;
}

}  // namespace

std::optional<KeySet::SigningKey> KeySet::read_key(const boost::json::object& jwk) {
  if (!signs(jwk)) return std::nullopt;
  const std::string type = text_in(jwk, "kty");
  SigningKey key{text_in(jwk, "kid"), text_in(jwk, "alg"), nullptr};
  if (type == "RSA") key.key = read_rsa(jwk);
  if (type == "EC") key.key = read_ec(jwk);
  if (type == "OKP") key.key = read_ed25519(jwk);
  if (!key.key) return std::nullopt;
  return key;
}

Result<KeySet> KeySet::parse(std::string_view jwks) {
  const auto document = parse_strictly(jwks);
  if (!document) return fail(Errc::parse, "the issuer's keys are {}", document.error().message);
  const auto* keys = document->if_contains("keys");
  if (keys == nullptr || !keys->is_array())
    return fail(Errc::parse, "the issuer's keys lack the list `keys`");
  if (keys->get_array().size() > kMostKeys)
    return fail(Errc::limit, "the issuer has more than {} keys", kMostKeys);
  KeySet set;
  for (const boost::json::value& each : keys->get_array()) {
    if (!each.is_object()) return fail(Errc::parse, "one of the issuer's keys is no JSON object");
    if (auto key = read_key(each.get_object())) set.keys_.push_back(std::move(*key));
  }
  (void)tls::openssl_error(Errc::parse, "");  // what was left out leaves nothing in OpenSSL's queue
  if (set.keys_.empty())
    return fail(Errc::parse, "none of the issuer's keys signs: RSA of 2048 bits, P-256 or Ed25519 is needed");
  return set;
}

KeySet::Outcome KeySet::verify(const Jwt& jwt) const {
  std::vector<EVP_PKEY*> fitting;
  for (const SigningKey& each : keys_) {
    if (!jwt.key_id.empty() && each.id != jwt.key_id) continue;
    if (!each.algorithm.empty() && each.algorithm != to_string(jwt.algorithm)) continue;
    if (::EVP_PKEY_get_base_id(each.key.get()) == kind_of(jwt.algorithm)) fitting.push_back(each.key.get());
  }
  const bool is_named =
      std::ranges::any_of(keys_, [&jwt](const SigningKey& each) { return each.id == jwt.key_id; });
  if (fitting.empty()) return is_named && !jwt.key_id.empty() ? Outcome::wrong : Outcome::unknown_key;
  if (jwt.key_id.empty() && fitting.size() > 1) return Outcome::wrong;
  const bool is_right =
      std::ranges::any_of(fitting, [&jwt](EVP_PKEY* key) { return is_signed_by(key, jwt); });
  (void)tls::openssl_error(Errc::parse, "");  // nor does a wrong signature
  return is_right ? Outcome::right : Outcome::wrong;
}

}  // namespace vigil::aggregator::access::oidc
