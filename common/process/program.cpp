#include "common/process/program.h"

#include "common/text/human.h"

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

namespace vigil {
namespace {

constexpr std::size_t kReadAtOnceBytes = 65'536;  // then others have their turn
constexpr std::chrono::milliseconds kLongestGoodbye{1000};

/// What a program is started with; posix_spawn's own calls fail only for want of memory.
class Spawn {
 public:
  Spawn(int input, int output, ProgramCall::Keep keep) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    if (keep == ProgramCall::Keep::everything) {
      ::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    } else {
      ::posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    }
    ::posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO);
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
  int run(ProgramCall& call, pid_t& pid) const {
    std::vector<char*> arguments = pointers(call.command);
    std::vector<char*> environment = pointers(call.environment);
    return ::posix_spawn(&pid, call.command.front().c_str(), &actions_, &attributes_, arguments.data(),
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

}  // namespace

void hold_back_sigpipe() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

std::string_view fault_of_program(const std::string& path) {
  struct stat file {};
  if (!path.starts_with('/')) return "is no absolute path";
  if (::stat(path.c_str(), &file) != 0) return "cannot be found";
  if (!S_ISREG(file.st_mode)) return "is no file";
  if (::access(path.c_str(), X_OK) != 0) return "may not be run by this user";
  if ((file.st_mode & S_IWOTH) != 0) return "may be changed by everybody: chmod o-w";
  return "";
}

std::string to_string(const ProgramEnd& end, std::chrono::milliseconds timeout) {
  switch (end.kind) {
    case ProgramEnd::Kind::exited:
      return fmt::format("exit status {}", end.code);
    case ProgramEnd::Kind::killed:
      return fmt::format("ended by signal {}", end.code);
    case ProgramEnd::Kind::late:
      return fmt::format("killed: it took longer than {}", format_duration(timeout));
    case ProgramEnd::Kind::unknown:
      break;
  }
  return "nobody knows how it ended";
}

Result<void> Program::start(ProgramCall call, Clock::time_point now) {
  call_ = std::move(call);
  deadline_ = now + call_.timeout;
  is_late_ = false;
  written_ = 0;
  said_.clear();
  is_cut_ = false;
  std::array<int, 2> input{-1, -1};
  std::array<int, 2> output{-1, -1};
  int error = 0;
  if (open_pipe(input, 1) && open_pipe(output, 0)) {
    error = Spawn(input[0], output[1], call_.keep).run(call_, pid_);
  } else {
    error = errno;
  }
  close_end(input[0]);
  close_end(output[1]);
  input_ = input[1];
  output_ = output[0];
  if (error == 0) return {};
  close_pipes();
  pid_ = 0;
  return fail(Errc::io, "{} could not be started: {}", call_.command.front(), std::strerror(error));
}

std::vector<pollfd> Program::waits() const {
  std::vector<pollfd> out;
  if (input_ >= 0) out.push_back({input_, POLLOUT, 0});
  if (output_ >= 0) out.push_back({output_, POLLIN, 0});
  return out;
}

/// A program need not read to its end: what it does with the message is its own affair.
void Program::write_input() {
  while (input_ >= 0 && written_ < call_.input.size()) {
    const ssize_t count = ::write(input_, call_.input.data() + written_, call_.input.size() - written_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) break;
    written_ += static_cast<std::size_t>(count);
  }
  close_end(input_);
}

void Program::read_output() {
  std::array<char, 4096> chunk{};
  for (std::size_t read = 0; output_ >= 0 && read < kReadAtOnceBytes;) {
    const ssize_t count = ::read(output_, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return close_end(output_);
    const auto length = static_cast<std::size_t>(count);
    read += length;
    const std::size_t room = call_.most_bytes - said_.size();
    said_.append(chunk.data(), std::min(length, room));
    is_cut_ = is_cut_ || length > room;
  }
}

std::optional<ProgramEnd> Program::step(Clock::time_point now) {
  if (!is_running()) return std::nullopt;
  write_input();
  read_output();
  int status = 0;
  const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
  if (ended < 0 && errno == ECHILD) {
    close_pipes();
    pid_ = 0;
    return ProgramEnd{ProgramEnd::Kind::unknown, 0, std::move(said_), is_cut_};
  }
  if (ended == pid_) {
    read_output();  // what it said at last
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

ProgramEnd Program::end_of(int status) {
  ProgramEnd end{ProgramEnd::Kind::exited, 0, std::move(said_), is_cut_};
  if (WIFEXITED(status)) end.code = WEXITSTATUS(status);
  if (end.is_fine() && WIFEXITED(status)) return end;  // however late
  if (WIFSIGNALED(status)) {
    end.kind = ProgramEnd::Kind::killed;
    end.code = WTERMSIG(status);
  }
  if (is_late_) end.kind = ProgramEnd::Kind::late;
  return end;
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
  close_end(output_);
}

bool Program::hangs(Clock::time_point now) const {
  constexpr std::chrono::seconds kLongestDeath{10};
  return is_running() && is_late_ && now >= deadline_ + kLongestDeath;
}

std::optional<ProgramEnd> run_to_end(Program& program, const std::atomic<bool>& stops) {
  constexpr int kLookAgainMs = 20;  // a program's end shows nowhere else
  while (!stops) {
    const auto now = Program::Clock::now();
    if (auto end = program.step(now)) return end;
    if (program.hangs(now)) {
      program.kill();
      return ProgramEnd{ProgramEnd::Kind::unknown, 0, {}, false};
    }
    std::vector<pollfd> pipes = program.waits();
    ::poll(pipes.data(), pipes.size(), kLookAgainMs);
  }
  program.kill();
  return std::nullopt;
}

}  // namespace vigil
