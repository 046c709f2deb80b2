// The HTTP port: Boost.Beast on threads of its own, with limits on sizes, times and connections.
#pragma once

#include "aggregator/access/gatekeeper.h"
#include "aggregator/http/cors.h"
#include "aggregator/http/request_counts.h"
#include "aggregator/http/router.h"
#include "common/error.h"
#include "common/text/address.h"

#include <chrono>
#include <cstddef>
#include <memory>

namespace vigil::aggregator::http {

struct ServerOptions {
  Address listen{"127.0.0.1", 8461};
  std::size_t threads = 1;
  std::size_t body_threads = 1;  // make the pieces of answers that are sent in chunks
  std::size_t max_connections = 256;
  std::uint32_t max_header_bytes = 16 << 10;
  std::chrono::milliseconds request_timeout{10'000};  // to send a request, or to take a piece of a response
  std::chrono::milliseconds idle_timeout{60'000};     // between requests of a connection
  Cors cors = {};
  RequestCounts* counts = nullptr;  // outlives the server; may be null
  /// Who comes in; outlives the server. Null: everybody may everything.
  access::Gatekeeper* gatekeeper = nullptr;
};

class Server {
 public:
  /// Binds at once, so that the address is known; answers from run() on. `router` outlives the server.
  static Result<std::unique_ptr<Server>> listen(const ServerOptions& options, const Router& router);
  /// stop()s.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const Address& address() const;
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
