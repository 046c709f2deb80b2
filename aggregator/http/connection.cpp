#include "aggregator/http/connection.h"

#include "aggregator/http/incoming.h"
#include "aggregator/http/outgoing.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace vigil::aggregator::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Code = boost::system::error_code;

/// What a client may have sent ahead while its request is worked on; then it is no longer watched.
constexpr std::size_t kMostAhead = 16 << 10;

/// Of what came and is not read yet: a header, a chunk's extensions, a trailer must fit.
constexpr std::size_t kMostBuffered = 256 << 10;

/// How long a refused client may go on sending before it looks at the answer.
constexpr std::chrono::seconds kLinger{2};

constexpr unsigned kClientLeft = 499;  // as web servers log it

/// The end of a Responder in a connection. The connection may be gone, and the server too.
class ConnectionExchange : public Exchange {
 public:
  ConnectionExchange(std::weak_ptr<Connection> connection, std::shared_ptr<Gate> gate,
                     std::shared_ptr<const std::atomic<bool>> gone, Dress dress)
      : connection_(std::move(connection)),
        gate_(std::move(gate)),
        gone_(std::move(gone)),
        dress_(std::move(dress)) {}

  void deliver(Response response) override {
    // Compressing takes time, and all connections have one gate.
    response = dress_.put_on(std::move(response));
    const std::lock_guard lock(gate_->mutex);
    if (!gate_->is_open) return;
    if (const auto connection = connection_.lock()) connection->answer(std::move(response));
  }
  bool client_gone() const override { return *gone_; }

 private:
  const std::weak_ptr<Connection> connection_;
  const std::shared_ptr<Gate> gate_;
  const std::shared_ptr<const std::atomic<bool>> gone_;
  const Dress dress_;
};

}  // namespace

Response Dress::put_on(Response response) const {
  cors.add_headers(path, origin, response);
  return encoded(std::move(response), coding);
}

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void Shared::ended(door::Ending why, const std::string& source) const {
  if (options.tally != nullptr) options.tally->ended(why, source, steady_ms());
}

Connection::Connection(Tcp::socket socket, Arrival arrival, const TlsContext& tls, Shared& shared)
    : shared_(shared),
      arrival_(std::move(arrival)),
      stream_(std::move(socket), tls),
      buffer_(kMostBuffered),
      waiting_(stream_.get_executor()) {
  dress_.cors = shared_.options.cors;
  Code error;
  // Large answers are several writes: the next one must not wait until the client acknowledges the last.
  stream_.socket().set_option(Tcp::no_delay(true), error);
}

Connection::~Connection() {
  if (gone_) *gone_ = true;
  shared_.roster.leave(arrival_.place);
  if (shared_.options.tally != nullptr) shared_.options.tally->connected(shared_.roster.size());
}

void Connection::start() {
  waits();
  if (!stream_.is_tls()) return read_header();
  stream_.expires_after(shared_.options.header_timeout);
  stream_.async_handshake([self = shared_from_this()](Code error) { self->on_handshake(error); });
}

void Connection::on_handshake(Code error) {
  if (!error) {
    certificate_ = stream_.shown();
    return read_header();
  }
  const bool is_slow = error == beast::error::timeout;
  if (!makes_room_) shared_.ended(is_slow ? door::Ending::slow : door::Ending::handshake, arrival_.source);
  const bool is_plain = error.category() == asio::error::get_ssl_category() &&
                        ERR_GET_REASON(static_cast<unsigned long>(error.value())) == SSL_R_HTTP_REQUEST;
  is_plain ? answer_plain_http() : close();
}

/// A browser, or whoever else has an address of before the port had TLS, is told the way.
void Connection::answer_plain_http() {
  static constexpr std::string_view kAnswer =
      "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 36\r\n"
      "Connection: close\r\n\r\nthis port speaks TLS: use https://\r\n";
  Code ignored;
  stream_.socket().non_blocking(true, ignored);
  stream_.socket().send(asio::buffer(kAnswer), 0, ignored);  // fits into what the kernel holds
  stream_.socket().shutdown(Tcp::socket::shutdown_send, ignored);
  stream_.expires_after(kLinger);
  drain();
}

void Connection::waits() {
  is_waiting_ = true;
  shared_.roster.waits(arrival_.place, steady_ms());
}

void Connection::works() {
  is_waiting_ = false;
  shared_.roster.works(arrival_.place);
}

void Connection::make_room() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    self->makes_room_ = true;
    if (!self->is_waiting_) return;
    self->shared_.ended(door::Ending::room, self->arrival_.source);
    self->stream_.close();
  });
}

