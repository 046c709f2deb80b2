#include "common/doctor/peer.h"

#include "common/doctor/checks.h"
#include "common/error.h"
#include "common/process/program.h"
#include "common/text/human.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <memory>
#include <string_view>
#include <system_error>

namespace vigil::doctor {
namespace {

using Steady = std::chrono::steady_clock;
using Reached = PeerFacts::Reached;
using std::chrono::milliseconds;

/// A connected socket that blocks no longer than it is given.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

timeval to_timeval(milliseconds time) {
  return {static_cast<time_t>(time.count() / 1000), static_cast<suseconds_t>(time.count() % 1000 * 1000)};
}

/// The connected socket, or -1 with errno.
int connect_to(const addrinfo& at, milliseconds patience) {
  const int fd = ::socket(at.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const timeval limit = to_timeval(patience);  // of connect(2), too: socket(7)
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(fd, at.ai_addr, at.ai_addrlen) == 0) return fd;
  const int error = errno == EINPROGRESS ? ETIMEDOUT : errno;
  ::close(fd);
  errno = error;
  return -1;
}

/// The first of its addresses that answers; -1 with what is wrong in `facts`.
int connect_to_any(const PeerOptions& options, PeerFacts& facts) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(options.address.host.c_str(), std::to_string(options.address.port).c_str(),
                                  &hints, &list);
  if (error != 0) {
    facts.reached = Reached::no_address;
    facts.trouble = fmt::format("{}: {}", options.address.host, ::gai_strerror(error));
    return -1;
  }
  int fd = -1;
  for (const addrinfo* at = list; at != nullptr && fd < 0; at = at->ai_next)
    fd = connect_to(*at, options.patience);
  if (fd < 0) facts.trouble = std::generic_category().message(errno);
  ::freeaddrinfo(list);
  return fd;
}

// RFC 9113, 3.4: what a client says first, with an empty SETTINGS frame; a server answers with SETTINGS.
constexpr std::string_view kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);

Reached judge(std::string_view answer) {
  constexpr char kSettings = 4;
  if (answer.starts_with("HTTP/1.")) return Reached::http1;
  if (answer.size() >= 3 && (answer[0] == 0x15 || answer[0] == 0x16) && answer[1] == 3)
    return Reached::other_tls;
  if (answer.size() >= 4 && answer[3] == kSettings) return Reached::speaks_grpc;
  return Reached::strange;
}

void look_at_plain(int fd, PeerFacts& facts) {
  std::array<char, 64> answer{};
  if (::send(fd, kPreface.data(), kPreface.size(), MSG_NOSIGNAL) < 0) {
    facts.trouble = std::generic_category().message(errno);
    return;
  }
  const ssize_t got = ::recv(fd, answer.data(), answer.size(), 0);
  if (got < 0 && errno != ECONNRESET) {
    facts.trouble = errno == EAGAIN ? "it accepts, and says nothing" : std::generic_category().message(errno);
    return;
  }
  // One who waits for TLS ends such a connection without a word.
  facts.reached = got <= 0 ? Reached::other_tls : judge({answer.data(), static_cast<std::size_t>(got)});
}

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

Owned<BIO> memory_of(const std::string& text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

void trust(SSL_CTX* context, const std::string& ca_pem) {
  if (ca_pem.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return;
  }
  const auto bio = memory_of(ca_pem);
  while (const Owned<X509> authority{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)})
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
}

void show_certificate(SSL_CTX* context, const PeerOptions& options) {
  if (options.cert_pem.empty()) return;
  const auto certificates = memory_of(options.cert_pem);
  const Owned<X509> own(PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr));
  if (own != nullptr) SSL_CTX_use_certificate(context, own.get());
  while (X509* further = PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr))
    SSL_CTX_add_extra_chain_cert(context, further);  // owns it now
  const auto key_text = memory_of(options.key_pem);
  const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
  if (key != nullptr) SSL_CTX_use_PrivateKey(context, key.get());
}

void expect_name(SSL* ssl, const std::string& host) {
  std::array<unsigned char, 16> binary{};
  if (::inet_pton(AF_INET, host.c_str(), binary.data()) == 1 ||
      ::inet_pton(AF_INET6, host.c_str(), binary.data()) == 1) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl, host.c_str());
    SSL_set1_host(ssl, host.c_str());
  }
}

