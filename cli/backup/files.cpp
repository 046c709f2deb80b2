#include "cli/backup/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace vigil::cli {
namespace {

constexpr mode_t kPrivateFile = 0600;
constexpr mode_t kPublicFile = 0644;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::size_t kPieceBytes = std::size_t{256} << 10;

}  // namespace

Result<NewFile> NewFile::create(const std::filesystem::path& path) {
  std::filesystem::path partial = path.string() + ".partial";
  const int descriptor = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kPrivateFile);
  if (descriptor < 0) return fail_errno(errno, "create " + partial.string());
  return NewFile(std::move(partial), descriptor);
}

NewFile::NewFile(NewFile&& other) noexcept
    : partial_(std::exchange(other.partial_, {})),
      descriptor_(std::exchange(other.descriptor_, -1)),
      bytes_(other.bytes_),
      digest_(std::move(other.digest_)) {}

NewFile::~NewFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!partial_.empty()) ::unlink(partial_.c_str());
}

Result<void> NewFile::write(std::string_view bytes) {
  digest_.add(bytes);
  bytes_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "write " + partial_.string());
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> NewFile::set_modified(std::int64_t modified_ns) {
  const timespec time{modified_ns / kNsPerSecond, modified_ns % kNsPerSecond};
  const std::array<timespec, 2> times{time, time};
  if (::futimens(descriptor_, times.data()) != 0)
    return fail_errno(errno, "set the time of " + partial_.string());
  return {};
}

Result<void> NewFile::let_all_read() {
  if (::fchmod(descriptor_, kPublicFile) != 0) return fail_errno(errno, "chmod " + partial_.string());
  return {};
}

Result<void> NewFile::finish(const std::filesystem::path& path) {
  if (::fsync(descriptor_) != 0) return fail_errno(errno, "fsync " + partial_.string());
  if (::close(std::exchange(descriptor_, -1)) != 0) return fail_errno(errno, "close " + partial_.string());
  if (::rename(partial_.c_str(), path.c_str()) != 0) return fail_errno(errno, "rename to " + path.string());
  partial_.clear();
  return {};
}

Result<void> make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return {};
  std::filesystem::create_directories(folder, error);
  if (error) return fail_errno(error.value(), "mkdir " + folder.string());
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  if (error) return fail_errno(error.value(), "chmod " + folder.string());
  return {};
}

Result<void> sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return fail_errno(errno, "open " + folder.string());
  const int synced = ::fsync(descriptor);
  const int number = errno;
  ::close(descriptor);
  // Some network file systems cannot sync a folder, and then it need not be done.
  if (synced != 0 && number != EINVAL) return fail_errno(number, "fsync " + folder.string());
  return {};
}

Result<void> read_pieces(const std::filesystem::path& path,
                         const std::function<Result<void>(std::string_view)>& take) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return fail_errno(errno, "open " + path.string());
  std::string piece(kPieceBytes, '\0');
  Result<void> done;
  for (;;) {
    const ssize_t count = ::read(descriptor, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) done = fail_errno(errno, "read " + path.string());
    if (count <= 0) break;
    done = take(std::string_view(piece.data(), static_cast<std::size_t>(count)));
    if (!done) break;
  }
  ::close(descriptor);
  return done;
}

Result<std::string> read_file(const std::filesystem::path& path) {
  std::string text;
  auto read = read_pieces(path, [&](std::string_view piece) -> Result<void> {
    text += piece;
    return {};
  });
  if (!read) return read.error();
  return text;
}

Result<FileFacts> facts_of(const std::filesystem::path& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return fail_errno(errno, "stat " + path.string());
  return FileFacts{static_cast<std::uint64_t>(found.st_size),
                   found.st_mtim.tv_sec * kNsPerSecond + found.st_mtim.tv_nsec};
}

Result<Lock> Lock::take(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kPrivateFile);
  if (descriptor < 0) return fail_errno(errno, "open " + path.string());
  Lock lock(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno(errno, "flock " + path.string());
    return fail(Errc::conflict, "{} is held by another process", path.string());
  }
  return lock;
}

Lock::Lock(Lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Lock::~Lock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace vigil::cli
