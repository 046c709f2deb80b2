// A connection's bytes, plain or over TLS: what Beast reads from and writes to. One branch a call, no virtual
// functions.
#pragma once

#include "aggregator/http/tls.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <chrono>
#include <optional>
#include <utility>

namespace vigil::aggregator::http {

/// Its strand's only.
class Stream {
 public:
  using Tcp = boost::asio::ip::tcp;
  using Code = boost::system::error_code;
  using executor_type = boost::beast::tcp_stream::executor_type;

  /// `tls` null: plain.
  Stream(Tcp::socket socket, TlsContext tls) : tcp_(std::move(socket)), context_(std::move(tls)) {
    if (context_) tls_.emplace(tcp_, *context_);
  }

  executor_type get_executor() { return tcp_.get_executor(); }
  Tcp::socket& socket() { return tcp_.socket(); }
  bool is_tls() const { return tls_.has_value(); }

  /// Of TLS only, before anything else.
  template <class Handler>
  void async_handshake(Handler&& handler) {
    tls_->async_handshake(boost::asio::ssl::stream_base::server, std::forward<Handler>(handler));
  }
  std::optional<ShownCertificate> shown() {
    return tls_ ? certificate_of(tls_->native_handle()) : std::nullopt;
  }

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (tls_) return tls_->async_read_some(buffers, std::forward<Handler>(handler));
    tcp_.async_read_some(buffers, std::forward<Handler>(handler));
  }
  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (tls_) return tls_->async_write_some(buffers, std::forward<Handler>(handler));
    tcp_.async_write_some(buffers, std::forward<Handler>(handler));
  }
  /// What is below TLS, for who only throws away what comes.
  boost::beast::tcp_stream& below() { return tcp_; }

  /// Tells the client that nothing more comes. Its own end is waited for over TLS.
  template <class Handler>
  void async_end(Handler&& handler) {
    if (tls_) return tls_->async_shutdown(std::forward<Handler>(handler));
    Code ignored;
    tcp_.socket().shutdown(Tcp::socket::shutdown_send, ignored);
    boost::asio::post(get_executor(),
                      [handler = std::forward<Handler>(handler)]() mutable { handler(Code()); });
  }

  void expires_after(std::chrono::milliseconds time) { tcp_.expires_after(time); }
  void expires_never() { tcp_.expires_never(); }
  void cancel() { tcp_.cancel(); }
  void close() { tcp_.close(); }

 private:
  boost::beast::tcp_stream tcp_;
  const TlsContext context_;
  std::optional<boost::beast::ssl_stream<boost::beast::tcp_stream&>> tls_;
};

}  // namespace vigil::aggregator::http