/// The next request of a connection that had one: nothing of it need come for a while, and once something
/// came, the rest must.
void Connection::await_request() {
  waits();
  if (buffer_.size() > 0) return read_header();
  stream_.expires_after(shared_.options.idle_timeout);
  stream_.async_read_some(buffer_.prepare(kMostAhead),
                          [self = shared_from_this()](Code error, std::size_t bytes) {
                            self->buffer_.commit(bytes);
                            error ? self->close() : self->read_header();
                          });
}

void Connection::read_header() {
  parser_.emplace();
  parser_->header_limit(shared_.options.max_header_bytes);
  parser_->body_limit(boost::none);  // the route decides, see accept_body()
  route_ = nullptr;
  found_none_.reset();
  stream_.expires_after(shared_.options.header_timeout);
  beast::http::async_read_header(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](Code error, std::size_t) { self->on_header(error); });
}

void Connection::on_header(Code error) {
  if (refuse_unreadable(error)) return;
  works();
  note_request();
  if (const std::string_view wrong = ambiguity_of(parser_->get()); !wrong.empty()) return refuse(400, wrong);
  const auto found = shared_.router.find(std::string(view(parser_->get().method_string())), dress_.path);
  if (const auto* route = std::get_if<const Route*>(&found)) {
    route_ = *route;
  } else {
    found_none_ = std::get<Response>(found);
  }
  ask_gatekeeper();
}

/// Before the body is read: nobody sends a large one for nothing.
void Connection::ask_gatekeeper() {
  caller_ = {};
  if (route_ == nullptr || shared_.options.gatekeeper == nullptr) return accept_body();
  if (refuse_certificate()) return;
  access::Presented presented;
  if (certificate_) presented.certificate = certificate_->names;
  // Over TLS everybody is from away, as over gRPC.
  const bool is_local = !stream_.is_tls() && access::is_loopback_address(arrival_.address) &&
                        access::names_loopback(view(parser_->get()[beast::http::field::host]));
  presented.place = is_local ? access::Place::loopback : access::Place::away;
  presented.source = arrival_.source;
  presented.authorization = view(parser_->get()[beast::http::field::authorization]);
  access::Verdict verdict = shared_.options.gatekeeper->check(presented, route_->need);
  if (verdict.answer == access::Verdict::Answer::ask_slowly) return ask_slowly(presented);
  admit(std::move(verdict));
}

/// True when the client's certificate counts no more, or is for something else: that was answered.
bool Connection::refuse_certificate() {
  if (!certificate_ || !shared_.options.may_ask || route_->need.least == access::Role::none) return false;
  const auto allowed = shared_.options.may_ask(certificate_->pem, dress_.path);
  if (!allowed) refuse(dress_.put_on(error_response(403, "forbidden", allowed.error().message)));
  return !allowed;
}

void Connection::ask_slowly(const access::Presented& presented) {
  waiting_.expires_at(asio::steady_timer::time_point::max());
  waiting_.async_wait([self = shared_from_this()](Code) {});
  stream_.expires_never();
  shared_.options.gatekeeper->check_slowly(
      presented, route_->need, [connection = weak_from_this(), gate = shared_.gate](access::Verdict verdict) {
        const std::lock_guard lock(gate->mutex);
        if (!gate->is_open) return;
        if (const auto found = connection.lock()) found->judged(std::move(verdict));
      });
}

void Connection::judged(access::Verdict verdict) {
  asio::post(stream_.get_executor(), [self = shared_from_this(), verdict = std::move(verdict)]() mutable {
    self->waiting_.cancel();
    self->admit(std::move(verdict));
  });
}

void Connection::admit(access::Verdict verdict) {
  if (verdict.answer != access::Verdict::Answer::yes) return refuse(dress_.put_on(refusal_of(verdict)));
  caller_ = std::move(verdict.caller);
  accept_body();
}

/// What is needed to answer, whatever becomes of the request.
void Connection::note_request() {
  const auto& message = parser_->get();
  asked_at_ = std::chrono::steady_clock::now();
  method_ = message.method();
  version_ = message.version();
  const std::string_view target = view(message.target());
  dress_.path = decode_path(target.substr(0, target.find('?')));
  dress_.origin = view(message[beast::http::field::origin]);
  dress_.coding = best_coding(view(message[beast::http::field::accept_encoding]));
}

void Connection::accept_body() {
  const std::uint64_t limit = (route_ ? route_->options : RouteOptions()).max_body_bytes;
  const auto length = parser_->content_length();
  if (length && *length > limit) return refuse(413, "the body is too large");
  parser_->body_limit(limit);
  const bool is_waiting = view(parser_->get()[beast::http::field::expect]) == "100-continue";
  if (!is_waiting || parser_->is_done()) return read_body();
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(stream_, asio::buffer(kContinue), [self = shared_from_this()](Code error, std::size_t) {
    if (error) return self->close();
    self->read_body();
  });
}

