#include "aggregator/second_signal.h"

#include <csignal>
#include <ctime>
#include <utility>

namespace vigil::aggregator {
namespace {

sigset_t both() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT}) sigaddset(&signals, number);
  return signals;
}

}  // namespace

void block_signals() {
  sigset_t signals = both();
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGCHLD, SIG_DFL);  // ignored by who started us, the ends of commands would be lost
}

SecondSignal::SecondSignal(std::function<void(int number)> act)
    : act_(std::move(act)), thread_([this] { wait(); }) {}

SecondSignal::~SecondSignal() {
  over_ = true;
  thread_.join();
}

void SecondSignal::wait() {
  const sigset_t signals = both();
  const timespec moment{0, 50'000'000};
  while (!over_) {
    const int number = sigtimedwait(&signals, nullptr, &moment);
    if (number <= 0) continue;
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    return act_(number);
  }
}

}  // namespace vigil::aggregator
