#include "agent/docker_reader/peer.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace vigil::agent::docker {

Peer::~Peer() {
  // What it sent too much is read, so that it sees its answer and not a broken connection.
  std::array<char, 4096> rest;  // NOLINT: filled by recv
  ::shutdown(fd_, SHUT_WR);
  for (int i = 0; i < 16 && ::recv(fd_, rest.data(), rest.size(), MSG_DONTWAIT) > 0; ++i) {
  }
  ::close(fd_);
}

Result<void> Peer::wait(short events, Clock::time_point until) const {
  while (true) {
    std::array<pollfd, 2> waiting = {pollfd{fd_, events, 0}, pollfd{stop_.descriptor(), POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    const int ready =
        ::poll(waiting.data(), waiting.size(), static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return fail_errno(errno, "poll");
    if (waiting[1].revents != 0) return fail(Errc::unavailable, "stopping");
    if (ready == 0) return fail(Errc::timeout, "too slow");
    return {};
  }
}

Result<std::string> Peer::receive_head(std::size_t most, Clock::time_point until) {
  std::string head;
  std::array<char, 4096> chunk;  // NOLINT: filled by recv
  while (head.size() <= most && head.find("\r\n\r\n") == std::string::npos) {
    const auto ready = wait(POLLIN, until);
    if (!ready && (head.empty() || ready.error().code != Errc::timeout)) return ready.error();
    if (!ready) break;
    const ssize_t got = ::recv(fd_, chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0 && head.empty()) return fail(Errc::unavailable, "it went before it had asked");
    if (got <= 0) break;
    head.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return head;
}

Result<void> Peer::send(std::string_view bytes, Clock::time_point until) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (const auto ready = wait(POLLOUT, until); !ready) return ready.error();
    } else if (errno != EINTR) {
      return fail(Errc::unavailable, "send: {}", std::strerror(errno));
    }
    // Who takes a little now and then is never waited for: here his deadline is seen.
    if (!bytes.empty() && Clock::now() >= until) return fail(Errc::timeout, "too slow");
  }
  return {};
}

bool Peer::is_waiting() const {
  pollfd waiting{fd_, POLLIN | POLLRDHUP, 0};
  return ::poll(&waiting, 1, 0) == 0;
}

}  // namespace vigil::agent::docker
