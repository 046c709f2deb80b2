#include "aggregator/store/folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

namespace vigil::aggregator {
namespace {

constexpr mode_t kPrivateFile = 0600;

std::string read_owner(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t size = pread(descriptor, text.data(), text.size() - 1, 0);
  std::string owner(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!owner.empty() && owner.back() == '\n') owner.pop_back();
  return owner.empty() ? "unknown" : owner;
}

// For people who find the folder locked; the lock itself is the kernel's.
void write_owner(int descriptor) {
  const std::string owner = fmt::format("{}\n", getpid());
  if (ftruncate(descriptor, 0) == 0) (void)!pwrite(descriptor, owner.data(), owner.size(), 0);
}

Result<void> sync_folder(const std::filesystem::path& path) {
  const int folder = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return fail_errno(errno, "open " + path.string());
  const int synced = fsync(folder);
  const int number = errno;
  ::close(folder);
  // A failed sync stays a failure whatever errno says.
  if (synced != 0) return fail(Errc::io, "fsync {}: {}", path.string(), std::strerror(number));
  return {};
}

/// A program that a killed aggregator was about to run holds its descriptors for a moment longer.
bool try_lock(int descriptor) {
  constexpr int kTries = 20;
  for (int i = 0; i < kTries; ++i) {
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK) return false;
    if (i + 1 < kTries) std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
  errno = EWOULDBLOCK;
  return false;
}

}  // namespace

Result<FolderLock> FolderLock::take(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "lock";
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kPrivateFile);
  if (descriptor < 0) return fail_errno(errno, "open " + path.string());
  FolderLock lock(descriptor);
  if (!try_lock(descriptor)) {
    if (errno != EWOULDBLOCK) return fail_errno(errno, "flock " + path.string());
    return fail(Errc::conflict,
                "data folder {} is in use by process {}: stop it, or choose another --data-dir",
                folder.string(), read_owner(descriptor));
  }
  write_owner(descriptor);
  return lock;
}

FolderLock::FolderLock(FolderLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> make_private_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail_errno(error.value(), "mkdir " + folder.string());
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  if (error) return fail_errno(error.value(), "chmod " + folder.string());
  return {};
}

Result<void> make_private_file(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kPrivateFile);
  if (file < 0 && errno == EEXIST) return {};
  if (file < 0) return fail_errno(errno, "create " + path.string());
  ::close(file);
  auto synced = sync_folder(path.parent_path());
  if (!synced) ::unlink(path.c_str());  // or the next try would take it for done
  return synced;
}

}  // namespace vigil::aggregator
