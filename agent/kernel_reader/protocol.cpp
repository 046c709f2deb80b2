#include "agent/kernel_reader/protocol.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace vigil::agent::kernel {
namespace {

Answer clock_answer() {
  Answer out;
  out.clock.modes = 0;  // only read
  out.state = ::adjtimex(&out.clock);
  if (out.state < 0) out.error = errno;
  return out;
}

Answer process_io_answer(std::int32_t pid, const char* procfs) {
  Answer out;
  const std::string path = fmt::format("{}/{}/io", procfs, pid);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) {
    out.error = errno;
    return out;
  }
  const ssize_t got = ::read(fd, out.text, sizeof out.text);
  if (got < 0) {
    out.error = errno;
  } else {
    out.bytes = static_cast<std::uint32_t>(got);
  }
  ::close(fd);
  return out;
}

}  // namespace

Answer answer(const Question& question, const char* procfs) {
  if (question.kind == Kind::clock) return clock_answer();
  if (question.kind == Kind::process_io && question.pid > 0) return process_io_answer(question.pid, procfs);
  Answer out;
  out.error = EINVAL;
  return out;
}

}  // namespace vigil::agent::kernel
