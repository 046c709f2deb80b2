#include "agent/containers/cgroup_text.h"

#include "tests/agent/containers/fixtures.h"

namespace vigil::agent {

TEST_CASE("limits: max, the largest page of version 1, and numbers") {
  CHECK(limit_number("max\n") == 0);
  CHECK(limit_number("9223372036854771712\n") == 0);
  CHECK(limit_number("18446744073709551615") == 0);
  CHECK(limit_number("67108864\n") == 67108864);
  CHECK(limit_number("") == kAbsent);
  CHECK(limit_number("many") == kAbsent);
}

TEST_CASE("cpu.max with and without a limit") {
  CHECK(parse_cpu_max("50000 100000\n").quota_us == 50000);
  CHECK(parse_cpu_max("50000 100000\n").period_us == 100000);
  CHECK(parse_cpu_max("max 100000\n").quota_us == kAbsent);
  CHECK(parse_cpu_max("max 100000\n").period_us == 100000);
  CHECK(parse_cpu_max("").period_us == kAbsent);
}

TEST_CASE("keyed files give the keys asked for, and only whole keys") {
  std::int64_t a = kAbsent;
  std::int64_t b = kAbsent;
  take_keyed("nr_periods 20\nnr_throttled 4\nnr_throttled_time 9\n",
             std::array{KeyedValue{"nr_throttled", &a}, KeyedValue{"x", &b}});
  CHECK(a == 4);
  CHECK(b == kAbsent);
}

TEST_CASE("pressure totals") {
  const Pressure pressure = parse_pressure(
      "some avg10=0.65 avg60=0.30 avg300=0.07 total=410437\nfull avg10=0.00 avg60=0.00 avg300=0.00 "
      "total=7\n");
  CHECK(pressure.some_us == 410437);
  CHECK(pressure.full_us == 7);
  CHECK(parse_pressure("some avg10=0.65").some_us == kAbsent);
}

TEST_CASE("io.stat, also where a kernel prints devices without values on the line of the next") {
  std::vector<DeviceIo> devices;
  parse_io_stat(
      "7:0 7:1 8:16 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n253:0 \n8:0 rbytes=1 wbytes=0 "
      "rios=1 wios=0\n",
      devices);
  REQUIRE(devices.size() == 2);
  CHECK(devices[0].major == 8);
  CHECK(devices[0].minor == 16);
  CHECK(devices[0].read_bytes == 4096);
  CHECK(devices[0].writes == 2);
  CHECK(devices[1].minor == 0);
}

TEST_CASE("blkio lines fill bytes and operations of one device, totals are passed over") {
  std::vector<DeviceIo> devices;
  parse_blkio("8:16 Read 1449984\n8:16 Write 12288\n8:16 Total 1462272\nTotal 1462272\n", BlkioUnit::bytes,
              devices);
  parse_blkio("8:16 Read 91\n8:16 Write 3\n8:16 Total 94\nTotal 94\n", BlkioUnit::operations, devices);
  REQUIRE(devices.size() == 1);
  CHECK(devices[0].read_bytes == 1449984);
  CHECK(devices[0].written_bytes == 12288);
  CHECK(devices[0].reads == 91);
  CHECK(devices[0].writes == 3);
}

TEST_CASE("a container's interfaces without loopback and other containers' ends") {
  std::vector<InterfaceCounters> interfaces;
  parse_net_dev(
      test::fixture("hosts/docker-v1/proc/10491/net/dev") + "veth12: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n",
      interfaces);
  REQUIRE(interfaces.size() == 1);
  CHECK(interfaces[0].name() == "eth0");
  CHECK(interfaces[0].received_bytes == 7340032);
  CHECK(interfaces[0].receive_errors == 1);
  CHECK(interfaces[0].receive_dropped == 2);
  CHECK(interfaces[0].sent_bytes == 524288);
  CHECK(interfaces[0].sent_packets == 4096);
  CHECK(interfaces[0].send_errors == 3);
  CHECK(interfaces[0].send_dropped == 4);
}

TEST_CASE("devices and interfaces are bounded in number") {
  std::string io;
  std::string net;
  for (int i = 0; i < 100; ++i) {
    io += fmt::format("8:{} rbytes=1 wbytes=1 rios=1 wios=1\n", i);
    net += fmt::format("eth{}: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n", i);
  }
  std::vector<DeviceIo> devices;
  parse_io_stat(io, devices);
  CHECK(devices.size() == kMaxDevices);
  std::vector<InterfaceCounters> interfaces;
  parse_net_dev(net, interfaces);
  CHECK(interfaces.size() == kMaxInterfaces);
}

TEST_CASE("every prefix of every recorded cgroup file gives a result") {
  std::vector<DeviceIo> devices;
  std::vector<InterfaceCounters> interfaces;
  std::size_t files = 0;
  for (const char* host : {"hosts/docker-v1", "hosts/docker-v2", "hosts/docker-hybrid"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(test::fixture_path(host))) {
      if (!entry.is_regular_file()) continue;
      ++files;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      for (std::size_t size = 0; size <= text.size(); ++size) {
        const std::string_view cut(text.data(), size);
        std::int64_t value = kAbsent;
        take_keyed(cut, std::array{KeyedValue{"total_rss", &value}, KeyedValue{"usage_usec", &value}});
        (void)single_number(cut);
        (void)limit_number(cut);
        (void)parse_cpu_max(cut);
        (void)parse_pressure(cut);
        parse_io_stat(cut, devices);
        parse_blkio(cut, BlkioUnit::bytes, devices);
        parse_net_dev(cut, interfaces);
      }
    }
  }
  CHECK(files > 60);
}

}  // namespace vigil::agent
