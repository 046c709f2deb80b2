// What the agent's doctor thinks of a kernel, a container engine and an aggregator.
#include "agent/doctor/checks.h"
#include "agent/doctor/probe.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <filesystem>

namespace vigil::agent {
namespace {

using doctor::Verdict;

Verdict worst(const doctor::Findings& findings) {
  Verdict worst = Verdict::ok;
  for (const auto& finding : findings) worst = std::max(worst, finding.verdict);
  return worst;
}

void write(const std::string& path, const char* text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

}  // namespace

TEST_CASE("a kernel that lacks something is a warning, hidden processes are a problem") {
  const KernelFacts sound{"6.1.0", true, "version 2", true, true, "/proc"};
  CHECK(worst(check_kernel(sound)) == Verdict::ok);
  const auto with = [&sound](auto spoil) {
    KernelFacts facts = sound;
    spoil(facts);
    return worst(check_kernel(facts));
  };
  CHECK(with([](KernelFacts& facts) { facts.has_pressure = false; }) == Verdict::warning);
  CHECK(with([](KernelFacts& facts) { facts.cgroups = ""; }) == Verdict::warning);
  CHECK(with([](KernelFacts& facts) { facts.reads_their_io = false; }) == Verdict::warning);
  CHECK(with([](KernelFacts& facts) { facts.sees_processes = false; }) == Verdict::problem);
}

TEST_CASE("a kernel is looked at below its roots") {
  const test::TempDir host;
  Roots roots;
  roots.procfs = host.file("proc");
  roots.sysfs = host.file("sys");
  roots.rootfs = host.file("root");
  KernelFacts facts = look_at_kernel(roots);
  CHECK_FALSE(facts.has_pressure);
  CHECK_FALSE(facts.sees_processes);
  write(roots.procfs + "/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
  write(roots.procfs + "/1/stat", "1 (init) S\n");
  write(roots.procfs + "/1/io", "rchar: 1\n");
  write(roots.procfs + "/1/mountinfo",
        "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n");
  facts = look_at_kernel(roots);
  CHECK(facts.has_pressure);
  CHECK(facts.sees_processes);
  CHECK(facts.reads_their_io);
  CHECK(facts.cgroups == "version 2");
}

TEST_CASE("an engine that may not be asked is told from one that is not there") {
  CHECK(check_runtime({"/run/docker.sock", false, {}, "version 24.0.7, API 1.43"}).verdict == Verdict::ok);
  CHECK(check_runtime({"/run/docker.sock", false, Error{Errc::unavailable, "no such socket"}, ""}).verdict ==
        Verdict::ok);
  CHECK(check_runtime({"/run/docker.sock", true, Error{Errc::unavailable, "no such socket"}, ""}).verdict ==
        Verdict::problem);
  const auto refused = check_runtime({"/run/docker.sock", false, Error{Errc::permission, "denied"}, ""});
  CHECK(refused.verdict == Verdict::warning);
  CHECK_THAT(refused.fix, Catch::Contains("helper"));

  AgentConfig config;
  config.options.docker_socket = "none";
  CHECK(look_at_runtimes(config).empty());
  const test::TempDir folder;
  config.options.docker_socket = folder.file("engine.sock");
  const auto found = look_at_runtimes(config);
  REQUIRE(found.size() == 1);
  CHECK(found[0].is_configured);
  CHECK(found[0].trouble);
}

TEST_CASE("the aggregator's version and clock are compared where it tells them") {
  using std::chrono::milliseconds;
  CHECK(worst(check_aggregator({"", "1.2.3", milliseconds(3), milliseconds(4)}, "1.2.4")) == Verdict::ok);
  CHECK(worst(check_aggregator({"", "1.4.0", milliseconds(3), milliseconds(4)}, "1.2.4")) ==
        Verdict::warning);
  CHECK(worst(check_aggregator({"", "1.2.3", milliseconds(400'000), milliseconds(4)}, "1.2.4")) ==
        Verdict::problem);
  CHECK(worst(check_aggregator({"not yours to ask", "", {}, {}}, "1.2.4")) == Verdict::warning);
}

}  // namespace vigil::agent
