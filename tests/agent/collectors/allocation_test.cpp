// The steady state of collectors of the beat allocates nothing: counted by replacing operator new, hence a
// program of its own.
#include "tests/agent/collectors/support.h"
#include "tests/support/catch.h"

#include <cstdlib>
#include <new>

namespace {
bool counting = false;
long allocations = 0;
}  // namespace

void* operator new(std::size_t size) {
  if (counting) ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return operator new(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace vigil::test {
namespace {

long allocations_of_50_ticks(std::string_view name, const agent::CollectorOptions& options) {
  agent::Sheet sheet;
  const auto collector = make_collector(name, options);
  for (int i = 0; i < 3; ++i) REQUIRE(tick(*collector, sheet));
  const auto version = sheet.version();
  allocations = 0;
  counting = true;
  bool worked = true;
  for (int i = 0; i < 50; ++i) worked = static_cast<bool>(tick(*collector, sheet)) && worked;
  counting = false;
  CHECK(worked);
  CHECK(sheet.version() == version);
  return allocations;
}

}  // namespace

TEST_CASE("the count sees an allocation") {
  counting = true;
  allocations = 0;
  const std::string text(100, 'x');
  counting = false;
  CHECK(allocations == 1);
  CHECK(text.size() == 100);
}

TEST_CASE("collectors of /proc allocate nothing once they know their columns") {
  for (const char* name : {"cpu", "meminfo", "vmstat", "loadavg", "pressure", "netdev", "sockstat", "netstat",
                           "filefd", "softnet", "conntrack", "time", "timex", "entropy"}) {
    INFO(name);
    CHECK(allocations_of_50_ticks(name, rooted(host_path("vm2"))) == 0);
    CHECK(allocations_of_50_ticks(name, rooted(host_path("cgroup2-host"))) == 0);
  }
}

TEST_CASE("diskstats allocates nothing once it knows its disks") {
  TempDir host;
  host.write("proc/diskstats",
             "   8 0 sda 25354637 34367663 1003346126 18492372 28444756 11134226 505697032 63877960 0 "
             "9653880 82621804\n"
             "   8 1 sda1 250 0 2000 36 0 0 0 0 0 36 36\n"
             " 253 0 dm-0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n");
  CHECK(allocations_of_50_ticks("diskstats", rooted(host.path())) == 0);
}

}  // namespace vigil::test