void Connection::read_body() {
  const std::uint64_t most = (route_ ? route_->options : RouteOptions()).max_body_bytes;
  const std::uint64_t bytes = parser_->content_length().value_or(most);
  if (!parser_->is_done()) waits();
  stream_.expires_after(shared_.options.body_timeout +
                        std::chrono::milliseconds(1000 * bytes / shared_.options.least_rate));
  beast::http::async_read(stream_, buffer_, *parser_,
                          [self = shared_from_this()](Code error, std::size_t) { self->on_request(error); });
}

/// True when nothing can be made of what came: it is answered, or the connection closed.
bool Connection::refuse_unreadable(Code error) {
  namespace http = beast::http;
  if (!error) return false;
  const bool is_nonsense = error.category() == http::make_error_code(http::error::end_of_stream).category() &&
                           error != http::error::end_of_stream && error != http::error::partial_message;
  if (error == http::error::body_limit) {
    refuse(413, "the body is too large");
  } else if (error == http::error::header_limit) {
    refuse(431, "the header is too large");
  } else if (is_nonsense) {
    refuse(400, error.message());
  } else {
    if (error == beast::error::timeout) shared_.ended(door::Ending::slow, arrival_.source);
    close();
  }
  return true;
}

void Connection::on_request(Code error) {
  if (refuse_unreadable(error)) return;
  works();
  keep_ = parser_->get().keep_alive();
  if (found_none_) return respond(dress_.put_on(std::move(*found_none_)));
  auto request = request_of(parser_->release());
  if (!request) return respond(dress_.put_on(error_response(request.error())));
  request->remote = fmt::format("{}:{}", arrival_.address, arrival_.port);
  request->caller = caller_;
  dispatch(*route_, std::move(*request));
}

void Connection::dispatch(const Route& route, Request request) {
  if (const auto* handler = std::get_if<Handler>(&route.handler))
    return respond(dress_.put_on((*handler)(request)));
  answer_later(std::get<LaterHandler>(route.handler), std::move(request));
}

void Connection::answer_later(const LaterHandler& handler, Request request) {
  gone_ = std::make_shared<std::atomic<bool>>(false);
  waiting_.expires_at(asio::steady_timer::time_point::max());
  waiting_.async_wait([self = shared_from_this()](Code) {});
  stream_.expires_never();
  watch();
  handler(std::move(request),
          Responder(std::make_shared<ConnectionExchange>(weak_from_this(), shared_.gate, gone_, dress_)));
}

/// Notices when the client goes away while its request is worked on. What it sends ahead is kept.
void Connection::watch() {
  if (buffer_.size() >= kMostAhead) {
    watch_ = Watch::ended;
    return;
  }
  watch_ = Watch::pending;
  stream_.async_read_some(
      buffer_.prepare(kMostAhead - buffer_.size()),
      [self = shared_from_this()](Code error, std::size_t bytes) { self->on_watched(error, bytes); });
}

void Connection::on_watched(Code error, std::size_t bytes) {
  watch_ = Watch::ended;
  buffer_.commit(bytes);
  if (std::exchange(is_answered_, false)) return go_on();
  if (!error) return watch();
  // Closed, or half closed: in HTTP a client that stops sending has stopped listening.
  *gone_ = true;
  keep_ = false;
}

void Connection::answer(Response response) {
  asio::post(stream_.get_executor(), [self = shared_from_this(), response = std::move(response)]() mutable {
    self->waiting_.cancel();
    self->respond(std::move(response));
  });
}

void Connection::refuse(unsigned status, std::string_view message) {
  method_ = beast::http::verb::get;
  version_ = 11;
  refuse(error_response(status, "bad_data", message));
}

void Connection::refuse(Response response) {
  // Without a body the next request can follow: who is asked for a password comes again.
  keep_ = response.status == 401 && parser_ && parser_->is_done() && parser_->get().keep_alive();
  unread_ = !keep_;
  respond(std::move(response));
}

void Connection::respond(Response response) {
  namespace http = beast::http;
  status_ = response.status;
  next_ = std::move(response.next);
  if (next_ && version_ < 11) keep_ = false;  // no chunks: the end of the connection ends the body
  response_.emplace(static_cast<http::status>(response.status), version_);
  response_->set(http::field::date, http_date());
  if (!response.content_type.empty()) response_->set(http::field::content_type, response.content_type);
  for (const auto& [name, value] : response.headers) response_->insert(name, value);
  for (const auto& [name, value] : safety_headers(dress_.path)) {
    if (response_->find(name) == response_->end()) response_->set(name, value);
  }
  response_->keep_alive(keep_);
  if (next_) {
    piece_ = std::move(response.body);
    if (version_ >= 11) response_->chunked(true);
    return write_head();
  }
  const std::size_t length = response.body.size();
  if (method_ != http::verb::head) response_->body() = std::move(response.body);
  if (response.status != 204) response_->content_length(length);
  write_whole();
}

