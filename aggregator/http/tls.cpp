#include "aggregator/http/tls.h"

#include "common/log/log.h"
#include "common/tls/certificate.h"
#include "common/tls/openssl.h"
#include "common/tls/served.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <string_view>
#include <utility>

namespace vigil::aggregator::http {
namespace {

namespace ssl = boost::asio::ssl;
using Code = boost::system::error_code;

/// HTTP/1.1 where a client asks for it; who asks only for others gets it all the same.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes,
                    const unsigned char* offered, unsigned offered_bytes, void*) {
  static constexpr std::string_view kHttp = "http/1.1";
  const std::string_view all(reinterpret_cast<const char*>(offered), offered_bytes);
  for (std::size_t at = 0; at < all.size(); at += 1 + static_cast<unsigned char>(all[at])) {
    if (all.substr(at + 1, static_cast<unsigned char>(all[at])) != kHttp) continue;
    *chosen = offered + at + 1;
    *chosen_bytes = static_cast<unsigned char>(kHttp.size());
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

/// Who shows a certificate must have one of these; browsers offer theirs only if it is.
Result<void> ask_for_certificates(ssl::context& context, const std::string& authorities) {
  Code error;
  context.add_certificate_authority(boost::asio::buffer(authorities), error);
  if (!error) context.set_verify_mode(ssl::verify_peer, error);
  if (error) return fail(Errc::parse, "{}", error.message());
  const auto each = tls::split_certificates(authorities);
  if (!each) return each.error();
  for (const std::string& pem : *each) {
    const auto authority = tls::parse_certificate(pem);
    if (!authority) return authority.error();
    ::SSL_CTX_add_client_CA(context.native_handle(), authority->get());
  }
  return {};
}

Result<TlsContext> make_context(const std::string& cert, const std::string& key) {
  auto context = std::make_shared<ssl::context>(ssl::context::tlsv13_server);
  SSL_CTX* handle = context->native_handle();
  ::SSL_CTX_set_min_proto_version(handle, TLS1_3_VERSION);
  // Nothing is resumed: who comes again shows again who he is, and no ticket outlives a key.
  ::SSL_CTX_set_options(handle, SSL_OP_NO_TICKET);
  ::SSL_CTX_set_num_tickets(handle, 0);
  ::SSL_CTX_set_session_cache_mode(handle, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_mode(handle, SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_alpn_select_cb(handle, choose_protocol, nullptr);
  Code error;
  context->use_certificate_chain(boost::asio::buffer(cert), error);
  if (error) return fail(Errc::parse, "{}", error.message());
  context->use_private_key(boost::asio::buffer(key), ssl::context::pem, error);
  if (error) return fail(Errc::parse, "{}", error.message());
  return context;
}

}  // namespace

/// Without a context when the files are those of `known_digest`.
Result<TlsContexts::Read> TlsContexts::read(const TlsFiles& files, const std::string& known_digest) {
  auto served = tls::read_served(files.cert, files.key, files.client_ca);
  if (!served) return served.error();
  if (served->digest == known_digest) return Read{nullptr, std::move(served->digest)};
  auto context = make_context(served->certificates, served->key);
  if (!context)
    return fail(context.error().code, "{} and {}: {}", files.cert, files.key, context.error().message);
  if (!served->authorities.empty()) {
    if (auto asked = ask_for_certificates(**context, served->authorities); !asked)
      return fail(asked.error().code, "{}: {}", files.client_ca, asked.error().message);
  }
  return Read{std::move(*context), std::move(served->digest)};
}

Result<std::unique_ptr<TlsContexts>> TlsContexts::open(TlsFiles files) {
  std::unique_ptr<TlsContexts> opened(new TlsContexts(std::move(files)));
  auto read = TlsContexts::read(opened->files_, {});
  if (!read) return read.error();
  opened->digest_ = std::move(read->digest);
  opened->current_ = std::move(read->context);
  return opened;
}

TlsContext TlsContexts::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void TlsContexts::look() {
  auto found = read(files_, digest_);
  if (!found) {
    if (found.error().message != trouble_)
      log::warn("http", "the certificate files cannot be used, those from before go on",
                {{"error", found.error()}});
    trouble_ = found.error().message;
    return;
  }
  trouble_.clear();
  digest_ = std::move(found->digest);
  if (!found->context) return;
  {
    const std::lock_guard lock(mutex_);
    current_ = std::move(found->context);
  }
  log::info("http", "new certificate taken", {{"file", files_.cert}});
}

std::optional<ShownCertificate> certificate_of(SSL* connection) {
  const tls::Certificate shown(::SSL_get1_peer_certificate(connection));
  if (!shown) return std::nullopt;
  const tls::Bio written(::BIO_new(::BIO_s_mem()));
  if (!written || ::PEM_write_bio_X509(written.get(), shown.get()) != 1) return std::nullopt;
  ShownCertificate certificate{tls::text_of(written.get()), {}};
  auto info = tls::read_certificate(certificate.pem);
  if (!info) return std::nullopt;
  certificate.names = {std::move(info->common_name), std::move(info->uris)};
  return certificate;
}

}  // namespace vigil::aggregator::http
