// HTTP/1.1 GET over a local socket, for container runtimes only: one connection per request, every wait
// bounded by a deadline and cut short by a StopSignal, replies bounded in size. The parser is Boost.Beast's;
// sockets are plain and non-blocking, because a thread that does one thing at a time needs no event loop.
#pragma once

#include "common/error.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::agent {

/// Ends every wait of the thread that watches it. Thread-safe.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  void request();
  bool requested() const;
  /// Sleeps until `until` or until requested; whether it was requested.
  bool wait_until(std::chrono::steady_clock::time_point until) const;
  int descriptor() const { return fd_; }

 private:
  int fd_;  // eventfd(2), readable once requested
};

struct HttpLimits {
  std::chrono::milliseconds deadline = std::chrono::seconds(5);  // for the whole request
  std::size_t max_body_bytes = 8 << 20;
  std::size_t max_line_bytes = 64 << 10;  // of a stream's lines
};

/// Who is asked, and under which limits. `stop` outlives everything made from it.
struct HttpPeer {
  std::string socket_path;
  HttpLimits limits;
  const StopSignal* stop;
};

/// The body of a reply with status 200.
/// Errors: unavailable (no such socket, refused, closed early, 502), permission (403, too), timeout (504,
/// too), not_found (404, 503), limit (too large), parse (not HTTP), unsupported (any other status). A
/// requested stop is `unavailable`.
Result<std::string> http_get(const HttpPeer& peer, const std::string& target);

/// A reply that never ends: lines as they come.
class HttpLines {
 public:
  static Result<HttpLines> open(const HttpPeer& peer, const std::string& target);
  HttpLines(HttpLines&&) noexcept;
  HttpLines& operator=(HttpLines&&) noexcept;
  ~HttpLines();

  /// The next line that is not empty, without its end; valid until the next call. Nothing when `until` passed
  /// first or a stop was requested. Errors: unavailable (the peer ended the stream), limit (a line too long),
  /// parse.
  Result<std::optional<std::string_view>> next(std::chrono::steady_clock::time_point until);

 private:
  struct State;
  explicit HttpLines(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace vigil::agent
