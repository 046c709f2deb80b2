#include "agent/wake.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

namespace vigil::agent {

Result<Waiter> Waiter::open() {
  std::signal(SIGHUP, SIG_DFL);  // nohup(1) ignores it, and what is ignored is never seen
  sigset_t waited_for;
  ::sigemptyset(&waited_for);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&waited_for, number);
  ::pthread_sigmask(SIG_BLOCK, &waited_for, nullptr);
  const int signals = ::signalfd(-1, &waited_for, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) return fail_errno(errno, "signalfd");
  const int calls = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (calls < 0) {
    const int error_number = errno;
    ::close(signals);
    return fail_errno(error_number, "eventfd");
  }
  return Waiter(signals, calls);
}

Waiter::~Waiter() {
  if (signals_ >= 0) ::close(signals_);
  if (calls_ >= 0) ::close(calls_);
}

Waiter::Waiter(Waiter&& other) noexcept
    : signals_(std::exchange(other.signals_, -1)), calls_(std::exchange(other.calls_, -1)) {}

Waiter::Woken Waiter::wait(std::chrono::steady_clock::time_point until) {
  std::array<pollfd, 2> fds = {{{signals_, POLLIN, 0}, {calls_, POLLIN, 0}}};
  const auto left =
      std::chrono::duration_cast<std::chrono::nanoseconds>(until - std::chrono::steady_clock::now());
  const auto wait = std::max(left, std::chrono::nanoseconds(0));
  const timespec timeout{wait.count() / 1'000'000'000, wait.count() % 1'000'000'000};
  if (::ppoll(fds.data(), fds.size(), &timeout, nullptr) <= 0) return Woken::by_time;
  if (fds[0].revents != 0) {
    signalfd_siginfo info{};
    const auto got = ::read(signals_, &info, sizeof(info));
    return got == sizeof(info) && info.ssi_signo == SIGHUP ? Woken::to_reload : Woken::to_end;
  }
  std::uint64_t calls = 0;
  [[maybe_unused]] const auto got = ::read(calls_, &calls, sizeof(calls));
  return Woken::by_call;
}

void Waiter::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto put =
      ::write(calls_, &one, sizeof(one));  // fails only when a call is pending already
}

}  // namespace vigil::agent
