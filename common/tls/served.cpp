#include "common/tls/served.h"

#include "common/config/files.h"
#include "common/tls/certificate.h"
#include "common/tls/openssl.h"
#include "common/tls/token.h"

#include <openssl/pem.h>

namespace vigil::tls {
namespace {

/// Nothing but the certificates of a file, which may hold keys, too.
Result<std::string> certificates_in(const std::string& path) {
  const auto text = config::read_certificates(path);
  if (!text) return text.error();
  const auto each = split_certificates(*text);
  if (!each) return fail(each.error().code, "{}: {}", path, each.error().message);
  std::string all;
  for (const std::string& one : *each) all += one;
  return all;
}

/// Nothing but the first private key of a file, which may hold certificates, too.
Result<std::string> key_in(const std::string& path) {
  const auto text = config::read_private_key(path);
  if (!text) return text.error();
  const auto key = parse_key(*text);
  if (!key) return fail(key.error().code, "{}: {}", path, key.error().message);
  const Bio out(::BIO_new(::BIO_s_mem()));
  if (!out || ::PEM_write_bio_PrivateKey(out.get(), key->get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return openssl_error(Errc::internal, path);
  return text_of(out.get());
}

}  // namespace

Result<Served> read_served(const std::string& cert, const std::string& key, const std::string& client_ca) {
  auto certificates = certificates_in(cert);
  if (!certificates) return certificates.error();
  auto own_key = key_in(key);
  if (!own_key) return own_key.error();
  if (auto pair = check_pair(*certificates, *own_key); !pair)
    return fail(pair.error().code, "{} and {}: {}", cert, key, pair.error().message);
  std::string authorities;
  if (!client_ca.empty()) {
    auto read = certificates_in(client_ca);
    if (!read) return read.error();
    authorities = std::move(*read);
  }
  std::string digest = digest_of(*certificates + '\0' + *own_key + '\0' + authorities);
  return Served{std::move(*certificates), std::move(*own_key), std::move(authorities), std::move(digest)};
}

}  // namespace vigil::tls
