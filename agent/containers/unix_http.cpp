#include "agent/containers/unix_http.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstring>
#include <span>

namespace vigil::agent {

namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;
using Parser = http::response_parser<http::string_body>;

namespace {

/// For poll(2), rounded up so that a deadline is not spun upon.
int milliseconds_left(Clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

}  // namespace

StopSignal::StopSignal() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
StopSignal::~StopSignal() {
  if (fd_ >= 0) ::close(fd_);
}

void StopSignal::request() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written =
      ::write(fd_, &one, sizeof one);  // never read, so it stays readable
}

bool StopSignal::requested() const {
  return wait_until(Clock::time_point::min());
}

bool StopSignal::wait_until(Clock::time_point until) const {
  while (true) {
    pollfd waiting{fd_, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, until == Clock::time_point::min() ? 0 : milliseconds_left(until));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return true;  // without a working descriptor nothing could ever end the thread
  }
}

namespace {

/// A connected local socket. Every wait also watches the stop signal.
class Connection {
 public:
  Connection() = default;
  Connection(Connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)), stop_(other.stop_) {}
  Connection& operator=(Connection&&) = delete;
  ~Connection() {
    if (fd_ >= 0) ::close(fd_);
  }

  Result<void> connect(const HttpPeer& peer) {
    stop_ = peer.stop;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (peer.socket_path.size() >= sizeof address.sun_path) {
      return fail(Errc::invalid_argument, "{}: a socket's path has at most {} bytes", peer.socket_path,
                  sizeof address.sun_path - 1);
    }
    std::memcpy(address.sun_path, peer.socket_path.data(), peer.socket_path.size());
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd_ < 0) return fail_errno(errno, "socket");
    // A local connect is immediate; with a full backlog it says EAGAIN, which is a daemon that does not
    // accept (unix(7)).
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return {};
    const int error = errno;
    if (error == EACCES || error == EPERM)
      return fail(Errc::permission, "connect {}: permission denied", peer.socket_path);
    return fail(Errc::unavailable, "connect {}: {}", peer.socket_path, std::strerror(error));
  }

  Result<void> send(std::string_view bytes, Clock::time_point until) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      if (sent >= 0 || errno == EINTR) continue;
      if (errno != EAGAIN) return fail(Errc::unavailable, "send: {}", std::strerror(errno));
      if (const auto ready = wait(POLLOUT, until); !ready) return ready.error();
    }
    return {};
  }

  /// At least one byte into `buffer`; 0 at the end of the stream.
  Result<std::size_t> receive(std::span<char> buffer, Clock::time_point until) {
    while (true) {
      const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return fail(Errc::unavailable, "receive: {}", std::strerror(errno));
      if (const auto ready = wait(POLLIN, until); !ready) return ready.error();
    }
  }

 private:
  Result<void> wait(short events, Clock::time_point until) const {
    while (true) {
      std::array<pollfd, 2> waiting = {pollfd{fd_, events, 0}, pollfd{stop_->descriptor(), POLLIN, 0}};
      const int ready = ::poll(waiting.data(), waiting.size(), milliseconds_left(until));
      if (ready < 0 && errno != EINTR) return fail_errno(errno, "poll");
      if (ready > 0 && waiting[1].revents != 0) return fail(Errc::unavailable, "stopping");
      if (ready > 0) return {};
      if (ready == 0) return fail(Errc::timeout, "no answer before the deadline");
    }
  }

  int fd_ = -1;
  const StopSignal* stop_ = nullptr;
};

Error parse_error(const boost::system::error_code& error) {
  const bool too_large = error == http::error::body_limit || error == http::error::header_limit;
  return fail(too_large ? Errc::limit : Errc::parse, "reply: {}", error.message());
}

/// Feeds what was received to the parser; what it does not take yet stays in `pending`.
Result<void> feed(Parser& parser, std::string& pending) {
  while (!pending.empty() && !parser.is_done()) {
    boost::system::error_code error;
    const std::size_t taken = parser.put(boost::asio::buffer(pending), error);
    pending.erase(0, taken);
    if (error == http::error::need_more) return {};
    if (error) return parse_error(error);
    if (taken == 0) return {};
  }
  return {};
}

/// Receives once. Whether the stream goes on.
Result<bool> receive_more(Connection& connection, Parser& parser, std::string& pending,
                          Clock::time_point until) {
  std::array<char, 16384> chunk;  // NOLINT: filled by recv
  const auto got = connection.receive(chunk, until);
  if (!got) return got.error();
  if (*got == 0) {
    boost::system::error_code error;
    parser.put_eof(error);
    if (error || !parser.is_done())
      return fail(Errc::unavailable, "reply: the connection ended in the middle");
    return false;
  }
  pending.append(chunk.data(), *got);
  if (const auto fed = feed(parser, pending); !fed) return fed.error();
  return true;
}

