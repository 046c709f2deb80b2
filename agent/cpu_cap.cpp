// gRPC starts threads by the number of CPUs it sees: on a host with 64 of them an agent that sends one
// message a second would run 50. The program is linked with --wrap=sysconf, so that what is linked into it
// statically (release builds: gRPC) asks here.
#include <unistd.h>

#include <algorithm>

#ifdef __clang__
#pragma clang diagnostic ignored "-Wreserved-identifier"  // ld(1) chooses these names
#endif

extern "C" {

long __real_sysconf(int name);

__attribute__((used)) long __wrap_sysconf(int name) {
  constexpr long kCpusSeen = 1;
  const long value = __real_sysconf(name);
  const bool counts_cpus = name == _SC_NPROCESSORS_ONLN || name == _SC_NPROCESSORS_CONF;
  return counts_cpus ? std::min(value, kCpusSeen) : value;
}
}
