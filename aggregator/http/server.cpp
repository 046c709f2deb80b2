#include "aggregator/http/server.h"

#include "common/log/log.h"

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <thread>
#include <vector>

namespace vigil::aggregator::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Tcp = asio::ip::tcp;
using Code = boost::system::error_code;

struct Shared {
  const ServerOptions options;
  const Router& router;
  std::atomic<std::size_t> connections = 0;
};

/// One connection. Owns itself: it lives as long as one of its operations is pending.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Tcp::socket socket, Shared& shared) : shared_(shared), stream_(std::move(socket)) {
    ++shared_.connections;
  }
  ~Connection() { --shared_.connections; }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start() {
    if (shared_.connections > shared_.options.max_connections) {
      return respond(error_response(503, "unavailable", "too many connections"), 11, beast::http::verb::get);
    }
    read(shared_.options.request_timeout);
  }

 private:
  void read(std::chrono::milliseconds timeout) {
    parser_.emplace();
    parser_->header_limit(shared_.options.max_header_bytes);
    parser_->body_limit(shared_.options.max_body_bytes);
    stream_.expires_after(timeout);
    beast::http::async_read(stream_, buffer_, *parser_,
                            [self = shared_from_this()](Code error, std::size_t) { self->on_read(error); });
  }

  void on_read(Code error) {
    namespace http = beast::http;
    if (error == http::error::body_limit) return refuse(413, "the body is too large");
    if (error == http::error::header_limit) return refuse(431, "the header is too large");
    if (error && error.category() == http::make_error_code(http::error::end_of_stream).category() &&
        error != http::error::end_of_stream && error != http::error::partial_message) {
      return refuse(400, error.message());
    }
    if (error) return close();
    const auto message = parser_->release();
    keep_ = message.keep_alive();
    respond(answer(message), message.version(), message.method());
  }

  Response answer(const beast::http::request<beast::http::string_body>& message) const {
    const auto method = message.method_string();
    const auto target = message.target();
    auto request = parse_target({method.data(), method.size()}, {target.data(), target.size()});
    if (!request) return error_response(request.error());
    request->body = message.body();
    if (message[beast::http::field::content_type].starts_with("application/x-www-form-urlencoded")) {
      add_query(*request, request->body);
    }
    return shared_.router.answer(*request);
  }

  void refuse(unsigned status, std::string_view message) {
    keep_ = false;
    respond(error_response(status, "bad_data", message), 11, beast::http::verb::get);
  }

  void respond(Response response, unsigned version, beast::http::verb method) {
    namespace http = beast::http;
    response_.emplace(static_cast<http::status>(response.status), version);
    response_->set(http::field::content_type, response.content_type);
    response_->set("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : response.headers) response_->set(name, value);
    response_->keep_alive(keep_);
    const std::size_t length = response.body.size();
    if (method != http::verb::head) response_->body() = std::move(response.body);
    response_->content_length(length);
    stream_.expires_after(shared_.options.request_timeout);
    const auto done = [self = shared_from_this()](Code error, std::size_t) {
      if (error || !self->keep_) return self->close();
      self->read(self->shared_.options.idle_timeout);
    };
    serializer_.emplace(*response_);
    if (method == http::verb::head) return http::async_write_header(stream_, *serializer_, done);
    http::async_write(stream_, *serializer_, done);
  }

  void close() {
    Code ignored;
    stream_.socket().shutdown(Tcp::socket::shutdown_send, ignored);
    stream_.close();
  }

  Shared& shared_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<beast::http::request_parser<beast::http::string_body>> parser_;
  std::optional<beast::http::response<beast::http::string_body>> response_;
  std::optional<beast::http::response_serializer<beast::http::string_body>> serializer_;
  bool keep_ = false;
};

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
      : shared{options, router},
        context(static_cast<int>(options.threads)),
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

  Shared shared;
  asio::io_context context;
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
  parts_->context.stop();
  for (std::thread& thread : parts_->threads) {
    if (thread.joinable()) thread.join();
  }
  parts_->threads.clear();
}

}  // namespace vigil::aggregator::http
