#include "agent/collectors/systemd.h"

#include "tests/agent/collectors/fake_systemd.h"
#include "tests/agent/collectors/support.h"
#include "tests/support/catch.h"

namespace vigil::agent {
namespace {

using namespace vigil::test;
using Manner = FakeSystemd::Manner;
using std::chrono::milliseconds;

constexpr auto kPatience =
    std::chrono::seconds(20);  // of a collector whose systemd answers, on a busy machine
constexpr std::int64_t kStart = 1'700'000'000'000;

/// A host on which systemd runs.
class Booted {
 public:
  Booted() {
    std::filesystem::create_directories(host_.path() / "run/systemd/system");
    bus_ = PrivateBus::start(host_.path() / "run/dbus");
  }
  bool has_bus() const { return bus_ != nullptr; }
  const std::string& socket() const { return bus_->socket(); }
  void end_bus() { bus_.reset(); }
  void start_bus() { bus_ = PrivateBus::start(host_.path() / "run/dbus"); }
  CollectorOptions options() const { return rooted(host_.path()); }

 private:
  TempDir host_;
  std::unique_ptr<PrivateBus> bus_;
};

std::vector<FakeUnit> some_units() {
  return {
      {.name = "nginx.service", .type = "forking", .restarts = 3},
      {.name = "cron.service"},
      {.name = "backup.service", .active_state = "failed", .sub_state = "failed", .type = "oneshot"},
      {.name = "backup.timer", .sub_state = "waiting", .last_trigger_usec = 1'700'000'000'123'456},
      {.name = "odd.timer", .sub_state = "waiting", .load_state = "not-found"},
      {.name = "mnt-data.mount", .active_state = "failed", .sub_state = "failed", .type = "ext4"},
      {.name = "loop.service", .active_state = "activating", .sub_state = "auto-restart", .restarts = 70},
      {.name = "ssh.socket", .active_state = "inactive", .sub_state = "dead"},
      {.name = "slow.service", .active_state = "reloading", .sub_state = "reload"},
  };
}

}  // namespace

TEST_CASE("failed units, restarts, timers and the state of systemd come off the bus") {
  Booted host;
  if (!host.has_bus()) return;
  FakeSystemd systemd(host.socket(), some_units());
  const auto collector = make_systemd_with(host.options(), kPatience);
  Sheet sheet;
  REQUIRE(tick(*collector, sheet));
  CHECK(to_text(sheet) ==
        "node_systemd_service_restart_total{name=\"backup.service\"} 0\n"
        "node_systemd_service_restart_total{name=\"loop.service\"} 70\n"
        "node_systemd_service_restart_total{name=\"nginx.service\"} 3\n"
        "node_systemd_system_running 0\n"
        "node_systemd_timer_last_trigger_seconds{name=\"backup.timer\"} 1700000000.123456\n"
        "node_systemd_unit_state{name=\"backup.service\", state=\"activating\", type=\"oneshot\"} 0\n"
        "node_systemd_unit_state{name=\"backup.service\", state=\"active\", type=\"oneshot\"} 0\n"
        "node_systemd_unit_state{name=\"backup.service\", state=\"deactivating\", type=\"oneshot\"} 0\n"
        "node_systemd_unit_state{name=\"backup.service\", state=\"failed\", type=\"oneshot\"} 1\n"
        "node_systemd_unit_state{name=\"backup.service\", state=\"inactive\", type=\"oneshot\"} 0\n"
        "node_systemd_unit_state{name=\"mnt-data.mount\", state=\"activating\", type=\"ext4\"} 0\n"
        "node_systemd_unit_state{name=\"mnt-data.mount\", state=\"active\", type=\"ext4\"} 0\n"
        "node_systemd_unit_state{name=\"mnt-data.mount\", state=\"deactivating\", type=\"ext4\"} 0\n"
        "node_systemd_unit_state{name=\"mnt-data.mount\", state=\"failed\", type=\"ext4\"} 1\n"
        "node_systemd_unit_state{name=\"mnt-data.mount\", state=\"inactive\", type=\"ext4\"} 0\n"
        "node_systemd_units{state=\"activating\"} 1\n"
        "node_systemd_units{state=\"active\"} 4\n"
        "node_systemd_units{state=\"deactivating\"} 0\n"
        "node_systemd_units{state=\"failed\"} 2\n"
        "node_systemd_units{state=\"inactive\"} 1\n"
        "node_systemd_units{state=\"reloading\"} 1\n"
        "node_systemd_version{version=\"252.39-1~deb12u2\"} 252.39\n");
}

TEST_CASE("units that the configuration names are reported whatever their state") {
  Booted host;
  if (!host.has_bus()) return;
  FakeSystemd systemd(host.socket(), some_units());
  auto options = host.options();
  options.systemd_unit_include = "(nginx|ssh)\\..*";
  const auto collector = make_systemd_with(options, kPatience);
  Sheet sheet;
  REQUIRE(tick(*collector, sheet));
  const std::string text = to_text(sheet);
  CHECK_THAT(text,
             Catch::Contains("unit_state{name=\"nginx.service\", state=\"active\", type=\"forking\"} 1\n"));
  CHECK_THAT(text, Catch::Contains("unit_state{name=\"ssh.socket\", state=\"inactive\"} 1\n"));
  CHECK_THAT(text, !Catch::Contains("unit_state{name=\"cron.service\""));
}

TEST_CASE("a unit that was failed is shown for five minutes more, so that its alert resolves") {
  Booted host;
  if (!host.has_bus()) return;
  FakeSystemd systemd(host.socket(), {{.name = "a.service", .active_state = "failed"}});
  const auto collector = make_systemd_with(host.options(), kPatience);
  Sheet sheet;
  REQUIRE(tick(*collector, sheet, kStart));
  systemd.set({{.name = "a.service"}});
  REQUIRE(tick(*collector, sheet, kStart + 10'000));
  CHECK_THAT(to_text(sheet), Catch::Contains("state=\"failed\", type=\"simple\"} 0\n"));
  REQUIRE(tick(*collector, sheet, kStart + 310'000));
  CHECK_THAT(to_text(sheet), !Catch::Contains("unit_state"));
}

TEST_CASE("services are asked for their restarts a few at a time, and the restarted one is found") {
  Booted host;
  if (!host.has_bus()) return;
  std::vector<FakeUnit> units;
  for (int i = 0; i < 100; ++i) units.push_back({.name = fmt::format("s{}.service", i)});
  units[77].restarts = 1;
  FakeSystemd systemd(host.socket(), units);
  const auto collector = make_systemd_with(host.options(), kPatience);
  Sheet sheet;
  for (int pass = 0; pass < 5; ++pass) REQUIRE(tick(*collector, sheet));
  CHECK(systemd.restart_questions() <= 5 * 21);
  CHECK_THAT(to_text(sheet), Catch::Contains("restart_total{name=\"s77.service\"} 1\n"));
  units[77].restarts = 2;
  systemd.set(units);
  REQUIRE(tick(*collector, sheet));
  CHECK_THAT(to_text(sheet), Catch::Contains("restart_total{name=\"s77.service\"} 2\n"));
}

TEST_CASE("a systemd that accepts and never answers is an error after the timeout, and is asked anew") {
  Booted host;
  if (!host.has_bus()) return;
  const auto collector = make_systemd_with(host.options(), milliseconds(300));
  Sheet sheet;
  {
    FakeSystemd silent(host.socket(), {}, Manner::silent);
    const auto result = tick(*collector, sheet);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::timeout);
  }
  const auto absent = tick(*collector, sheet);
  REQUIRE_FALSE(absent);
  CHECK(absent.error().code == Errc::unavailable);
  FakeSystemd systemd(host.socket(), some_units());
  const auto patient = make_systemd_with(host.options(), kPatience);
  CHECK(tick(*patient, sheet));
}

TEST_CASE("the bus may be restarted under the collector") {
  Booted host;
  if (!host.has_bus()) return;
  const auto collector = make_systemd_with(host.options(), kPatience);
  Sheet sheet;
  {
    FakeSystemd systemd(host.socket(), some_units());
    REQUIRE(tick(*collector, sheet));
  }
  host.end_bus();
  const auto gone = tick(*collector, sheet);
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == Errc::unavailable);
  std::filesystem::remove(std::filesystem::path(host.options().roots.rootfs) / "run/dbus/system_bus_socket");
  host.start_bus();
  FakeSystemd systemd(host.socket(), some_units());
  CHECK(tick(*collector, sheet));
}

TEST_CASE("a reply of another form than systemd's is a parse error, not a crash") {
  Booted host;
  if (!host.has_bus()) return;
  FakeSystemd systemd(host.socket(), {}, Manner::wrong_types);
  const auto collector = make_systemd_with(host.options(), kPatience);
  Sheet sheet;
  const auto result = tick(*collector, sheet);
  REQUIRE_FALSE(result);
  CHECK(result.error().code == Errc::parse);
}

TEST_CASE("a host without systemd, or with it but without a bus, just does not have it") {
  TempDir host;
  CHECK(collect_text("systemd", rooted(host.path())) == "# error unsupported\n");
  std::filesystem::create_directories(host.path() / "run/systemd/system");
  CHECK(collect_text("systemd", rooted(host.path())) == "# error unsupported\n");
}

}  // namespace vigil::agent
