#include "common/threads/schedule.h"

#include "tests/support/catch.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <thread>

namespace vigil::test {
namespace {

/// sched_attr of the calling thread as bytes (sched_getattr(2)): the nice value at 16, the runtime at 24.
std::array<char, 48> attributes() {
  std::array<char, 48> out{};
  CHECK(::syscall(SYS_sched_getattr, 0, out.data(), static_cast<unsigned>(out.size()), 0U) == 0);
  return out;
}

std::uint64_t runtime_of(const std::array<char, 48>& bytes) {
  std::uint64_t runtime = 0;
  std::memcpy(&runtime, bytes.data() + 24, sizeof runtime);
  return runtime;
}

}  // namespace

TEST_CASE("a thread that asks for short turns gets them where the kernel knows them, and keeps the rest") {
  std::array<char, 48> before{};
  std::array<char, 48> after{};
  std::thread([&] {
    before = attributes();
    ask_for_short_turns();
    after = attributes();
  }).join();
  CHECK(std::memcmp(before.data(), after.data(), 24) == 0);  // policy, flags, nice, priority
  const bool kernel_has_turns = runtime_of(before) != 0;     // it tells the base slice since Linux 6.12
  if (kernel_has_turns) CHECK(runtime_of(after) == 100'000);
}

}  // namespace vigil::test
