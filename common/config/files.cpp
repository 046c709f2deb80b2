#include "common/config/files.h"

#include "common/text/ascii.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace vigil::config {
namespace {

Result<std::string> read_pem(const std::string& path, std::string_view kind) {
  auto text = read_file(path);
  if (!text) return text.error();
  const std::size_t begin = text->find("-----BEGIN ");
  if (begin == std::string::npos || text->find(kind, begin) == std::string::npos) {
    return fail(Errc::invalid_argument, "{}: holds no {} in PEM; a line -----BEGIN {}----- is expected", path,
                kind, kind);
  }
  return text;
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  const int fd =
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // opening a FIFO must not wait for a writer
  if (fd < 0) return fail_errno(errno, path);
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    return fail(Errc::invalid_argument, "{}: not a regular file", path);
  }
  std::string text;
  char chunk[16384];
  while (text.size() <= kMaxFileBytes) {
    const ssize_t got = ::read(fd, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int error = errno;
      ::close(fd);
      return fail_errno(error, path);
    }
    if (got == 0) break;
    text.append(chunk, static_cast<std::size_t>(got));
  }
  ::close(fd);
  if (text.size() > kMaxFileBytes) return fail(Errc::limit, "{}: larger than 1 MiB", path);
  return text;
}

Result<std::string> read_secret(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return fail_errno(errno, path);
  if ((info.st_mode & S_IRWXO) != 0) {
    return fail(Errc::permission, "{}: everybody may read this secret; chmod 640 or 600", path);
  }
  auto text = read_file(path);
  if (!text) return text.error();
  const std::size_t first = text->find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return fail(Errc::invalid_argument, "{}: is empty", path);
  std::string secret = text->substr(first, text->find_last_not_of(" \t\r\n") - first + 1);
  if (has_control(secret)) return fail(Errc::invalid_argument, "{}: holds more than one line", path);
  return secret;
}

Result<std::string> read_certificates(const std::string& path) {
  return read_pem(path, "CERTIFICATE");
}

Result<std::string> read_private_key(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return fail_errno(errno, path);
  if ((info.st_mode & S_IRWXO) != 0)
    return fail(Errc::permission, "{}: everybody may read this private key; chmod 600 {}", path, path);
  if ((info.st_mode & S_IRWXG) != 0 && info.st_uid != 0)
    return fail(Errc::permission, "{}: its group may read this private key; chmod 600 {}, or chown root",
                path, path);
  return read_pem(path, "PRIVATE KEY");
}

}  // namespace vigil::config
