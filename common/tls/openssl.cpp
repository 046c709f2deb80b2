#include "common/tls/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>

namespace vigil::tls {

Bio reader(std::string_view text) {
  const char* bytes = text.empty() ? "" : text.data();  // an empty view may hold no pointer
  return Bio(::BIO_new_mem_buf(bytes, static_cast<int>(text.size())));
}

std::string text_of(BIO* written) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(written, &bytes);
  return size > 0 ? std::string(bytes, static_cast<std::size_t>(size)) : std::string();
}

Error openssl_error(Errc code, std::string_view what) {
  const char* reason = ::ERR_reason_error_string(::ERR_peek_last_error());
  Error error = reason == nullptr ? fail(code, "{}", what) : fail(code, "{}: {}", what, reason);
  ::ERR_clear_error();
  return error;
}

namespace {

/// Never asks anybody for a pass phrase: a key that needs one cannot be used.
int no_pass_phrase(char*, int, int, void*) {
  return -1;
}

}  // namespace

Result<Certificate> parse_certificate(std::string_view pem) {
  Certificate certificate(::PEM_read_bio_X509(reader(pem).get(), nullptr, no_pass_phrase, nullptr));
  if (!certificate) return openssl_error(Errc::parse, "this is no certificate in PEM");
  return certificate;
}

Result<Key> parse_key(std::string_view pem) {
  Key key(::PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, no_pass_phrase, nullptr));
  if (!key) return openssl_error(Errc::parse, "this is no private key in PEM, or it has a pass phrase");
  return key;
}

}  // namespace vigil::tls
