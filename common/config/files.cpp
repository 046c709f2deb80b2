#include "common/config/files.h"

#include "common/config/guard.h"
#include "common/text/ascii.h"
#include "common/text/trim.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
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

/// Whether only those may read it who should.
Result<void> check_guarded(const std::string& path, std::string_view what) {
  const auto readers = readers_of(path);
  if (!readers) return readers.error();
  if (*readers == Readers::everybody)
    return fail(Errc::permission, "{}: everybody may read this {}; chmod 600 {}", path, what, path);
  if (*readers == Readers::group)
    return fail(Errc::permission, "{}: its group may read this {}; chmod 600 {}, or chown root", path, what,
                path);
  return {};
}

/// /proc and its kin look writable to root, and keep nothing.
bool keeps_files(const std::filesystem::path& path) {
  struct statfs system {};
  if (::statfs(path.c_str(), &system) != 0) return true;  // the first write will say more
  constexpr std::array kKernels = {PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
                                   DEBUGFS_MAGIC};
  return std::find(kKernels.begin(), kKernels.end(), system.f_type) == kKernels.end();
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

Result<std::string> read_guarded(const std::string& path, std::string_view what) {
  if (auto guarded = check_guarded(path, what); !guarded) return guarded.error();
  return read_file(path);
}

Result<std::string> read_secret(const std::string& path) {
  auto text = read_guarded(path, "secret");
  if (!text) return text.error();
  std::string secret(trim(*text));
  if (secret.empty()) return fail(Errc::invalid_argument, "{}: is empty", path);
  if (has_control(secret)) return fail(Errc::invalid_argument, "{}: holds more than one line", path);
  return secret;
}

Result<std::string> read_certificates(const std::string& path) {
  return read_pem(path, "CERTIFICATE");
}

Result<std::string> read_private_key(const std::string& path) {
  if (auto guarded = check_guarded(path, "private key"); !guarded) return guarded.error();
  return read_pem(path, "PRIVATE KEY");
}

Result<void> check_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::path nearest = std::filesystem::absolute(path, error).lexically_normal();
  while (!std::filesystem::exists(nearest, error) && nearest.has_relative_path())
    nearest = nearest.parent_path();
  const bool is_there = std::filesystem::is_directory(nearest, error);
  const bool keeps = keeps_files(nearest);
  if (is_there && keeps && ::access(nearest.c_str(), W_OK | X_OK) == 0) return {};
  const std::string why = !is_there ? nearest.string() + " is no folder"
                          : !keeps  ? nearest.string() + " belongs to the kernel and keeps no files"
                                    : fail_errno(errno, nearest.string()).message;
  return fail(Errc::invalid_argument,
              "{} cannot be used: {}; name a folder this user may write, or make it for this user", path,
              why);
}

}  // namespace vigil::config
