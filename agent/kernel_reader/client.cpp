#include "agent/kernel_reader/client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace vigil::agent::kernel {
void Client::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<void> Client::connect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path)
    return fail(Errc::unavailable, "{}: too long for a socket", path_);
  std::memcpy(address.sun_path, path_.data(), path_.size());
  fd_ = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return fail(Errc::unavailable, "socket: {}", std::strerror(errno));
  const timeval patience{patience_.count() / 1000, patience_.count() % 1000 * 1000};
  for (const int direction : {SO_RCVTIMEO, SO_SNDTIMEO})
    ::setsockopt(fd_, SOL_SOCKET, direction, &patience, sizeof patience);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return {};
  return fail(Errc::unavailable, "connect {}: {}", path_, std::strerror(errno));
}

Result<void> Client::exchange(const Question& question) {
  if (fd_ < 0) {
    if (auto connected = connect(); !connected) return connected;
  }
  if (::send(fd_, &question, sizeof question, MSG_NOSIGNAL) != sizeof question)
    return fail(Errc::unavailable, "ask {}: {}", path_, std::strerror(errno));
  const ssize_t got = ::recv(fd_, &answer_, sizeof answer_, 0);
  if (got != sizeof answer_)
    return fail(Errc::unavailable, "{}: {}", path_, got < 0 ? std::strerror(errno) : "no whole answer");
  return {};
}

Result<const Answer*> Client::ask(const Question& question) {
  if (failed_) return fail(Errc::unavailable, "{} did not answer", path_);
  const bool kept = fd_ >= 0;
  auto asked = exchange(question);
  if (!asked && kept) {  // it may have been started anew since
    close();
    asked = exchange(question);
  }
  if (asked) return &answer_;
  failed_ = true;
  close();
  return asked.error();
}

Result<std::string_view> Client::process_io(std::int64_t pid) {
  if (pid <= 0 || pid > std::numeric_limits<std::int32_t>::max())
    return fail(Errc::invalid_argument, "{} is no process", pid);
  const auto answered = ask({Kind::process_io, static_cast<std::int32_t>(pid)});
  if (!answered) return answered.error();
  if (answer_.error != 0) return fail_errno(answer_.error, "read /proc/[pid]/io");
  return std::string_view(answer_.text, std::min<std::size_t>(answer_.bytes, sizeof answer_.text));
}

}  // namespace vigil::agent::kernel
