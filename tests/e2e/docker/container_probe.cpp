// Runs the containers collector on this machine and prints, for each line read from stdin, one tick as
// Prometheus text that ends with the line "# end": what docker_engine.py asks to see what a real Engine's
// containers look like from here.
//   container_probe SOCKET [SECONDS]      with SECONDS: ticks that long at 1 Hz and prints what a tick costs
//   instead
#include "agent/collectors/table.h"
#include "common/text/exposition.h"

#include <sys/resource.h>

#include <cstdio>
#include <iostream>
#include <string>
#include <thread>

namespace vigil::agent {
namespace {

std::unique_ptr<Collector> make_containers_collector(const std::string& socket) {
  CollectorOptions options;
  options.docker_socket = socket;
  for (const CollectorEntry& entry : collector_table()) {
    if (entry.name == "containers") return entry.make(options);
  }
  return nullptr;
}

Tick now() {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::milliseconds>(wall).count(),
          std::chrono::steady_clock::now()};
}

Result<void> tick(Collector& collector, Sheet& sheet) {
  sheet.begin();
  auto result = collector.collect(now(), sheet);
  sheet.end();
  return result;
}

void print(const Sheet& sheet) {
  std::string out;
  for (std::size_t i = 0; i < sheet.width(); ++i) {
    if (sheet.values()[i] == kAbsent) continue;
    const SeriesSpec spec = sheet.spec(i);
    append_sample(out, spec.name, spec.labels, to_double(sheet.values()[i], spec.encoding, spec.scale));
  }
  std::fputs((out + "# end\n").c_str(), stdout);
  std::fflush(stdout);
}

double cpu_ms() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  const auto ms = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
  };
  return ms(usage.ru_utime) + ms(usage.ru_stime);
}

void measure(Collector& collector, Sheet& sheet, int seconds) {
  (void)tick(collector, sheet);
  const double before = cpu_ms();
  double longest = 0;
  for (int i = 0; i < seconds; ++i) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    const auto begun = std::chrono::steady_clock::now();
    (void)tick(collector, sheet);
    longest = std::max(
        longest, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count());
  }
  std::printf("series %zu cpu_ms_per_tick %.3f longest_ms %.3f\n", sheet.width(),
              (cpu_ms() - before) / seconds, longest);
}

}  // namespace
}  // namespace vigil::agent

int main(int argc, char** argv) {
  using namespace vigil::agent;
  if (argc < 2) {
    std::fputs("usage: container_probe SOCKET [SECONDS]\n", stderr);
    return 2;
  }
  const auto collector = make_containers_collector(argv[1]);
  if (!collector) return 1;
  Sheet sheet(100'000);
  if (argc > 2) {
    measure(*collector, sheet, std::atoi(argv[2]));
    return 0;
  }
  for (std::string line; std::getline(std::cin, line);) {
    const auto result = tick(*collector, sheet);
    if (!result) std::printf("# error %s\n", result.error().message.c_str());
    print(sheet);
  }
  return 0;
}
