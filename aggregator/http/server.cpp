#include "aggregator/http/server.h"

#include "aggregator/http/connection.h"
#include "common/log/log.h"

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
        retry(context) {}

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
        std::make_shared<Connection>(std::move(socket), shared)->start();
        return accept();
      }
      // Out of descriptors, most likely: trying again at once would burn the CPU.
      log::warn("http", "cannot accept", {{"error", error.message()}});
      retry.expires_after(std::chrono::seconds(1));
      retry.async_wait([this](Code stopped) {
        if (!stopped) accept();
      });
    });
  }

  // What waits in the next two when they end holds connections, which look at this.
  Shared shared;
  asio::io_context context;
  asio::thread_pool bodies;
  Tcp::acceptor acceptor;
  asio::steady_timer retry;
  Address bound;
  std::vector<std::thread> threads;
};

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() {
  stop();
}

Result<std::unique_ptr<Server>> Server::listen(const ServerOptions& options, const Router& router) {
  auto parts = std::make_unique<Parts>(options, router);
  if (auto bound = parts->bind(); !bound) return bound.error();
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

const Address& Server::address() const {
  return parts_->bound;
}

void Server::run() {
  parts_->accept();
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
