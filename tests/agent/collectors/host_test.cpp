#include "agent/collectors/timex.h"
#include "tests/agent/collectors/support.h"
#include "tests/support/catch.h"

namespace vigil::test {

TEST_CASE("limits, clocks and CPU frequencies: recorded hosts give their golden text") {
  for (const char* host : {"vm2", "cgroup2-host", "lxc", "hostile", "mixed"}) {
    for (const char* collector : {"filefd", "entropy", "clocksource", "cpufreq", "time"})
      check_golden(host, collector);
  }
}

TEST_CASE("limits, clocks and CPU frequencies: every prefix of each file gives a result") {
  check_every_prefix("cgroup2-host", "filefd", "proc/sys/fs/file-nr", Cut::keeps_values);
  check_every_prefix("cgroup2-host", "entropy", "proc/sys/kernel/random/poolsize", Cut::keeps_values);
  check_every_prefix("cgroup2-host", "clocksource",
                     "sys/devices/system/clocksource/clocksource0/available_clocksource",
                     Cut::may_cut_labels);
  const std::string cpu = "sys/devices/system/cpu/";
  for (const char* file :
       {"cpu0/cpufreq/scaling_cur_freq", "cpu0/thermal_throttle/core_throttle_count", "isolated"}) {
    check_every_prefix("cgroup2-host", "cpufreq", cpu + file, Cut::invents_nothing);
  }
  for (const char* file : {"cpu0/cpufreq/scaling_available_governors", "cpu0/topology/core_id"}) {
    check_every_prefix("cgroup2-host", "cpufreq", cpu + file, Cut::may_cut_labels);
  }
}

TEST_CASE("timex: nanoseconds and microseconds, frequency and synchronisation") {
  timex clock{};
  clock.offset = -1500;
  clock.freq = 1'310'720;  // 20 ppm in units of 2^-16 ppm
  clock.maxerror = 16'000'000;
  clock.tick = 10'000;
  clock.status = STA_PLL;
  const auto text_of = [&](int state) {
    agent::Sheet sheet;
    sheet.begin();
    agent::put_timex(clock, state, sheet);
    sheet.end();
    return "\n" + to_text(sheet);
  };
  const std::string text = text_of(TIME_OK);
  CHECK(text.find("\nnode_timex_offset_seconds -0.0015\n") != std::string::npos);
  CHECK(text.find("\nnode_timex_frequency_adjustment_ratio 1.00002\n") != std::string::npos);
  CHECK(text.find("\nnode_timex_maxerror_seconds 16\n") != std::string::npos);
  CHECK(text.find("\nnode_timex_tick_seconds 0.01\n") != std::string::npos);
  CHECK(text.find("\nnode_timex_sync_status 1\n") != std::string::npos);
  clock.status |= STA_NANO;
  CHECK(text_of(TIME_OK).find("\nnode_timex_offset_seconds -0.0000015\n") != std::string::npos);
  CHECK(text_of(TIME_ERROR).find("\nnode_timex_sync_status 0\n") != std::string::npos);
}

TEST_CASE("timex: a container that may not ask for the clock has none, which is no failure") {
  CHECK(agent::timex_error(EPERM).code == Errc::unsupported);
  CHECK(agent::timex_error(EFAULT).code == Errc::io);
}

TEST_CASE("timex reads this kernel's clock") {
  CHECK(collect_text("timex", {}).find("node_timex_sync_status ") != std::string::npos);
  CHECK(collect_text("timex", {}).find("node_time_zone_offset_seconds{time_zone=\"") != std::string::npos);
}

}  // namespace vigil::test
