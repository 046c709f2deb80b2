#include "common/passed_socket.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace vigil {

Result<int> passed_socket(std::string_view unit) {
  constexpr int kFirstPassed = 3;  // SD_LISTEN_FDS_START
  const char* count = std::getenv("LISTEN_FDS");
  const char* pid = std::getenv("LISTEN_PID");
  if (count == nullptr || pid == nullptr || std::string_view(count) != "1" ||
      pid != std::to_string(::getpid())) {
    return fail(Errc::invalid_argument,
                "no socket was passed: systemd starts this program when the agent asks ({})", unit);
  }
  ::fcntl(kFirstPassed, F_SETFD, FD_CLOEXEC);
  return kFirstPassed;
}

}  // namespace vigil
