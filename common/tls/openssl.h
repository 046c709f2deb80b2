// OpenSSL's objects as owners, and its errors as ours. Only for sources of this folder and those that speak
// TLS themselves.
#pragma once

#include "common/error.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

namespace vigil::tls {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Request = std::unique_ptr<X509_REQ, Freed<X509_REQ_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

/// A view for OpenSSL to read from; the text outlives it.
Bio reader(std::string_view text);
std::string text_of(BIO* written);

/// The first one of a PEM text. Errc::parse says what was expected.
Result<Certificate> parse_certificate(std::string_view pem);
Result<Key> parse_key(std::string_view pem);

/// "what: reason", with the latest reason OpenSSL gives, whose queue is empty then.
Error openssl_error(Errc code, std::string_view what);

}  // namespace vigil::tls
