#include "agent/agent.h"
#include "agent/doctor/doctor.h"
#include "agent/flags.h"
#include "agent/once.h"
#include "agent/plan.h"
#include "common/private_memory.h"

#include <malloc.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

namespace {

using namespace vigil;
using namespace vigil::agent;

int complain(const Error& error, int exit_code) {
  fmt::print(stderr, "vigil-agent: {}\n", error.message);
  return exit_code;
}

int say(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return 0;
  return complain(fail_errno(errno, "standard output"), 1);
}

int start(const Invocation& invocation) {
  if (invocation.mode == Mode::done) return invocation.exit_code;
  if (invocation.mode == Mode::doctor) return run_doctor(invocation);
  if (invocation.mode == Mode::list_collectors) return say(collector_list());
  if (!invocation.core_dumps && invocation.mode != Mode::once) keep_memory_private();
  if (invocation.mode == Mode::enroll) return enroll_command(invocation.enroll);
  if (const auto there = check_roots(invocation.config); !there) return complain(there.error(), 2);
  if (invocation.mode == Mode::check) {
    if (const auto fine = check_spool(invocation.config); !fine) return complain(fine.error(), 2);
    return say(checked(invocation.config));
  }
  log::set_level(invocation.config.log_level);
  if (invocation.mode == Mode::once) return say(collect_once(invocation.config));
  auto made = Agent::create(invocation.config, [&invocation] { return reread(invocation); });
  if (!made) return complain(made.error(), 1);
  (*made)->run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  ::mallopt(M_ARENA_MAX, 1);  // an arena per thread costs memory, and our threads hardly ever meet
  std::signal(SIGPIPE, SIG_IGN);
  const auto invocation = parse_command_line(argc, argv);
  const int exit_code = invocation ? start(*invocation) : complain(invocation.error(), 2);
  // A collector that hangs in the kernel leaves its thread behind; static destructors must not run under it.
  std::fflush(nullptr);
  ::_exit(exit_code);
}
