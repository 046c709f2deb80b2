#include "aggregator/http/stream.h"

#include <boost/asio/ssl/stream.hpp>

namespace vigil::aggregator::http {

struct Stream::Tls {
  Tls(boost::beast::tcp_stream& below, const TlsContext& with) : context(with), stream(below, *with) {}

  const TlsContext context;
  boost::asio::ssl::stream<boost::beast::tcp_stream&> stream;
};

Stream::Stream(Tcp::socket socket, const TlsContext& tls) : tcp_(std::move(socket)) {
  if (tls) tls_ = std::make_unique<Tls>(tcp_, tls);
}

Stream::~Stream() = default;

void Stream::async_handshake(std::function<void(Code)> done) {
  tls_->stream.async_handshake(boost::asio::ssl::stream_base::server, std::move(done));
}

std::optional<ShownCertificate> Stream::shown() const {
  return tls_ ? certificate_of(tls_->stream.native_handle()) : std::nullopt;
}

void Stream::read_tls(boost::asio::mutable_buffer buffer, Done done) {
  tls_->stream.async_read_some(buffer, std::move(done));
}

void Stream::write_tls(boost::asio::const_buffer buffer, Done done) {
  tls_->stream.async_write_some(buffer, std::move(done));
}

void Stream::async_end(std::function<void(Code)> done) {
  if (tls_) return tls_->stream.async_shutdown(std::move(done));
  Code ignored;
  tcp_.socket().shutdown(Tcp::socket::shutdown_send, ignored);
  boost::asio::post(get_executor(), [done = std::move(done)] { done(Code()); });
}

}  // namespace vigil::aggregator::http