Result<void> send_request(Connection& connection, const HttpPeer& peer, const std::string& target,
                          Clock::time_point until) {
  if (const auto connected = connection.connect(peer); !connected) return connected.error();
  const std::string request = fmt::format(
      "GET {} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: vigil-agent\r\nAccept: "
      "application/json\r\nConnection: close\r\n\r\n",
      target);
  return connection.send(request, until);
}

Errc code_of_status(unsigned status) {
  switch (status) {
    case 403:
      return Errc::permission;
    case 404:
    case 503:  // of vigil-docker-reader: there is no engine
      return Errc::not_found;
    case 502:  // likewise: it is broken, or has ended
      return Errc::unavailable;
    case 504:  // likewise: it hangs
      return Errc::timeout;
    default:
      return Errc::unsupported;
  }
}

/// The first line of a refusal in words, as vigil-docker-reader gives one.
std::string words_of(const Parser& parser) {
  const auto& reply = parser.get();
  if (!reply[http::field::content_type].starts_with("text/plain")) return "";
  const std::string line = reply.body().substr(0, std::min<std::size_t>(reply.body().find('\n'), 200));
  return line.empty() ? "" : ": " + line;
}

Result<void> check_status(const Parser& parser, const std::string& target) {
  const unsigned status = parser.get().result_int();
  if (status == 200) return {};
  return fail(code_of_status(status), "GET {}: status {}{}", target, status, words_of(parser));
}

}  // namespace

Result<std::string> http_get(const HttpPeer& peer, const std::string& target) {
  const auto until = Clock::now() + peer.limits.deadline;
  Connection connection;
  if (const auto sent = send_request(connection, peer, target, until); !sent) return sent.error();
  Parser parser;
  parser.eager(true);
  parser.body_limit(peer.limits.max_body_bytes);
  std::string pending;
  while (!parser.is_done()) {
    const auto more = receive_more(connection, parser, pending, until);
    if (!more) return Error{more.error().code, fmt::format("GET {}: {}", target, more.error().message)};
    // A peer that keeps sending never makes us wait, so this is where the deadline and a stop are seen.
    if (peer.stop->requested()) return fail(Errc::unavailable, "stopping");
    if (!parser.is_done() && Clock::now() >= until)
      return fail(Errc::timeout, "GET {}: no whole reply before the deadline", target);
  }
  if (const auto good = check_status(parser, target); !good) return good.error();
  return std::move(parser.get().body());
}

struct HttpLines::State {
  explicit State(const HttpPeer& asked) : peer(asked) {}
  HttpPeer peer;
  Connection connection;
  Parser parser;
  std::string pending;    // received, not yet parsed
  std::string lines;      // body, not yet given out
  std::size_t given = 0;  // bytes of `lines` given out by the latest next()
};

HttpLines::HttpLines(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpLines::HttpLines(HttpLines&&) noexcept = default;
HttpLines& HttpLines::operator=(HttpLines&&) noexcept = default;
HttpLines::~HttpLines() = default;

Result<HttpLines> HttpLines::open(const HttpPeer& peer, const std::string& target) {
  const auto until = Clock::now() + peer.limits.deadline;
  auto state = std::make_unique<State>(peer);
  state->parser.eager(true);
  state->parser.body_limit(boost::none);
  if (const auto sent = send_request(state->connection, peer, target, until); !sent) return sent.error();
  while (!state->parser.is_header_done()) {
    const auto more = receive_more(state->connection, state->parser, state->pending, until);
    if (!more) return Error{more.error().code, fmt::format("GET {}: {}", target, more.error().message)};
    if (!*more) break;
    if (Clock::now() >= until)
      return fail(Errc::timeout, "GET {}: no whole header before the deadline", target);
  }
  if (const auto good = check_status(state->parser, target); !good) return good.error();
  return HttpLines(std::move(state));
}

Result<std::optional<std::string_view>> HttpLines::next(Clock::time_point until) {
  State& state = *state_;
  state.lines.erase(0, std::exchange(state.given, 0));
  while (true) {
    std::string& body = state.parser.get().body();
    state.lines += body;
    body.clear();
    const std::size_t begin = state.lines.find_first_not_of("\r\n");
    state.lines.erase(0, std::min(begin, state.lines.size()));
    if (const std::size_t end = state.lines.find('\n'); end != std::string::npos) {
      state.given = end + 1;
      std::string_view line(state.lines.data(), end);
      if (line.ends_with('\r')) line.remove_suffix(1);
      return std::optional(line);
    }
    if (state.lines.size() > state.peer.limits.max_line_bytes) {
      return fail(Errc::limit, "stream: a line of more than {} bytes", state.peer.limits.max_line_bytes);
    }
    if (state.parser.is_done()) return fail(Errc::unavailable, "stream: ended by the peer");
    if (state.peer.stop->requested()) return std::optional<std::string_view>{};
    const auto more = receive_more(state.connection, state.parser, state.pending, until);
    if (!more && more.error().code == Errc::timeout) return std::optional<std::string_view>{};
    if (!more) return more.error();
  }
}

}  // namespace vigil::agent
