#include "agent/enrolment/handshake.h"

#include "common/tls/openssl.h"

#include <netdb.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

namespace vigil::agent {
namespace {

using Context = std::unique_ptr<SSL_CTX, tls::Freed<SSL_CTX_free>>;
using Conversation = std::unique_ptr<SSL, tls::Freed<SSL_free>>;

constexpr std::array<unsigned char, 3> kHttp2 = {2, 'h', '2'};  // as ALPN has it

class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

std::string reason(int error_number) {
  if (error_number == EINPROGRESS || error_number == EAGAIN) return "no answer in time";
  return std::generic_category().message(error_number);
}

/// The first address that takes a connection. Reads and writes wait at most `patience`, and so does the
/// connection (socket(7), SO_SNDTIMEO).
Result<Socket> connect_to(const Address& address, std::chrono::milliseconds patience) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error =
          ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
      error != 0)
    return fail(Errc::unavailable, "{}: {}", address.to_string(), ::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, &::freeaddrinfo);
  const timeval limit{static_cast<time_t>(patience.count() / 1000),
                      static_cast<suseconds_t>(patience.count() % 1000 * 1000)};
  int failure = EADDRNOTAVAIL;
  for (const addrinfo* one = all.get(); one != nullptr; one = one->ai_next) {
    Socket socket(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (socket.descriptor() < 0) continue;
    ::setsockopt(socket.descriptor(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket.descriptor(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (::connect(socket.descriptor(), one->ai_addr, one->ai_addrlen) == 0) return socket;
    failure = errno;
  }
  return fail(Errc::unavailable, "no aggregator answers at {}: {}", address.to_string(), reason(failure));
}

Result<std::vector<std::string>> certificates_of(const SSL* conversation) {
  std::vector<std::string> out;
  const STACK_OF(X509)* chain = ::SSL_get_peer_cert_chain(conversation);
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i) {
    const tls::Bio written(::BIO_new(::BIO_s_mem()));
    if (::PEM_write_bio_X509(written.get(), sk_X509_value(chain, i)) != 1)
      return tls::openssl_error(Errc::internal, "writing a certificate");
    out.push_back(tls::text_of(written.get()));
  }
  return out;
}

}  // namespace

Result<std::vector<std::string>> shown_certificates(const Address& address,
                                                    std::chrono::milliseconds patience) {
  const auto socket = connect_to(address, patience);
  if (!socket) return socket.error();
  const Context context(::SSL_CTX_new(::TLS_client_method()));
  if (!context || ::SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1)
    return tls::openssl_error(Errc::internal, "TLS");
  ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);  // that is the caller's part
  const Conversation conversation(::SSL_new(context.get()));
  if (!conversation || ::SSL_set_fd(conversation.get(), socket->descriptor()) != 1 ||
      ::SSL_set_alpn_protos(conversation.get(), kHttp2.data(), kHttp2.size()) != 0) {
    return tls::openssl_error(Errc::internal, "TLS");
  }
  ::SSL_set_tlsext_host_name(conversation.get(), address.host.c_str());
  if (::SSL_connect(conversation.get()) != 1) {
    return tls::openssl_error(
        Errc::unavailable,
        fmt::format(
            "{} does not speak TLS 1.3, which it does once vigil-aggregator init was run there and the "
            "aggregator started anew",
            address.to_string()));
  }
  return certificates_of(conversation.get());
}

}  // namespace vigil::agent
