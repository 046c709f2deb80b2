#include "agent/containers/kept_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <utility>

namespace vigil::agent {

KeptFile::KeptFile(KeptFile&& other) noexcept
    : path_(std::move(other.path_)),
      reads_(other.reads_),
      fd_(std::exchange(other.fd_, -1)),
      missing_(other.missing_) {}

KeptFile& KeptFile::operator=(KeptFile&& other) noexcept {
  assert(fd_ < 0);
  path_ = std::move(other.path_);
  reads_ = other.reads_;
  fd_ = std::exchange(other.fd_, -1);
  missing_ = other.missing_;
  return *this;
}

KeptFile::~KeptFile() {
  if (fd_ >= 0) ::close(fd_);
}

void KeptFile::close(ReadContext& context) {
  if (fd_ < 0) return;
  ::close(std::exchange(fd_, -1));
  ++context.descriptors_left;
}

Result<std::string_view> KeptFile::read(ReadContext& context) {
  if (!exists()) return Error{Errc::not_found, {}};
  int fd = fd_;
  if (fd < 0) {
    fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    // Only absence is for good: a full descriptor table or a refusal may pass.
    if (fd < 0 && errno == ENOENT) missing_ = true;
    if (fd < 0) return fail_errno(errno, "open " + path_);
    if (context.descriptors_left > 0) {
      --context.descriptors_left;
      fd_ = fd;
    }
  }
  std::vector<char>& buffer = context.buffer;
  std::size_t used = 0;
  int error = 0;
  while (used < buffer.size()) {
    const ssize_t got = ::pread(fd, buffer.data() + used, buffer.size() - used, static_cast<off_t>(used));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    used += static_cast<std::size_t>(got);
    if (reads_ == Reads::whole) break;
  }
  if (fd != fd_) ::close(fd);
  if (error != 0) {
    close(context);
    if (error == EOPNOTSUPP) missing_ = true;  // pressure files of a kernel booted with psi=0
    return fail_errno(error, "read " + path_);
  }
  std::string_view content(buffer.data(), used);
  if (used == buffer.size()) content = content.substr(0, content.rfind('\n') + 1);
  return content;
}

}  // namespace vigil::agent
