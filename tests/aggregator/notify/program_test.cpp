// Commands as receivers: real programs that behave and misbehave.
#include "aggregator/notify/program.h"

#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

using namespace vigil;
using namespace vigil::notify;
using std::chrono::milliseconds;

namespace {

Request shell(const std::string& script, std::string body = "{}") {
  Request request;
  request.protocol = Protocol::command;
  request.command = {"/bin/sh", "-c", script};
  request.environment = {"PATH=/usr/bin:/bin", "VIGIL_STATUS=firing"};
  request.body = std::move(body);
  return request;
}

void hold_sigpipe() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

/// How it ends; "delivered", "away: ...", "refused: ..." or "runs on" after ten seconds.
std::string ending(Request request, milliseconds timeout = milliseconds(8000)) {
  hold_sigpipe();
  Program program;
  const auto started = program.start(std::move(request), timeout, Program::Clock::now());
  if (!started) return started.error().message;
  const auto until = Program::Clock::now() + std::chrono::seconds(10);
  while (Program::Clock::now() < until) {
    if (const auto end = program.step(Program::Clock::now())) {
      if (!end->failure) return "delivered";
      return (end->failure->kind == FailureKind::away ? "away: " : "refused: ") + end->failure->error;
    }
    std::this_thread::sleep_for(milliseconds(2));
  }
  return "runs on";
}

std::string text_of(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

}  // namespace

TEST_CASE("a command has the message on its standard input, and nothing it did not get from us") {
  const test::TempDir dir;
  const std::string body(1'000'000, 'x');
  const int open_here = ::dup2(STDERR_FILENO, 57);  // not close-on-exec
  CHECK(ending(shell("cat > " + dir.file("in") + "; env > " + dir.file("env") + "; pwd > " + dir.file("pwd") +
                         "; if [ -e /proc/$$/fd/57 ]; then exit 9; fi",
                     body)) == "delivered");
  ::close(open_here);
  CHECK(text_of(dir.file("in")) == body);
  const std::string env = text_of(dir.file("env"));
  CHECK(env.find("VIGIL_STATUS=firing\n") != std::string::npos);
  CHECK(env.find("HOME=") == std::string::npos);
  CHECK(text_of(dir.file("pwd")) == "/\n");
}

TEST_CASE("the exit status says whether it is about the message or about the receiver") {
  CHECK(ending(shell("exit 0")) == "delivered");
  CHECK(ending(shell("exit 75")) == "away: exit status 75");
  CHECK(ending(shell("printf '\\nno \\033[1msuch\\001 user\\nmore\\n' >&2; exit 1")) ==
        "refused: exit status 1: no ?[1msuch? user");
  CHECK(ending(shell("kill -TERM $$")) == "away: ended by signal 15");
  Request missing = shell("");
  missing.command = {"/nowhere/program"};
  CHECK(ending(missing) == "/nowhere/program could not be started: No such file or directory");
}

TEST_CASE("a command that takes no input, or says too much, is no trouble") {
  CHECK(ending(shell("exec <&-; exit 0", std::string(1'000'000, 'x'))) == "delivered");
  CHECK(ending(shell("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero | tr '\\0' e >&2; exit 3")) ==
        "refused: exit status 3: " + std::string(197, 'e') + "…");
  CHECK(ending(shell("sleep 60 & exit 0")) == "delivered");  // what it leaves behind is not waited for
}

TEST_CASE("a command that takes too long is killed with what it started") {
  const test::TempDir dir;
  const auto begun = std::chrono::steady_clock::now();
  const std::string said =
      ending(shell("trap '' TERM; (sleep 3; touch " + dir.file("late") + ") & echo waits >&2; sleep 60"),
             milliseconds(300));
  CHECK(said == "away: killed: it took longer than 300ms: waits");
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(3));
  std::this_thread::sleep_for(std::chrono::seconds(4));
  CHECK(text_of(dir.file("late")).empty());
  CHECK(::access(dir.file("late").c_str(), F_OK) != 0);
}

TEST_CASE("a program that goes out of scope takes its process with it") {
  const test::TempDir dir;
  {
    Program program;
    REQUIRE(program.start(shell("echo $$ > " + dir.file("pid") + "; sleep 60"), milliseconds(60'000),
                          Program::Clock::now()));
    for (int i = 0; i < 1000 && text_of(dir.file("pid")).empty(); ++i)
      std::this_thread::sleep_for(milliseconds(5));
    CHECK(program.is_running());
  }
  const int pid = std::stoi(text_of(dir.file("pid")));
  CHECK(::kill(pid, 0) != 0);
}