/// Who is slow to take an answer makes room like who is slow to ask: it costs as little to be either.
void Connection::write_whole() {
  waits();
  stream_.expires_after(shared_.options.answer_timeout);
  serializer_.emplace(*response_);
  const auto done = [self = shared_from_this()](Code error, std::size_t) { self->after_answer(error); };
  if (method_ == beast::http::verb::head) return beast::http::async_write_header(stream_, *serializer_, done);
  beast::http::async_write(stream_, *serializer_, done);
}

void Connection::write_head() {
  waits();
  stream_.expires_after(shared_.options.answer_timeout);
  serializer_.emplace(*response_);
  beast::http::async_write_header(stream_, *serializer_,
                                  [self = shared_from_this()](Code error, std::size_t) {
                                    if (error || self->method_ == beast::http::verb::head)
                                      return self->after_answer(error);
                                    self->piece_.empty() ? self->make_piece() : self->write_piece();
                                  });
}

void Connection::make_piece() {
  if (gone_ && *gone_) return after_answer(asio::error::connection_aborted);
  works();
  asio::post(shared_.bodies, [self = shared_from_this()] {
    std::string piece = self->next_();
    asio::post(self->stream_.get_executor(), [self, piece = std::move(piece)]() mutable {
      self->piece_ = std::move(piece);
      self->piece_.empty() ? self->write_end() : self->write_piece();
    });
  });
}

void Connection::write_piece() {
  waits();
  // The whole piece within the time: who takes it more slowly than that is let go, and the answer with him.
  stream_.expires_after(shared_.options.answer_timeout);
  const auto done = [self = shared_from_this()](Code error, std::size_t) {
    if (error) return self->after_answer(error);
    self->make_piece();
  };
  if (version_ >= 11) return asio::async_write(stream_, beast::http::make_chunk(asio::buffer(piece_)), done);
  asio::async_write(stream_, asio::buffer(piece_), done);
}

void Connection::write_end() {
  const auto done = [self = shared_from_this()](Code error, std::size_t) { self->after_answer(error); };
  if (version_ < 11) return done({}, 0);
  waits();
  stream_.expires_after(shared_.options.answer_timeout);
  asio::async_write(stream_, beast::http::make_chunk_last(), done);
}

void Connection::after_answer(Code error) {
  if (shared_.options.counts != nullptr && asked_at_ != std::chrono::steady_clock::time_point()) {
    const bool is_left = error || (gone_ && *gone_);
    shared_.options.counts->add(route_ ? route_->path : "other", is_left ? kClientLeft : status_,
                                std::chrono::steady_clock::now() - asked_at_);
  }
  asked_at_ = {};
  // It may hold a large result: letting go of that takes its time, too.
  if (next_) asio::post(shared_.bodies, [done = std::exchange(next_, nullptr)] {});
  piece_ = {};
  serializer_.reset();
  response_.reset();
  if (error) return close();
  if (unread_) return linger();
  if (watch_ != Watch::pending) return go_on();
  // Its read has no time limit, which over TLS the end would wait for, too.
  is_answered_ = true;
  stream_.cancel();
}

void Connection::go_on() {
  watch_ = Watch::none;
  if (!keep_ || makes_room_) return finish();
  await_request();
}

/// Closed at once, the bytes still to come would make the kernel throw the answer away (RFC 9112, 9.6).
void Connection::linger() {
  waits();
  stream_.expires_after(kLinger);
  stream_.async_end([self = shared_from_this()](Code) { self->drain(); });
}

/// Of TLS as well, though nothing of it is deciphered.
void Connection::drain() {
  buffer_.consume(buffer_.size());
  stream_.below().async_read_some(
      buffer_.prepare(kMostAhead),
      [self = shared_from_this()](Code error, std::size_t) { error ? self->close() : self->drain(); });
}

/// The client has its answer. Over TLS it is told that this was all: else it could not tell the end from an
/// attacker who cuts the connection (RFC 8446, 6.1).
void Connection::finish() {
  if (!stream_.is_tls()) return close();
  waits();
  stream_.expires_after(kLinger);
  stream_.async_end([self = shared_from_this()](Code) { self->close(); });
}

void Connection::close() {
  if (gone_) *gone_ = true;
  Code ignored;
  stream_.socket().shutdown(Tcp::socket::shutdown_send, ignored);
  stream_.close();
}

}  // namespace vigil::aggregator::http
