#include "aggregator/http/server.h"

#include "aggregator/http/connection.h"

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/strand.hpp>
#include <thread>
#include <vector>

namespace vigil::aggregator::http {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using Code = boost::system::error_code;

Result<Tcp::endpoint> resolve(asio::io_context& context, const Address& address) {
  if (address.host.empty()) return Tcp::endpoint(Tcp::v6(), address.port);  // ":8461": all interfaces
  Code error;
  Tcp::resolver resolver(context);
  const auto found =
      resolver.resolve(address.host, std::to_string(address.port), Tcp::resolver::passive, error);
  if (error || found.empty())
    return fail(Errc::invalid_argument, "cannot resolve {}: {}", address.host, error.message());
  return found.begin()->endpoint();
}

}  // namespace

struct Server::Parts {
  Parts(const ServerOptions& options, const Router& router)
      : shared{options, router, bodies},
        context(static_cast<int>(options.threads)),
        bodies(options.body_threads),
        acceptor(context),
        retry(context),
        look(context) {}

  Result<void> bind() {
    const auto endpoint = resolve(context, shared.options.listen);
    if (!endpoint) return endpoint.error();
    Code error;
    acceptor.open(endpoint->protocol(), error);
    if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error && shared.options.listen.host.empty()) acceptor.set_option(asio::ip::v6_only(false), error);
    if (!error) acceptor.bind(*endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      const Errc code = error == boost::system::errc::address_in_use ? Errc::conflict : Errc::io;
      return fail(code, "cannot listen on {} for HTTP: {}", shared.options.listen.to_string(),
                  error.message());
    }
    bound = shared.options.listen;
    bound.port = acceptor.local_endpoint().port();
    return {};
  }

  void accept() {
    acceptor.async_accept(asio::make_strand(context), [this](Code error, Tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (!error) {
        if (shared.options.tally != nullptr) shared.options.tally->accepted();
        take(std::move(socket));
        return accept();
      }
      // Out of descriptors, most likely: trying again at once would burn the CPU.
      if (shared.options.tally != nullptr) shared.options.tally->stuck(error.message());
      retry.expires_after(std::chrono::seconds(1));
      retry.async_wait([this](Code stopped) {
        if (!stopped) accept();
      });
    });
  }

  void take(Tcp::socket socket) {
    Code error;
    const auto peer = socket.remote_endpoint(error);
    if (error) return;  // left already
    Arrival arrival{peer.address().to_string(), peer.port(), {}, 0};
    arrival.source = access::source_of(arrival.address);
    const auto guest = std::make_shared<std::weak_ptr<Connection>>();
    const auto entered = shared.roster.enter(arrival.source, steady_ms(), [guest] {
      if (const auto connection = guest->lock()) connection->make_room();
    });
    if (const auto* why = std::get_if<door::Refusal>(&entered)) {
      if (shared.options.tally != nullptr) shared.options.tally->refused(*why, arrival.source, steady_ms());
      return turn_away(std::move(socket));
    }
    arrival.place = std::get<door::Roster::Id>(entered);
    if (shared.options.tally != nullptr) shared.options.tally->connected(shared.roster.size());
    const auto connection = std::make_shared<Connection>(std::move(socket), std::move(arrival),
                                                         tls ? tls->current() : nullptr, shared);
    *guest = connection;
    connection->start();
  }

  /// One word in plain text costs nothing; over TLS a handshake would be what is refused.
  void turn_away(Tcp::socket socket) const {
    static constexpr std::string_view kAnswer =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 21\r\n"
        "Connection: close\r\n\r\ntoo many connections\n";
    if (tls) return;
    Code ignored;
    socket.non_blocking(true, ignored);
    socket.send(asio::buffer(kAnswer), 0, ignored);
    socket.shutdown(Tcp::socket::shutdown_send, ignored);
  }

  void look_at_certificates() {
    if (!tls) return;
    look.expires_after(tls->look_every());
    look.async_wait([this](Code stopped) {
      if (stopped) return;
      tls->look();
      look_at_certificates();
    });
  }

  // What waits in the next two when they end holds connections, which look at this.
  std::unique_ptr<TlsContexts> tls;  // null: plain text
  Shared shared;
  asio::io_context context;
  asio::thread_pool bodies;
  Tcp::acceptor acceptor;
  asio::steady_timer retry;
  asio::steady_timer look;
  Address bound;
  std::vector<std::thread> threads;
};

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() {
  stop();
}

Result<std::unique_ptr<Server>> Server::listen(const ServerOptions& options, const Router& router) {
  auto parts = std::make_unique<Parts>(options, router);
  if (options.tls) {
    auto tls = TlsContexts::open(*options.tls);
    if (!tls) return tls.error();
    parts->tls = std::move(*tls);
  }
  if (auto bound = parts->bind(); !bound) return bound.error();
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

const Address& Server::address() const {
  return parts_->bound;
}

bool Server::is_tls() const {
  return parts_->tls != nullptr;
}

void Server::run() {
  parts_->accept();
  parts_->look_at_certificates();
  for (std::size_t i = 0; i < parts_->shared.options.threads; ++i) {
    parts_->threads.emplace_back([this] { parts_->context.run(); });
  }
}

void Server::stop() {
  {
    const std::lock_guard lock(parts_->shared.gate->mutex);
    parts_->shared.gate->is_open = false;
  }
  parts_->context.stop();
  for (std::thread& thread : parts_->threads) {
    if (thread.joinable()) thread.join();
  }
  parts_->threads.clear();
  parts_->bodies.stop();
  parts_->bodies.join();
}

}  // namespace vigil::aggregator::http
