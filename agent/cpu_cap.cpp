// gRPC starts threads by the number of CPUs it sees: on a host with 64 of them an agent that sends one
// message a second would run 50. The program is linked with --wrap=sysconf, so that what is linked into it
// statically (release builds: gRPC) asks here.
#include <unistd.h>

#include <algorithm>

extern "C" {

long __real_sysconf(int name);  // NOLINT(bugprone-reserved-identifier): ld(1) chooses these names

__attribute__((used)) long __wrap_sysconf(int name) {  // NOLINT(bugprone-reserved-identifier)
  constexpr long kCpusSeen = 2;
  const long value = __real_sysconf(name);
  const bool counts_cpus = name == _SC_NPROCESSORS_ONLN || name == _SC_NPROCESSORS_CONF;
  return counts_cpus ? std::min(value, kCpusSeen) : value;
}
}
