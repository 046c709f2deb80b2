#include "aggregator/notify/program.h"

#include "aggregator/notify/text.h"
#include "common/text/human.h"
#include "common/text/utf8.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

namespace vigil::notify {
namespace {

constexpr std::size_t kKeptErrorBytes = 4'096;
constexpr std::size_t kReadAtOnceBytes = 65'536;  // then others have their turn
constexpr int kTemporaryFailure = 75;             // EX_TEMPFAIL
constexpr std::chrono::milliseconds kLongestGoodbye{1000};

/// What a program is started with; posix_spawn's own calls fail only for want of memory.
class Spawn {
 public:
  Spawn(int input, int errors) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    ::posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    ::posix_spawn_file_actions_addchdir_np(&actions_, "/");
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);  // SIGPIPE is ignored here
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  Spawn(const Spawn&) = delete;
  ~Spawn() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  /// 0, or what errno would be.
  int run(Request& request, pid_t& pid) const {
    std::vector<char*> arguments = pointers(request.command);
    std::vector<char*> environment = pointers(request.environment);
    return ::posix_spawn(&pid, request.command.front().c_str(), &actions_, &attributes_, arguments.data(),
                         environment.data());
  }

 private:
  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    out.reserve(texts.size() + 1);
    for (std::string& text : texts) out.push_back(text.data());
    out.push_back(nullptr);
    return out;
  }

  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

void close_end(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

/// Both ends are closed in other programs; this one's does not block.
bool open_pipe(std::array<int, 2>& ends, int own) {
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  return ::fcntl(ends[static_cast<std::size_t>(own)], F_SETFL, O_NONBLOCK) == 0;
}

std::string first_line(std::string_view text) {
  const std::size_t begin = text.find_first_not_of("\r\n");
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin);
  return printable(cut(text.substr(0, text.find_first_of("\r\n")), 200));
}

}  // namespace

Result<void> Program::start(Request request, std::chrono::milliseconds timeout, Clock::time_point now) {
  request_ = std::move(request);
  timeout_ = timeout;
  deadline_ = now + timeout;
  is_late_ = false;
  written_ = 0;
  said_.clear();
  std::array<int, 2> input{-1, -1};
  std::array<int, 2> errors{-1, -1};
  int error = 0;
  if (open_pipe(input, 1) && open_pipe(errors, 0)) {
    error = Spawn(input[0], errors[1]).run(request_, pid_);
  } else {
    error = errno;
  }
  close_end(input[0]);
  close_end(errors[1]);
  input_ = input[1];
  errors_ = errors[0];
  if (error == 0) return {};
  close_pipes();
  pid_ = 0;
  return fail(Errc::io, "{} could not be started: {}", request_.command.front(), std::strerror(error));
}

std::vector<curl_waitfd> Program::waits() const {
  std::vector<curl_waitfd> out;
  if (input_ >= 0) out.push_back({input_, CURL_WAIT_POLLOUT, 0});
  if (errors_ >= 0) out.push_back({errors_, CURL_WAIT_POLLIN, 0});
  return out;
}

/// A program need not read to its end: what it does with the message is its own affair.
void Program::write_input() {
  while (input_ >= 0 && written_ < request_.body.size()) {
    const ssize_t count = ::write(input_, request_.body.data() + written_, request_.body.size() - written_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) break;
    written_ += static_cast<std::size_t>(count);
  }
  close_end(input_);
}

void Program::read_errors() {
  std::array<char, 4096> chunk{};
  for (std::size_t read = 0; errors_ >= 0 && read < kReadAtOnceBytes;) {
    const ssize_t count = ::read(errors_, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return close_end(errors_);
    const auto length = static_cast<std::size_t>(count);
    read += length;
    said_.append(chunk.data(), std::min(length, kKeptErrorBytes - said_.size()));
  }
}

std::optional<ProgramEnd> Program::step(Clock::time_point now) {
  if (!is_running()) return std::nullopt;
  write_input();
  read_errors();
  int status = 0;
  const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
  if (ended < 0 && errno == ECHILD) {  // somebody else has taken its status
    close_pipes();
    pid_ = 0;
    return ProgramEnd{Failure{FailureKind::away, "nobody knows how it ended", 0}};
  }
  if (ended == pid_) {
    read_errors();  // what it said at last
    close_pipes();
    pid_ = 0;
    return end_of(status);
  }
  if (now >= deadline_) {
    is_late_ = true;
    kill_group();  // its end comes with a later step
  }
  return std::nullopt;
}

ProgramEnd Program::end_of(int status) const {
  const std::string said = first_line(said_);
  const std::string more = said.empty() ? "" : ": " + said;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};  // however late
  if (is_late_)
    return {Failure{FailureKind::away,
                    fmt::format("killed: it took longer than {}", format_duration(timeout_)) + more, 0}};
  if (WIFSIGNALED(status))
    return {Failure{FailureKind::away, fmt::format("ended by signal {}{}", WTERMSIG(status), more), 0}};
  const int code = WEXITSTATUS(status);
  return {Failure{code == kTemporaryFailure ? FailureKind::away : FailureKind::refused,
                  fmt::format("exit status {}{}", code, more), 0}};
}

void Program::kill_group() const {
  ::kill(-pid_, SIGKILL);
}

void Program::kill() {
  if (!is_running()) return;
  kill_group();
  close_pipes();
  // One that hangs in the kernel is left to whoever inherits it.
  const auto until = Clock::now() + kLongestGoodbye;
  while (::waitpid(pid_, nullptr, WNOHANG) == 0 && Clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  pid_ = 0;
}

void Program::close_pipes() {
  close_end(input_);
  close_end(errors_);
}

}  // namespace vigil::notify
