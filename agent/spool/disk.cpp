#include "agent/spool/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace vigil::agent {
namespace {

constexpr std::int64_t kMostBytes = 64 << 20;  // far more than a segment has

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { reset(-1); }
  void reset(int fd) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

class Folder final : public Disk {
 public:
  Folder(std::string path, int fd) : path_(std::move(path)), folder_(fd) {}

  Result<void> write(const std::string& name, std::uint64_t offset, std::string_view bytes) override {
    if (auto opened = open(name); !opened) return opened.error();
    while (!bytes.empty()) {
      const ssize_t done = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return failed("write", name);
      bytes.remove_prefix(static_cast<std::size_t>(done));
      offset += static_cast<std::uint64_t>(done);
    }
    return {};
  }

  Result<void> sync(const std::string& name) override {
    if (auto opened = open(name); !opened) return opened.error();
    if (::fdatasync(file_.get()) != 0) return failed("sync", name);
    if (synced_ == name) return {};  // its name is on disk already
    if (::fsync(folder_.get()) != 0) return failed("sync", ".");
    synced_ = name;
    return {};
  }

  Result<void> clear(const std::string& name) override {
    if (auto opened = open(name); !opened) return opened.error();
    if (::ftruncate(file_.get(), 0) != 0) return failed("truncate", name);
    return {};
  }

  Result<void> remove(const std::string& name) override {
    if (name == open_name_) {
      file_.reset(-1);
      open_name_.clear();
    }
    if (::unlinkat(folder_.get(), name.c_str(), 0) != 0 && errno != ENOENT) return failed("remove", name);
    return {};
  }

  Result<std::string> read(const std::string& name) override {
    const Descriptor file(
        ::openat(folder_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat about {};
    if (file.get() < 0 || ::fstat(file.get(), &about) != 0) return failed("open", name);
    if (!S_ISREG(about.st_mode) || about.st_size > kMostBytes)
      return fail(Errc::corrupt, "{}/{} is no segment of ours: no file, or larger than {} bytes", path_, name,
                  kMostBytes);
    std::string content(static_cast<std::size_t>(about.st_size), '\0');
    std::size_t used = 0;
    while (used < content.size()) {
      const ssize_t got =
          ::pread(file.get(), content.data() + used, content.size() - used, static_cast<off_t>(used));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failed("read", name);
      if (got == 0) break;
      used += static_cast<std::size_t>(got);
    }
    content.resize(used);
    return content;
  }

  Result<std::vector<std::string>> list() override {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator at(path_, error), end; !error && at != end; at.increment(error))
      names.push_back(at->path().filename().string());
    if (error) return fail(Errc::io, "list {}: {}", path_, error.message());
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<Space> space() override {
    struct statvfs about {};
    if (::fstatvfs(folder_.get(), &about) != 0) return failed("statvfs", ".");
    return Space{about.f_blocks * about.f_frsize, about.f_bavail * about.f_frsize};
  }

 private:
  Result<void> open(const std::string& name) {
    if (name == open_name_) return {};
    const int fd = ::openat(folder_.get(), name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return failed("open", name);
    file_.reset(fd);
    open_name_ = name;
    return {};
  }
  Error failed(std::string_view what, const std::string& name) const {
    return fail_errno(errno, fmt::format("{} {}/{}", what, path_, name));
  }

  const std::string path_;
  Descriptor folder_;
  Descriptor file_;  // the one written last: a batch a second goes to the same
  std::string open_name_;
  std::string synced_;
};

}  // namespace

Result<std::unique_ptr<Disk>> open_disk(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(Errc::io, "make {}: {}", folder, error.message());
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail_errno(errno, "open " + folder);
  // Two agents would take each other's segments for those of an earlier run.
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return fail(Errc::conflict, "{} is used by another agent: give each its own spool.dir", folder);
  }
  if (::fchmod(fd, 0700) != 0 || ::faccessat(fd, ".", W_OK | X_OK, 0) != 0) {
    const int why = errno;
    ::close(fd);
    return fail_errno(why, "write to " + folder);
  }
  return std::unique_ptr<Disk>(new Folder(folder, fd));
}

}  // namespace vigil::agent
