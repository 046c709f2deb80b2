#include "agent/collectors/process_scan.h"

#include "agent/files/scan.h"
#include "common/text/trim.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/compile.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

namespace vigil::agent {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

Directory open_directory(int folder, const char* path) {
  const int fd = ::openat(folder, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  DIR* const directory = ::fdopendir(fd);
  if (directory == nullptr) ::close(fd);
  return Directory(directory);
}

bool hexadecimal(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}
bool word(char c) {
  return hexadecimal(c) || (c >= 'g' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');  // comm may hold parentheses, what follows it may not
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  const auto pid = parse_integer(trim(text.substr(0, open)));
  if (!pid) return std::nullopt;
  ProcessStat stat;
  stat.pid = *pid;
  stat.comm = text.substr(open + 1, close - open - 1);
  Fields fields(text.substr(close + 1));
  const std::string_view state = fields.next();
  if (state.size() != 1 || !word(state.front())) return std::nullopt;
  stat.state = state.front();
  fields.skip(10);  // ppid to cmajflt
  const auto user = fields.number();
  const auto system = fields.number();
  fields.skip(4);  // cutime to nice
  const auto threads = fields.number();
  fields.skip(1);  // itrealvalue
  const auto start = fields.number();
  fields.skip(1);  // vsize
  const auto rss = fields.number();
  if (!user || !system || !threads || !start || !rss) return std::nullopt;
  if (*user < 0 || *system < 0) return std::nullopt;
  if (__builtin_add_overflow(*user, *system, &stat.cpu_ticks)) return std::nullopt;
  stat.threads = *threads;
  stat.start_ticks = *start;
  stat.rss_pages = std::max<std::int64_t>(*rss, 0);
  return stat;
}

std::optional<ProcessIo> parse_process_io(std::string_view text) {
  ProcessIo io;
  int found = 0;
  for (Lines lines(text); lines.next();) {
    const auto [key, value] = split_once(lines.line(), ':');
    const auto number = parse_integer(trim(value));
    if (!number) continue;
    if (key == "read_bytes") io.read_bytes = std::max<std::int64_t>(*number, 0), ++found;
    if (key == "write_bytes") io.written_bytes = std::max<std::int64_t>(*number, 0), ++found;
  }
  if (found != 2) return std::nullopt;
  return io;
}

std::string container_of_cgroup(std::string_view text) {
  constexpr std::size_t kIdLength = 64;
  constexpr std::size_t kShortLength = 12;
  for (Lines lines(text); lines.next();) {
    const std::string_view line = lines.line();
    if (line.find("-conmon-") != std::string_view::npos)
      continue;  // Podman's monitor: outside, named after its container
    for (std::size_t begin = 0; begin < line.size(); ++begin) {
      if (!word(line[begin])) continue;
      std::size_t end = begin;
      bool all_hexadecimal = true;
      for (; end < line.size() && word(line[end]); ++end)
        all_hexadecimal = all_hexadecimal && hexadecimal(line[end]);
      if (all_hexadecimal && end - begin == kIdLength) return std::string(line.substr(begin, kShortLength));
      begin = end;
    }
  }
  return {};
}

ProcessTree::ProcessTree(std::string procfs) : procfs_(std::move(procfs)) {}

ProcessTree::~ProcessTree() {
  if (folder_ >= 0) ::close(folder_);
}

Result<std::string_view> ProcessTree::read_at(int folder, const char* path) {
  const int fd = ::openat(folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fail_errno(errno, "open /proc/[pid] file");
  ssize_t got = 0;
  do {
    got = ::read(fd, buffer_, sizeof buffer_);
  } while (got < 0 && errno == EINTR);
  const int error = errno;
  ::close(fd);
  if (got < 0) return fail_errno(error, "read /proc/[pid] file");
  return std::string_view(buffer_, static_cast<std::size_t>(got));
}

Result<std::string_view> ProcessTree::read(std::int64_t pid, const char* name) {
  char path[64];
  *fmt::format_to_n(path, sizeof path - 1, FMT_COMPILE("{}/{}"), pid, name).out = '\0';
  return read_at(folder_, path);
}

Result<void> ProcessTree::each(const std::function<void(const ProcessStat&)>& visit) {
  if (folder_ < 0) folder_ = ::open(procfs_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0) return fail_errno(errno, "open " + procfs_);
  const Directory directory = open_directory(folder_, ".");
  if (directory == nullptr) return fail_errno(errno, "open " + procfs_);
  while (const dirent* entry = ::readdir(directory.get())) {
    const auto pid = parse_integer(entry->d_name);
    if (!pid || *pid <= 0) continue;
    const auto text = read(*pid, "stat");
    if (!text) continue;
    if (const auto stat = parse_process_stat(*text)) visit(*stat);
  }
  return {};
}

void ProcessTree::each_thread(std::int64_t pid, const std::function<void(char)>& visit) {
  char path[64];
  *fmt::format_to_n(path, sizeof path - 1, FMT_COMPILE("{}/task"), pid).out = '\0';
  const Directory directory = open_directory(folder_, path);
  if (directory == nullptr) return;
  while (const dirent* entry = ::readdir(directory.get())) {
    const auto thread = parse_integer(entry->d_name);
    if (!thread) continue;
    *fmt::format_to_n(path, sizeof path - 1, FMT_COMPILE("{}/task/{}/stat"), pid, *thread).out = '\0';
    const auto text = read_at(folder_, path);
    if (!text) continue;
    if (const auto stat = parse_process_stat(*text)) visit(stat->state);
  }
}

}  // namespace vigil::agent
