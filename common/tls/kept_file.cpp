#include "common/tls/kept_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace vigil::tls {
namespace {

constexpr mode_t kFolderMode = 0700;

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

/// Only root may give files away, and only root has to.
Result<void> give_to_owner_of(const std::string& folder, int descriptor, const std::string& path) {
  struct stat info {};
  if (::geteuid() != 0) return {};
  if (::stat(folder.c_str(), &info) != 0) return fail_errno(errno, folder);
  if (::fchown(descriptor, info.st_uid, info.st_gid) != 0) return fail_errno(errno, path);
  return {};
}

Result<void> write_all(int descriptor, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t put = ::write(descriptor, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(errno, path);
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  if (::fsync(descriptor) != 0) return fail_errno(errno, path);
  return {};
}

Result<void> sync_folder(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return fail_errno(errno, folder);
  const int failure = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  if (failure != 0) return fail_errno(failure, folder);
  return {};
}

Result<void> write_aside(const std::string& path, const std::string& aside, std::string_view text,
                         Readable readable) {
  ::unlink(aside.c_str());  // of a run that was killed; never one that somebody else put there for us
  const mode_t mode = readable == Readable::by_everybody ? 0644 : 0600;
  const int descriptor = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return fail_errno(errno, path);
  auto done = write_all(descriptor, text, path);
  if (done && ::fchmod(descriptor, mode) != 0) done = fail_errno(errno, path);
  if (done) done = give_to_owner_of(folder_of(path), descriptor, path);
  ::close(descriptor);
  return done;
}

}  // namespace

Result<void> keep_file(const std::string& path, std::string_view text, Readable readable) {
  const std::string aside = path + ".new";
  auto done = write_aside(path, aside, text, readable);
  if (done && ::rename(aside.c_str(), path.c_str()) != 0) done = fail_errno(errno, path);
  if (!done) {
    ::unlink(aside.c_str());
    return done;
  }
  return sync_folder(folder_of(path));
}

Result<void> try_file(const std::string& path) {
  constexpr std::size_t kEnough = 8192;  // a key and two certificates
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return fail_errno(EISDIR, path);
  const std::string aside = path + ".new";
  auto done = write_aside(path, aside, std::string(kEnough, '\n'), Readable::by_owner);
  ::unlink(aside.c_str());
  return done;
}

Result<void> keep_folder(const std::string& path) {
  std::error_code error;
  const std::string parent = folder_of(path);
  std::filesystem::create_directories(parent, error);
  const bool made = ::mkdir(path.c_str(), kFolderMode) == 0;
  if (!made && errno != EEXIST) return fail_errno(errno, path);
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return fail_errno(errno, path);
  Result<void> done;
  if (::fchmod(descriptor, kFolderMode) != 0) done = fail_errno(errno, path);
  if (done && made) done = give_to_owner_of(parent, descriptor, path);
  ::close(descriptor);
  if (!done) return done;
  return made ? sync_folder(parent) : Result<void>();
}

}  // namespace vigil::tls
