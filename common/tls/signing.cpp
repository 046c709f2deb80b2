#include "common/tls/signing.h"

#include "common/tls/certificate.h"
#include "common/tls/openssl.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace vigil::tls {
namespace {

constexpr int kSerialBits = 127;
constexpr int kFewestRsaBits = 2048;
constexpr int kMostRsaBits = 4096;
constexpr int kVersion3 = 2;               // as X.509 counts them
constexpr std::size_t kMaxNameBytes = 64;  // of a common name: RFC 5280, ub-common-name

template <class Write>
Result<std::string> written(std::string_view what, Write write) {
  const Bio out(::BIO_new(::BIO_s_mem()));
  if (!out || write(out.get()) != 1) return openssl_error(Errc::internal, fmt::format("writing {}", what));
  return text_of(out.get());
}

Result<std::string> public_text(EVP_PKEY* key) {
  return written("a public key", [key](BIO* out) { return ::PEM_write_bio_PUBKEY(out, key); });
}

Result<std::string> certificate_text(X509* certificate) {
  return written("a certificate", [certificate](BIO* out) { return ::PEM_write_bio_X509(out, certificate); });
}

/// Which keys a request may bring: none that is weak, and none that is work for us to look at.
bool is_acceptable(EVP_PKEY* key) {
  const int type = ::EVP_PKEY_get_base_id(key);
  if (type == EVP_PKEY_RSA) {
    const int bits = ::EVP_PKEY_get_bits(key);
    return bits >= kFewestRsaBits && bits <= kMostRsaBits;
  }
  if (type != EVP_PKEY_EC) return false;
  std::array<char, 64> curve{};
  // A curve that is written out, not named, is believed by nobody in a certificate.
  if (::EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, curve.data(), curve.size(),
                                       nullptr) != 1 ||
      std::string_view(curve.data()) != OSSL_PKEY_EC_ENCODING_GROUP)
    return false;
  if (::EVP_PKEY_get_group_name(key, curve.data(), curve.size(), nullptr) != 1) return false;
  const std::string_view name = curve.data();
  return name == SN_X9_62_prime256v1 || name == SN_secp384r1;
}

bool set_serial(X509* certificate) {
  const std::unique_ptr<BIGNUM, Freed<BN_free>> number(::BN_new());
  return number != nullptr &&
         ::BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         ::BN_to_ASN1_INTEGER(number.get(), ::X509_get_serialNumber(certificate)) != nullptr;
}

bool set_life(X509* certificate, const Life& life) {
  return ::ASN1_TIME_set(::X509_getm_notBefore(certificate), life.not_before_ms / 1000) != nullptr &&
         ::ASN1_TIME_set(::X509_getm_notAfter(certificate), life.not_after_ms / 1000) != nullptr;
}

/// Cut where it is too long: it is for people.
bool set_name(X509_NAME* name, std::string_view common_name) {
  common_name = common_name.substr(0, kMaxNameBytes);
  return ::X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(common_name.data()),
                                      static_cast<int>(common_name.size()), -1, 0) == 1;
}

/// `value` as in x509v3_config(5): never anything from outside.
bool extend(X509* certificate, X509* signer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  ::X509V3_set_ctx(&context, signer, certificate, nullptr, nullptr, 0);
  const Extension extension(::X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  return extension && ::X509_add_ext(certificate, extension.get(), -1) == 1;
}

/// Takes the string, also when it fails.
bool add_name(GENERAL_NAMES* names, int type, ASN1_STRING* value) {
  GENERAL_NAME* name = value == nullptr ? nullptr : ::GENERAL_NAME_new();
  if (name == nullptr) {
    ::ASN1_STRING_free(value);
    return false;
  }
  ::GENERAL_NAME_set0_value(name, type, value);
  if (sk_GENERAL_NAME_push(names, name) > 0) return true;
  ::GENERAL_NAME_free(name);
  return false;
}

ASN1_STRING* ascii(const std::string& text) {
  ASN1_STRING* out = ::ASN1_IA5STRING_new();
  if (out != nullptr) ::ASN1_STRING_set(out, text.data(), static_cast<int>(text.size()));
  return out;
}

bool is_dns_name(std::string_view text) {
  return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

Result<void> add_alternative_names(X509* certificate, const Subject& subject) {
  const Names names(::GENERAL_NAMES_new());
  for (const std::string& uri : subject.uris) {
    if (!add_name(names.get(), GEN_URI, ascii(uri))) return openssl_error(Errc::internal, uri);
  }
  for (const std::string& host : subject.hosts) {
    ASN1_OCTET_STRING* address = ::a2i_IPADDRESS(host.c_str());
    ::ERR_clear_error();
    if (address == nullptr && !is_dns_name(host))
      return fail(Errc::invalid_argument, "'{}' is neither the name of a host nor an IP address", host);
    const bool added = address != nullptr ? add_name(names.get(), GEN_IPADD, address)
                                          : add_name(names.get(), GEN_DNS, ascii(host));
    if (!added) return openssl_error(Errc::internal, host);
  }
  if (sk_GENERAL_NAME_num(names.get()) == 0) return {};
  if (::X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_APPEND) != 1)
    return openssl_error(Errc::internal, "alternative names of a certificate");
  return {};
}

/// All but who issued it, its extensions and its signature.
Result<Certificate> begin_certificate(EVP_PKEY* key, std::string_view common_name, const Life& life) {
  Certificate made(::X509_new());
  if (made && ::X509_set_version(made.get(), kVersion3) == 1 && set_serial(made.get()) &&
      set_life(made.get(), life) && set_name(::X509_get_subject_name(made.get()), common_name) &&
      ::X509_set_pubkey(made.get(), key) == 1) {
    return made;
  }
  return openssl_error(Errc::internal, "a new certificate");
}

}  // namespace

