// What this process costs: getrusage(2), /proc/self/statm (proc(5)), /proc/self/fd.
#include "aggregator/self/process.h"
#include "aggregator/self/registry.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>

namespace vigil::aggregator::self {
namespace {

enum class StatmField : std::uint8_t { size, resident };

double memory_bytes(StatmField field) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "re"),
                                                             &std::fclose);
  unsigned long size = 0;
  unsigned long resident = 0;
  if (!file || std::fscanf(file.get(), "%lu %lu", &size, &resident) != 2) return 0;
  return static_cast<double>(field == StatmField::size ? size : resident) *
         static_cast<double>(sysconf(_SC_PAGESIZE));
}

double open_fds() {
  std::error_code error;
  double count = 0;
  for (auto at = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && at != std::filesystem::end(at); at.increment(error)) {
    ++count;
  }
  return count;
}

double max_fds() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::vector<ThreadTime> thread_times() {
  static const double tick_seconds = 1.0 / static_cast<double>(sysconf(_SC_CLK_TCK));
  std::vector<ThreadTime> times;
  std::error_code error;
  for (auto at = std::filesystem::directory_iterator("/proc/self/task", error);
       !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    std::ifstream file(at->path() / "stat");
    std::string text;
    std::getline(file, text);
    // The name stands in parentheses and may hold any character: the last one closes it.
    const auto open = text.find('(');
    const auto close = text.rfind(')');
    if (open == std::string::npos || close == std::string::npos || close < open) continue;  // it ended
    unsigned long user = 0;
    unsigned long system = 0;
    const int read = std::sscanf(text.c_str() + close + 1,
                                 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    if (read == 2)
      times.push_back(
          {text.substr(open + 1, close - open - 1), static_cast<double>(user + system) * tick_seconds});
  }
  return times;
}

double resident_bytes() {
  return memory_bytes(StatmField::resident);
}

double virtual_bytes() {
  return memory_bytes(StatmField::size);
}

void add_process_metrics(Registry& registry) {
  registry.collect(Kind::counter, "process_cpu_seconds_total",
                   "Total user and system CPU time spent in seconds.", cpu_seconds);
  registry.collect(Kind::gauge, "process_resident_memory_bytes", "Resident memory size in bytes.",
                   resident_bytes);
  registry.collect(Kind::gauge, "process_virtual_memory_bytes", "Virtual memory size in bytes.",
                   virtual_bytes);
  registry.collect(Kind::gauge, "process_open_fds", "Number of open file descriptors.", open_fds);
  registry.collect(Kind::gauge, "process_max_fds", "Maximum number of open file descriptors.", max_fds);
  const auto started =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  registry.collect(Kind::gauge, "process_start_time_seconds",
                   "Start time of the process since unix epoch in seconds.", [started] { return started; });
}

}  // namespace vigil::aggregator::self
