// A connection's bytes, plain or over TLS: what Beast reads from and writes to.
//
// Plain text goes to the socket as it is. TLS has one form of each operation, for one buffer and a handler
// whose type is forgotten: every other form would be compiled for everything that reads or writes.
#pragma once

#include "aggregator/http/tls.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace vigil::aggregator::http {

/// Its strand's only.
class Stream {
 public:
  using Tcp = boost::asio::ip::tcp;
  using Code = boost::system::error_code;
  using Done = std::function<void(Code, std::size_t)>;
  using executor_type = boost::beast::tcp_stream::executor_type;

  /// `tls` null: plain.
  Stream(Tcp::socket socket, const TlsContext& tls);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  executor_type get_executor() { return tcp_.get_executor(); }
  Tcp::socket& socket() { return tcp_.socket(); }
  bool is_tls() const { return tls_ != nullptr; }

  /// Of TLS only, before anything else.
  void async_handshake(std::function<void(Code)> done);
  std::optional<ShownCertificate> shown() const;

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (tls_) return read_tls(first_of(buffers), forgotten(std::forward<Handler>(handler)));
    tcp_.async_read_some(buffers, std::forward<Handler>(handler));
  }
  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (tls_) return write_tls(joined(buffers), forgotten(std::forward<Handler>(handler)));
    tcp_.async_write_some(buffers, std::forward<Handler>(handler));
  }
  /// What is below TLS, for who only throws away what comes.
  boost::beast::tcp_stream& below() { return tcp_; }

  /// Tells the client that nothing more comes. Its own end is waited for over TLS.
  void async_end(std::function<void(Code)> done);

  void expires_after(std::chrono::milliseconds time) { tcp_.expires_after(time); }
  void expires_never() { tcp_.expires_never(); }
  void cancel() { tcp_.cancel(); }
  void close() { tcp_.close(); }

 private:
  struct Tls;
  void read_tls(boost::asio::mutable_buffer buffer, Done done);
  void write_tls(boost::asio::const_buffer buffer, Done done);

  template <class Handler>
  static Done forgotten(Handler&& handler) {
    auto kept = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
    return [kept = std::move(kept)](Code error, std::size_t bytes) {
      auto called = std::move(*kept);
      called(error, bytes);
    };
  }
  template <class Buffers>
  static boost::asio::mutable_buffer first_of(const Buffers& buffers) {
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto at = boost::asio::buffer_sequence_begin(buffers); at != end; ++at) {
      if (boost::asio::mutable_buffer(*at).size() > 0) return *at;
    }
    return {};
  }
  /// Several in one: each would be a record of its own, and many of them a packet.
  template <class Buffers>
  boost::asio::const_buffer joined(const Buffers& buffers) {
    const auto begin = boost::asio::buffer_sequence_begin(buffers);
    const auto end = boost::asio::buffer_sequence_end(buffers);
    if (begin == end) return {};
    if (std::next(begin) == end || boost::asio::const_buffer(*begin).size() >= kRecordBytes) return *begin;
    joined_.resize(std::min(boost::asio::buffer_size(buffers), kRecordBytes));
    boost::asio::buffer_copy(boost::asio::buffer(joined_), buffers);
    return boost::asio::buffer(joined_);
  }

  static constexpr std::size_t kRecordBytes = 16 << 10;  // RFC 8446, 5.1
  boost::beast::tcp_stream tcp_;
  std::unique_ptr<Tls> tls_;
  std::string joined_;  // what is being written
};

}  // namespace vigil::aggregator::http
