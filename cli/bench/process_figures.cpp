#include "cli/bench/process_figures.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>

namespace vigil::cli {
namespace {

constexpr std::uint64_t kKilobyte = 1024;

Result<std::string> read(pid_t pid, const char* name) {
  const std::string path = fmt::format("/proc/{}/{}", pid, name);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || text.empty()) return fail_errno(errno == 0 ? EIO : errno, "read " + path);
  return text;
}

Result<std::uint64_t> number(std::string_view text, std::string_view what) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(begin);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return fail(Errc::parse, "{} is no number", what);
  return value;
}

/// What follows `key` at the beginning of a line.
std::string_view line_of(std::string_view text, std::string_view key) {
  for (std::size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    if (at == 0 || text[at - 1] == '\n') return text.substr(at + key.size());
  }
  return {};
}

}  // namespace

Result<std::uint64_t> parse_cpu_ticks(std::string_view stat) {
  constexpr int kFieldsBefore = 11;  // between the name, which may hold anything, and utime
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return fail(Errc::parse, "stat has no name");
  std::string_view rest = stat.substr(name_end + 1);
  for (int i = 0; i < kFieldsBefore; ++i) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    rest.remove_prefix(std::min(rest.find(' '), rest.size()));
  }
  const auto user = number(rest, "utime");
  if (!user) return user.error();
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  rest.remove_prefix(std::min(rest.find(' '), rest.size()));
  const auto system = number(rest, "stime");
  if (!system) return system.error();
  return *user + *system;
}

Result<std::uint64_t> parse_rss_bytes(std::string_view status) {
  const std::string_view line = line_of(status, "VmRSS:");
  if (line.empty()) return 0;
  const auto kilobytes = number(line, "VmRSS");
  if (!kilobytes) return kilobytes.error();
  return *kilobytes * kKilobyte;
}

Result<std::uint64_t> parse_written_bytes(std::string_view io) {
  const auto written = number(line_of(io, "write_bytes:"), "write_bytes");
  if (!written) return written.error();
  const auto cancelled = number(line_of(io, "cancelled_write_bytes:"), "cancelled_write_bytes");
  if (!cancelled) return cancelled.error();
  return *written - std::min(*written, *cancelled);
}

Result<ProcessFigures> process_figures(pid_t pid) {
  const auto stat = read(pid, "stat");
  if (!stat) return stat.error();
  const auto status = read(pid, "status");
  if (!status) return status.error();
  const auto io = read(pid, "io");
  if (!io) return io.error();
  const auto ticks = parse_cpu_ticks(*stat);
  if (!ticks) return ticks.error();
  const auto rss = parse_rss_bytes(*status);
  if (!rss) return rss.error();
  const auto written = parse_written_bytes(*io);
  if (!written) return written.error();
  return ProcessFigures{static_cast<double>(*ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK)), *rss,
                        *written};
}

}  // namespace vigil::cli
