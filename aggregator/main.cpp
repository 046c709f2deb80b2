#include "aggregator/aggregator.h"
#include "aggregator/doctor/doctor.h"
#include "aggregator/second_signal.h"
#include "aggregator/setup.h"
#include "common/log/log.h"
#include "common/private_memory.h"

#include <cstdio>
#include <exception>

namespace {

using namespace vigil;
using namespace vigil::aggregator;

int complain(const Error& error, int exit_code) {
  fmt::print(stderr, "vigil-aggregator: {}\n", error.message);
  return exit_code;
}

int start(const Invocation& invocation) {
  if (invocation.mode == Mode::done) return invocation.exit_code;
  if (invocation.mode == Mode::doctor) return run_doctor(invocation);
  if (invocation.mode == Mode::check) {
    for (const std::string& warning : invocation.warnings) fmt::print("warning: {}\n", warning);
    for (const auto& each : open_secrets(invocation)) fmt::print("warning: {}\n", to_string(each));
    fmt::print("configuration is valid\n");
    return 0;
  }
  if (invocation.mode == Mode::check_rules) return trial::check_rules(invocation.files, invocation.form);
  if (invocation.mode == Mode::test_rules) return trial::test_rules(invocation.files, invocation.form);
  if (!invocation.core_dumps) keep_memory_private();
  if (invocation.mode == Mode::init) return set_up(invocation);
  log::set_level(invocation.config.log_level);
  auto made = Aggregator::create(invocation);
  if (!made) return complain(made.error(), 1);
  const auto done = (*made)->run();
  return done ? 0 : complain(done.error(), 1);
}

}  // namespace

int main(int argc, char** argv) {
  block_signals();
  try {
    const auto invocation = parse_command_line(argc, argv);
    return invocation ? start(*invocation) : complain(invocation.error(), 2);
  } catch (const std::exception& error) {
    return complain(fail(Errc::internal, "{}", error.what()), 70);
  }
}
