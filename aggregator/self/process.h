// What this process costs, read from the kernel.
#pragma once

#include <string>
#include <vector>

namespace vigil::aggregator::self {

/// User and system time since the process began: getrusage(2).
double cpu_seconds();
/// Resident memory: /proc/self/statm, proc(5). 0 when it cannot be read.
double resident_bytes();
double virtual_bytes();

struct ThreadTime {
  std::string name;  // at most 15 bytes, pthread_setname_np(3)
  double cpu_seconds = 0;
};
/// User and system time of each thread there is: /proc/self/task/TID/stat, proc(5). Empty when it cannot be
/// read.
std::vector<ThreadTime> thread_times();

}  // namespace vigil::aggregator::self
