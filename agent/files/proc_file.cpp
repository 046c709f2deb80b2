#include "agent/files/proc_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <utility>

namespace vigil::agent {
namespace {

std::atomic<std::uint64_t> cut_reads_count{0};

}  // namespace

std::uint64_t cut_reads() {
  return cut_reads_count.load(std::memory_order_relaxed);
}

ProcFile::ProcFile(std::string path, std::size_t max_bytes) : path_(std::move(path)), max_bytes_(max_bytes) {}

ProcFile::~ProcFile() {
  close();
}

ProcFile::ProcFile(ProcFile&& other) noexcept
    : path_(std::move(other.path_)),
      max_bytes_(other.max_bytes_),
      buffer_(std::move(other.buffer_)),
      fd_(std::exchange(other.fd_, -1)),
      truncated_(other.truncated_) {}

ProcFile& ProcFile::operator=(ProcFile&& other) noexcept {
  if (this != &other) {
    close();
    path_ = std::move(other.path_);
    max_bytes_ = other.max_bytes_;
    buffer_ = std::move(other.buffer_);
    fd_ = std::exchange(other.fd_, -1);
    truncated_ = other.truncated_;
  }
  return *this;
}

void ProcFile::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<std::string_view> ProcFile::read() {
  truncated_ = false;
  if (fd_ < 0) {
    fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd_ < 0) return fail_errno(errno, "open " + path_);
  }
  if (buffer_.empty()) buffer_.resize(4096);
  std::size_t used = 0;
  while (true) {
    const ssize_t got = ::pread(fd_, buffer_.data() + used, buffer_.size() - used, static_cast<off_t>(used));
    if (got < 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      close();
      return fail_errno(error, "read " + path_);
    }
    used += static_cast<std::size_t>(got);
    // A short read of /proc is the end of the file only when nothing follows: seq_file gives at most a page
    // at a time.
    if (got == 0) break;
    if (used >= max_bytes_) {
      truncated_ = true;
      cut_reads_count.fetch_add(1, std::memory_order_relaxed);
      break;
    }
    if (used == buffer_.size()) buffer_.resize(std::min(buffer_.size() * 2, max_bytes_));
  }
  std::string_view content(buffer_.data(), used);
  if (truncated_) content = content.substr(0, content.rfind('\n') + 1);
  return content;
}

Result<void> ProcFile::whole() const {
  if (!truncated_) return {};
  return fail(Errc::limit, "{}: longer than {} bytes, the rest is left out", path_, max_bytes_);
}

Result<std::string> read_small_file(const std::string& path, std::size_t max_bytes) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fail_errno(errno, "open " + path);
  std::string content;
  char chunk[4096];
  while (content.size() < max_bytes) {
    const ssize_t got = ::read(fd, chunk, std::min(sizeof chunk, max_bytes - content.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int error = errno;
      ::close(fd);
      return fail_errno(error, "read " + path);
    }
    if (got == 0) break;
    content.append(chunk, static_cast<std::size_t>(got));
  }
  ::close(fd);
  while (!content.empty() && (content.back() == '\n' || content.back() == '\0')) content.pop_back();
  return content;
}

namespace {

/// "cpu2" < "cpu10": compares the digits at the end as a number.
bool natural_less(const std::string& a, const std::string& b) {
  const auto split = [](const std::string& text) {
    std::size_t digits = text.size();
    while (digits > 0 && std::isdigit(static_cast<unsigned char>(text[digits - 1])) != 0) --digits;
    return digits;
  };
  const std::size_t split_a = split(a);
  const std::size_t split_b = split(b);
  const int stem = a.compare(0, split_a, b, 0, split_b);
  if (stem != 0) return stem < 0;
  const std::size_t length_a = a.size() - split_a;
  const std::size_t length_b = b.size() - split_b;
  return length_a != length_b ? length_a < length_b : a < b;
}

}  // namespace

Result<std::vector<std::string>> list_directory(const std::string& path) {
  DIR* dir = ::opendir(path.c_str());
  if (dir == nullptr) return fail_errno(errno, "open " + path);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end(), natural_less);
  return names;
}

}  // namespace vigil::agent