Result<std::string> make_key() {
  const Key key(::EVP_EC_gen("P-256"));
  if (!key) return openssl_error(Errc::internal, "making a key");
  return written("a key", [&key](BIO* out) {
    return ::PEM_write_bio_PKCS8PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

Result<std::string> make_request(std::string_view key_text, std::string_view common_name) {
  const auto key = parse_key(key_text);
  if (!key) return key.error();
  const Request request(::X509_REQ_new());
  if (!request || !set_name(::X509_REQ_get_subject_name(request.get()), common_name) ||
      ::X509_REQ_set_pubkey(request.get(), key->get()) != 1 ||
      ::X509_REQ_sign(request.get(), key->get(), ::EVP_sha256()) <= 0) {
    return openssl_error(Errc::internal, "making a request for a certificate");
  }
  return written("a request", [&request](BIO* out) { return ::PEM_write_bio_X509_REQ(out, request.get()); });
}

Result<std::string> read_request(std::string_view text) {
  if (text.size() > kMaxRequestBytes)
    return fail(Errc::limit, "the request for a certificate is larger than {} bytes", kMaxRequestBytes);
  const Request request(::PEM_read_bio_X509_REQ(reader(text).get(), nullptr, nullptr, nullptr));
  if (!request) return openssl_error(Errc::parse, "this is no request for a certificate in PEM (PKCS #10)");
  EVP_PKEY* key = ::X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || !is_acceptable(key)) {
    ::ERR_clear_error();
    return fail(
        Errc::parse,
        "the request's key is not of P-256, P-384 or RSA of 2048 to 4096 bits; make one with: openssl "
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256");
  }
  if (::X509_REQ_verify(request.get(), key) != 1) {
    ::ERR_clear_error();
    return fail(Errc::parse, "the request is not signed by its own key");
  }
  return public_text(key);
}

Result<std::string> public_half(std::string_view key_text) {
  const auto key = parse_key(key_text);
  if (!key) return key.error();
  return public_text(key->get());
}

Result<std::string> make_authority(std::string_view key_text, std::string_view common_name,
                                   const Life& life) {
  const auto key = parse_key(key_text);
  if (!key) return key.error();
  auto made = begin_certificate(key->get(), common_name, life);
  if (!made) return made.error();
  X509* certificate = made->get();
  if (::X509_set_issuer_name(certificate, ::X509_get_subject_name(certificate)) != 1 ||
      !extend(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !extend(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !extend(certificate, certificate, NID_subject_key_identifier, "hash") ||
      ::X509_sign(certificate, key->get(), ::EVP_sha256()) <= 0) {
    return openssl_error(Errc::internal, "making the certificate of an authority");
  }
  return certificate_text(certificate);
}

Result<std::string> renew_authority(const Signer& present, const Life& life) {
  if (auto own = check_signed_by(present.certificate, present.certificate); !own) return own.error();
  const auto certificate = parse_certificate(present.certificate);
  if (!certificate) return certificate.error();
  const auto key = parse_key(present.key);
  if (!key) return key.error();
  const Certificate next(::X509_dup(certificate->get()));
  if (!next || !set_serial(next.get()) || !set_life(next.get(), life) ||
      ::X509_sign(next.get(), key->get(), ::EVP_sha256()) <= 0) {
    return openssl_error(Errc::internal, "renewing the certificate of an authority");
  }
  return certificate_text(next.get());
}

Result<std::string> issue(const Signer& signer, std::string_view public_key, const Subject& subject,
                          const Life& life) {
  const auto authority = parse_certificate(signer.certificate);
  if (!authority) return authority.error();
  const auto signing_key = parse_key(signer.key);
  if (!signing_key) return signing_key.error();
  const Key key(::PEM_read_bio_PUBKEY(reader(public_key).get(), nullptr, nullptr, nullptr));
  if (!key) return openssl_error(Errc::parse, "this is no public key in PEM");
  auto made = begin_certificate(key.get(), subject.common_name, life);
  if (!made) return made.error();
  X509* certificate = made->get();
  const char* usage = subject.purpose == Purpose::server ? "serverAuth" : "clientAuth";
  if (::X509_set_issuer_name(certificate, ::X509_get_subject_name(authority->get())) != 1 ||
      !extend(certificate, authority->get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !extend(certificate, authority->get(), NID_key_usage, "critical,digitalSignature") ||
      !extend(certificate, authority->get(), NID_ext_key_usage, usage) ||
      !extend(certificate, authority->get(), NID_subject_key_identifier, "hash") ||
      !extend(certificate, authority->get(), NID_authority_key_identifier, "keyid:always")) {
    return openssl_error(Errc::internal, "making a certificate");
  }
  if (auto named = add_alternative_names(certificate, subject); !named) return named.error();
  if (::X509_sign(certificate, signing_key->get(), ::EVP_sha256()) <= 0)
    return openssl_error(Errc::internal, "signing a certificate");
  return certificate_text(certificate);
}

}  // namespace vigil::tls
