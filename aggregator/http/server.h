// The HTTP port: Boost.Beast on threads of its own, with limits on sizes, times and connections.
#pragma once

#include "aggregator/access/gatekeeper.h"
#include "aggregator/door/roster.h"
#include "aggregator/door/tally.h"
#include "aggregator/http/cors.h"
#include "aggregator/http/request_counts.h"
#include "aggregator/http/router.h"
#include "aggregator/http/tls.h"
#include "common/error.h"
#include "common/text/address.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::aggregator::http {

struct ServerOptions {
  Address listen{"127.0.0.1", 8461};
  std::size_t threads = 1;
  std::size_t body_threads = 1;  // make the pieces of answers that are sent in chunks
  door::Limits limits = {};
  std::uint32_t max_header_bytes = 16 << 10;
  std::chrono::milliseconds header_timeout{10'000};  // for the handshake of TLS, and for a header
  std::chrono::milliseconds body_timeout{10'000};    // for a body, and what it takes at the least rate
  std::uint64_t least_rate = 16 << 10;               // bytes of a body a second
  std::chrono::milliseconds answer_timeout{10'000};  // to take an answer, or a piece of it
  std::chrono::milliseconds idle_timeout{60'000};    // between requests of a connection
  Cors cors = {};
  RequestCounts* counts = nullptr;  // outlives the server; may be null
  /// Who comes in; outlives the server. Null: everybody may everything.
  access::Gatekeeper* gatekeeper = nullptr;
  door::Tally* tally = nullptr;                // outlives the server; may be null
  std::optional<TlsFiles> tls = std::nullopt;  // nothing: plain text
  /// Whether a client's certificate, in PEM, is still good for asking for a path; before the gatekeeper is
  /// asked. Any thread; may be empty.
  std::function<Result<void>(const std::string& certificate, std::string_view path)> may_ask = {};
};

class Server {
 public:
  /// Binds at once, so that the address is known; answers from run() on. `router` outlives the server. Errors
  /// name the address, or the file with a certificate.
  static Result<std::unique_ptr<Server>> listen(const ServerOptions& options, const Router& router);
  /// stop()s.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const Address& address() const;
  bool is_tls() const;
  void run();
  /// Closes all connections and ends the threads. Answers that come afterwards find nobody; a Responder may
  /// outlive the server.
  void stop();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace vigil::aggregator::http
