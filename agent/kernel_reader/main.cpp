// vigil-kernel-reader: answers the agent's two questions that need more than the agent may. systemd starts it
// with the first of them.
#include "agent/kernel_reader/server.h"
#include "common/passed_socket.h"

#include <sys/signalfd.h>

#include <csignal>
#include <cstdio>

int main() {
  using namespace vigil::agent;
  const auto listener = vigil::passed_socket("vigil-kernel-reader.socket");
  if (!listener) {
    fmt::print(stderr, "vigil-kernel-reader: {}\n", listener.error().message);
    return 2;
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  kernel::serve(*listener, ::signalfd(-1, &ends, SFD_CLOEXEC), "/proc");
  return 0;
}
