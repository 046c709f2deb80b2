#include "agent/kernel_reader/server.h"

#include "agent/kernel_reader/protocol.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace vigil::agent::kernel {
namespace {

constexpr std::size_t kMostPeers = 8;

/// Whether the peer is there still.
bool serve_one(int peer, const std::string& procfs) {
  Question question;
  const ssize_t got = ::recv(peer, &question, sizeof question, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got != sizeof question) return false;
  const Answer out = answer(question, procfs.c_str());
  // Who does not take its answers is not waited for.
  return ::send(peer, &out, sizeof out, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof out;
}

class Peers {
 public:
  Peers(int listener, int stop) : waiting_{{stop, POLLIN, 0}, {listener, POLLIN, 0}} {}
  ~Peers() {
    for (std::size_t i = kFirst; i < waiting_.size(); ++i) ::close(waiting_[i].fd);
  }
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  /// Answers what is asked now. False: it is over.
  bool turn(const std::string& procfs) {
    const bool full = waiting_.size() - kFirst >= kMostPeers;
    waiting_[1].events = full ? 0 : POLLIN;
    if (::poll(waiting_.data(), waiting_.size(), -1) < 0) return errno == EINTR;
    if (waiting_[0].revents != 0) return false;
    for (std::size_t i = waiting_.size(); i-- > kFirst;) {
      if (waiting_[i].revents == 0 || serve_one(waiting_[i].fd, procfs)) continue;
      ::close(waiting_[i].fd);
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return (waiting_[1].revents & POLLIN) == 0 || accept();
  }

 private:
  static constexpr std::size_t kFirst = 2;

  bool accept() {
    const int peer = ::accept4(waiting_[1].fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer >= 0) waiting_.push_back({peer, POLLIN, 0});
    return peer >= 0 || errno == EINTR || errno == EAGAIN || errno == ECONNABORTED;
  }

  std::vector<pollfd> waiting_;
};

}  // namespace

void serve(int listener, int stop, const std::string& procfs) {
  Peers peers(listener, stop);
  while (peers.turn(procfs)) {
  }
}

}  // namespace vigil::agent::kernel