std::string last_tls_error() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "the connection ended" : reason;
}

std::int64_t end_of(const X509* certificate) {
  tm parts{};
  if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1) return 0;
  return static_cast<std::int64_t>(::timegm(&parts)) * 1000;
}

/// A handshake that failed: TLS that does not want us is told from what is no TLS, or says nothing.
void judge_handshake(int kind, PeerFacts& facts) {
  if (kind != SSL_ERROR_SSL) {
    facts.trouble = kind == SSL_ERROR_SYSCALL ? "it ends the connection" : "it accepts, and says nothing";
    return;
  }
  facts.trouble = last_tls_error();
  const bool is_plain = facts.trouble == "wrong version number" || facts.trouble == "packet length too long";
  const bool is_end = facts.trouble == "unexpected eof while reading";
  facts.reached = is_plain ? Reached::other_tls : is_end ? Reached::no_answer : Reached::refused_us;
}

void look_at_tls(int fd, const PeerOptions& options, PeerFacts& facts) {
  const Owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  trust(context.get(), options.ca_pem);
  show_certificate(context.get(), options);
  facts.ours_ends_ms = end_of(SSL_CTX_get0_certificate(context.get()));
  const Owned<SSL> ssl(SSL_new(context.get()));
  // Not SSL_VERIFY_PEER: a certificate that proves nothing is to be looked at, too.
  SSL_set_verify(ssl.get(), SSL_VERIFY_NONE, nullptr);
  expect_name(ssl.get(), options.address.host);
  constexpr std::array<unsigned char, 3> kHttp2 = {2, 'h', '2'};
  SSL_set_alpn_protos(ssl.get(), kHttp2.data(), kHttp2.size());
  SSL_set_fd(ssl.get(), fd);
  ERR_clear_error();
  if (const int done = SSL_connect(ssl.get()); done != 1) {
    judge_handshake(SSL_get_error(ssl.get(), done), facts);
    return;
  }
  const Owned<X509> theirs(SSL_get1_peer_certificate(ssl.get()));
  facts.not_after_ms = end_of(theirs.get());
  if (const long verified = SSL_get_verify_result(ssl.get()); verified != X509_V_OK) {
    facts.reached = Reached::bad_peer;
    facts.trouble = X509_verify_cert_error_string(verified);
    return;
  }
  // With TLS 1.3 a server says only after the handshake what it thinks of our certificate.
  std::array<char, 64> answer{};
  if (SSL_write(ssl.get(), kPreface.data(), static_cast<int>(kPreface.size())) > 0) {
    const int got = SSL_read(ssl.get(), answer.data(), static_cast<int>(answer.size()));
    if (got > 0) {
      facts.reached = judge({answer.data(), static_cast<std::size_t>(got)});
      return;
    }
  }
  facts.reached = Reached::refused_us;
  facts.trouble = last_tls_error();
}

}  // namespace

PeerFacts look_at_peer(const PeerOptions& options) {
  PeerFacts facts;
  facts.address = options.address.to_string();
  facts.is_tls = options.is_tls;
  hold_back_sigpipe();  // OpenSSL writes without MSG_NOSIGNAL
  const auto began = Steady::now();
  const Socket socket(connect_to_any(options, facts));
  if (socket.fd() < 0) return facts;
  if (options.is_tls) {
    look_at_tls(socket.fd(), options, facts);
  } else {
    look_at_plain(socket.fd(), facts);
  }
  facts.took = std::chrono::duration_cast<milliseconds>(Steady::now() - began);
  return facts;
}

namespace {

constexpr std::size_t kMostAnswerBytes = 4096;

std::string ask_plainly(int fd, const std::string& request) {
  std::string answer;
  if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) return answer;
  std::array<char, 1024> piece{};
  while (answer.size() < kMostAnswerBytes) {
    const ssize_t got = ::recv(fd, piece.data(), piece.size(), 0);
    if (got <= 0) break;
    answer.append(piece.data(), static_cast<std::size_t>(got));
  }
  return answer;
}

