// Real programs that behave and misbehave.
#include "common/process/program.h"

#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

using namespace vigil;
using std::chrono::milliseconds;

namespace {

ProgramCall shell(const std::string& script, std::string input = "{}") {
  ProgramCall call;
  call.command = {"/bin/sh", "-c", script};
  call.environment = {"PATH=/usr/bin:/bin", "VIGIL_STATUS=firing"};
  call.input = std::move(input);
  call.timeout = milliseconds(8000);
  return call;
}

/// How it ends, and after a colon what it said; "runs on" after ten seconds.
std::string ending(ProgramCall call) {
  hold_back_sigpipe();
  Program program;
  const milliseconds timeout = call.timeout;
  const auto started = program.start(std::move(call), Program::Clock::now());
  if (!started) return started.error().message;
  const auto until = Program::Clock::now() + std::chrono::seconds(10);
  while (Program::Clock::now() < until) {
    if (const auto end = program.step(Program::Clock::now())) {
      std::string said = end->output;
      if (end->is_cut) said += " and more";
      return to_string(*end, timeout) + (said.empty() ? "" : ": " + said);
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
                     body)) == "exit status 0");
  ::close(open_here);
  CHECK(text_of(dir.file("in")) == body);
  const std::string env = text_of(dir.file("env"));
  CHECK(env.find("VIGIL_STATUS=firing\n") != std::string::npos);
  CHECK(env.find("HOME=") == std::string::npos);
  CHECK(text_of(dir.file("pwd")) == "/\n");
}

TEST_CASE("how a program ended is told") {
  CHECK(ending(shell("exit 0")) == "exit status 0");
  CHECK(ending(shell("exit 75")) == "exit status 75");
  CHECK(ending(shell("echo out; echo no such user >&2; exit 1")) == "exit status 1: no such user\n");
  CHECK(ending(shell("kill -TERM $$")) == "ended by signal 15");
  ProgramCall missing = shell("");
  missing.command = {"/nowhere/program"};
  CHECK(ending(missing) == "/nowhere/program could not be started: No such file or directory");
  ProgramCall both = shell("echo out; echo err >&2");
  both.keep = ProgramCall::Keep::everything;
  CHECK(ending(both) == "exit status 0: out\nerr\n");
}

TEST_CASE("a command that takes no input, or says too much, is no trouble") {
  CHECK(ending(shell("exec <&-; exit 0", std::string(1'000'000, 'x'))) == "exit status 0");
  ProgramCall talkative =
      shell("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero | tr '\\0' e >&2; exit 3");
  talkative.most_bytes = 200;
  CHECK(ending(talkative) == "exit status 3: " + std::string(200, 'e') + " and more");
  CHECK(ending(shell("sleep 60 & exit 0")) == "exit status 0");  // what it leaves behind is not waited for
}

TEST_CASE("what keeps a program from being run is named") {
  const test::TempDir dir;
  CHECK(fault_of_program("/bin/sh").empty());
  CHECK(fault_of_program("sh") == "is no absolute path");
  CHECK(fault_of_program(dir.file("none")) == "cannot be found");
  CHECK(fault_of_program("/") == "is no file");
  std::ofstream(dir.file("text")) << "x";
  ::chmod(dir.file("text").c_str(), 0644);
  CHECK(fault_of_program(dir.file("text")) == "may not be run by this user");
  ::chmod(dir.file("text").c_str(), 0757);
  CHECK(fault_of_program(dir.file("text")) == "may be changed by everybody: chmod o-w");
}

TEST_CASE("a command that takes too long is killed with what it started") {
  const test::TempDir dir;
  const auto begun = std::chrono::steady_clock::now();
  ProgramCall call =
      shell("trap '' TERM; (sleep 3; touch " + dir.file("late") + ") & echo waits >&2; sleep 60");
  call.timeout = milliseconds(300);
  CHECK(ending(call) == "killed: it took longer than 300ms: waits\n");
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(3));
  std::this_thread::sleep_for(std::chrono::seconds(4));
  CHECK(text_of(dir.file("late")).empty());
  CHECK(::access(dir.file("late").c_str(), F_OK) != 0);
}

TEST_CASE("a program that goes out of scope takes its process with it") {
  const test::TempDir dir;
  {
    Program program;
    REQUIRE(program.start(shell("echo $$ > " + dir.file("pid") + "; sleep 60"), Program::Clock::now()));
    for (int i = 0; i < 1000 && text_of(dir.file("pid")).empty(); ++i)
      std::this_thread::sleep_for(milliseconds(5));
    CHECK(program.is_running());
  }
  const int pid = std::stoi(text_of(dir.file("pid")));
  CHECK(::kill(pid, 0) != 0);
}
