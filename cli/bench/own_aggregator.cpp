#include "cli/bench/own_aggregator.h"

#include "cli/client/aggregator_program.h"
#include "common/text/quotes.h"

#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

extern char** environ;

namespace vigil::cli {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr milliseconds kLook{10};
constexpr milliseconds kStartPatience{30'000};
constexpr std::size_t kSpare = 16;  // more than needed of whatever is counted

Result<std::string> make_folder() {
  const char* base = std::getenv("TMPDIR");
  std::string name = fmt::format("{}/vigil-bench-XXXXXX", base == nullptr || *base == '\0' ? "/tmp" : base);
  if (::mkdtemp(name.data()) == nullptr) return fail_errno(errno, "mkdtemp " + name + " (see TMPDIR)");
  return name;
}

std::string configuration(const std::string& folder, const OwnAggregatorOptions& options) {
  constexpr std::size_t kFewestSeries = 100;  // that may be configured
  constexpr std::size_t kMostSeries = 200'000;
  return fmt::format(
      "data_dir: {}\ngrpc_listen: 127.0.0.1:0\nhttp_listen: 127.0.0.1:0\n"
      "ingest: {{max_agents: {}, max_hosts: {}, max_new_hosts: {}, max_series: {}, max_rate: 1GiB}}\n"
      "grpc: {{max_per_source: {}, new_per_source: {}, new_in_all: {}}}\n"
      "query: {{timeout: 10m, max_samples: 500000000}}\nrules: {{preset: {}}}\n",
      in_quotes(folder + "/data"), options.agents + kSpare, options.agents + kSpare, options.agents + kSpare,
      std::clamp(options.series * 2, kFewestSeries, kMostSeries), options.agents + kSpare,
      options.agents + kSpare, options.agents + kSpare, options.rules_preset);
}

/// Ours without what systemd gave us: the child is no service.
std::vector<char*> environment() {
  std::vector<char*> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (text.starts_with("NOTIFY_SOCKET=") || text.starts_with("JOURNAL_STREAM=") ||
        text.starts_with("WATCHDOG_"))
      continue;
    out.push_back(*entry);
  }
  out.push_back(nullptr);
  return out;
}

std::uint64_t size_of(const std::string& folder) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (auto at = fs::recursive_directory_iterator(folder, error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (at->is_regular_file(error)) bytes += at->file_size(error);
  }
  return bytes;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

Result<std::unique_ptr<OwnAggregator>> OwnAggregator::start(const OwnAggregatorOptions& options) {
  std::unique_ptr<OwnAggregator> made(new OwnAggregator);
  if (auto prepared = made->prepare(options); !prepared) return prepared.error();
  if (auto launched = made->launch(); !launched) return launched.error();
  return made;
}

Result<void> OwnAggregator::prepare(const OwnAggregatorOptions& options) {
  auto program = find_aggregator_program();
  if (!program) return program.error();
  program_ = std::move(*program);
  auto folder = make_folder();
  if (!folder) return folder.error();
  folder_ = std::move(*folder);
  const std::string path = folder_ + "/aggregator.yml";
  std::ofstream file(path);
  file << configuration(folder_, options);
  if (!file.flush()) return fail(Errc::io, "write {}: is the disk full?", path);
  return {};
}

Result<void> OwnAggregator::launch() {
  if (auto spawned = spawn(); !spawned) return spawned;
  return wait_until_ready();
}

Result<void> OwnAggregator::spawn() {
  if (log_ >= 0) ::close(log_);
  log_ = ::memfd_create("vigil-aggregator", MFD_CLOEXEC);
  if (log_ < 0) return fail_errno(errno, "memfd_create");
  const std::string config = folder_ + "/aggregator.yml";
  std::vector<char*> env = environment();
  // Its figures are read from /proc, which is closed to others where the memory must not be looked at.
  std::vector<char*> args = {program_.data(), const_cast<char*>("--config"),
                             const_cast<char*>(config.c_str()), const_cast<char*>("--core-dumps"), nullptr};
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) return fail_errno(errno, "fork");
  if (pid_ > 0) return {};
  // The child: async-signal-safe calls only. A Ctrl-C on the terminal is for us alone.
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(log_, STDOUT_FILENO);
  ::dup2(log_, STDERR_FILENO);
  ::execve(program_.c_str(), args.data(), env.data());
  ::_exit(127);
}

Result<void> OwnAggregator::wait_until_ready() {
  constexpr std::string_view kReady = "ready grpc=";
  const auto deadline = std::chrono::steady_clock::now() + kStartPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    const std::string said = last_words();
    const std::size_t at = said.find(kReady);
    const std::size_t end = at == std::string::npos ? at : said.find(' ', at + kReady.size());
    if (end != std::string::npos) {
      address_ = said.substr(at + kReady.size(), end - at - kReady.size());
      return {};
    }
    if (ended()) return fail(Errc::unavailable, "{} ended at once:\n{}", program_, said);
    std::this_thread::sleep_for(kLook);
  }
  return fail(Errc::timeout, "{} was not ready within {} s:\n{}", program_, kStartPatience.count() / 1000,
              last_words());
}

std::string OwnAggregator::last_words() const {
  constexpr off_t kMost = 4096;
  struct stat info {};
  if (::fstat(log_, &info) != 0) return {};
  const off_t begin = std::max<off_t>(info.st_size - kMost, 0);
  std::string text(static_cast<std::size_t>(info.st_size - begin), '\0');
  const ssize_t got = ::pread(log_, text.data(), text.size(), begin);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return text;
}

bool OwnAggregator::ended() const {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid_;
}

std::optional<std::string> OwnAggregator::died() {
  if (pid_ > 0 && !ended()) return {};
  return last_words();
}

Result<EndFigures> OwnAggregator::stop(milliseconds patience, const std::function<void()>& meanwhile) {
  ::kill(pid_, SIGTERM);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!ended()) {
    if (std::chrono::steady_clock::now() >= deadline)
      return fail(Errc::timeout, "the aggregator did not stop within {} s", patience.count() / 1000);
    std::this_thread::sleep_for(kLook);
    meanwhile();
  }
  const auto last = process_figures(pid_);
  int status = 0;
  rusage usage{};
  ::wait4(pid_, &status, 0, &usage);
  pid_ = -1;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return fail(Errc::internal, "the aggregator did not stop cleanly:\n{}", last_words());
  if (!last) return last.error();
  EndFigures figures{*last, size_of(folder_ + "/data")};
  figures.process.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);  // the exact sum
  return figures;
}

Result<void> OwnAggregator::restart() {
  return launch();
}

bool OwnAggregator::in_memory() const {
  struct statfs info {};
  return ::statfs(folder_.c_str(), &info) == 0 && info.f_type == TMPFS_MAGIC;
}

OwnAggregator::~OwnAggregator() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (log_ >= 0) ::close(log_);
  std::error_code ignored;
  if (!folder_.empty() && !keep_) fs::remove_all(folder_, ignored);
}

}  // namespace vigil::cli