std::string ask_over_tls(int fd, const std::string& request) {
  std::string answer;
  const Owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return answer;
  const Owned<SSL> ssl(SSL_new(context.get()));
  if (ssl == nullptr) return answer;
  SSL_set_verify(ssl.get(), SSL_VERIFY_NONE, nullptr);
  SSL_set_fd(ssl.get(), fd);
  const bool asked = SSL_connect(ssl.get()) == 1 &&
                     SSL_write(ssl.get(), request.data(), static_cast<int>(request.size())) > 0;
  std::array<char, 1024> piece{};
  while (asked && answer.size() < kMostAnswerBytes) {
    const int got = SSL_read(ssl.get(), piece.data(), static_cast<int>(piece.size()));
    if (got <= 0) break;
    answer.append(piece.data(), static_cast<std::size_t>(got));
  }
  ERR_clear_error();
  return answer;
}

}  // namespace

std::string ask_http(const Address& address, std::string_view path, Spoken spoken, milliseconds patience) {
  hold_back_sigpipe();
  PeerOptions options;
  options.address = address;
  options.patience = patience;
  PeerFacts unused;
  const Socket socket(connect_to_any(options, unused));
  if (socket.fd() < 0) return {};
  const std::string request =
      fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
  return spoken == Spoken::tls ? ask_over_tls(socket.fd(), request) : ask_plainly(socket.fd(), request);
}

namespace {

Finding unreachable(const PeerFacts& facts, std::int64_t now_ms, const std::string& address_key,
                    const std::string& tls_key) {
  const std::string why = facts.trouble.empty() ? "" : ": " + facts.trouble;
  const auto of = [&](std::string_view area, const std::string& seen, std::string fix) {
    return problem(area, facts.address, seen, std::move(fix));
  };
  switch (facts.reached) {
    case Reached::no_address:
      return of("ports", "the name is not known" + why, fmt::format("look at {} and at DNS", address_key));
    case Reached::other_tls:
      return facts.is_tls
                 ? of("ports", "speaks plain text, and TLS is configured here",
                      fmt::format(
                          "start the aggregator anew, if it was given a certificate since (vigil-aggregator "
                          "init, tls.cert); else give it one, or leave out {}",
                          tls_key))
                 : of("ports", "does not speak plain text; it wants TLS, most likely",
                      fmt::format(
                          "a host enrolls with the line that vigil agent invite prints; with certificates of "
                          "your own, set {}",
                          tls_key));
    case Reached::http1:
      return of("ports", "is an HTTP port, not that of gRPC",
                fmt::format("{}: port {}, unless grpc_listen says otherwise", address_key, kGrpcPort));
    case Reached::bad_peer:
      return of("certificates", "its certificate does not prove who it is" + why,
                "the authority's file here must be who signed it, and the name asked for must be one of the "
                "certificate's subjectAltName");
    case Reached::refused_us:
      // Of one that is over TLS says no more than that the connection ended.
      if (facts.ours_ends_ms != 0 && now_ms >= facts.ours_ends_ms)
        return of(
            "certificates",
            fmt::format("it does not take our certificate, which expired at {}",
                        format_rfc3339(facts.ours_ends_ms)),
            fmt::format("another certificate of who signed this one, or enroll again; look at {}", tls_key));
      return of(
          "certificates", "it does not take our certificate, or that we show none" + why,
          fmt::format("a certificate of the aggregator's client_ca, or enrol again; look at {}", tls_key));
    case Reached::strange:
      return of("ports", "something answers that is no aggregator", fmt::format("look at {}", address_key));
    case Reached::no_answer:
    case Reached::speaks_grpc:
      break;
  }
  return of("ports", "nobody answers" + why,
            fmt::format("start the aggregator, look at its grpc_listen, at firewalls between, and at {}",
                        address_key));
}

}  // namespace

Findings check_peer(const PeerFacts& facts, std::int64_t now_ms, const std::string& address_key,
                    const std::string& tls_key) {
  Findings findings;
  if (facts.reached == Reached::speaks_grpc) {
    findings.push_back(ok("ports", facts.address,
                          fmt::format("answers within {}{}", format_age(facts.took),
                                      facts.is_tls ? ", by TLS" : ", in plain text")));
  } else {
    findings.push_back(unreachable(facts, now_ms, address_key, tls_key));
  }
  if (facts.not_after_ms != 0)
    findings.push_back(check_certificate({"the aggregator's", "", "", 0, facts.not_after_ms}, now_ms));
  return findings;
}

}  // namespace vigil::doctor
