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
  RuntimeFacts facts;
  facts.socket = "/run/docker.sock";
  facts.version = "version 24.0.7, API 1.43";
  CHECK(check_runtime(facts).verdict == Verdict::ok);
  CHECK_THAT(check_runtime(facts).seen, Catch::Contains("asked directly"));
  facts.trouble = Error{Errc::unavailable, "no such socket"};
  CHECK(check_runtime(facts).verdict == Verdict::ok);
  facts.is_configured = true;
  CHECK(check_runtime(facts).verdict == Verdict::problem);
  facts.trouble = Error{Errc::permission, "denied"};
  CHECK(check_runtime(facts).verdict == Verdict::warning);
  CHECK_THAT(check_runtime(facts).fix, Catch::Contains("enable --now vigil-docker-reader.socket"));
  facts.is_podman = true;
  CHECK_THAT(check_runtime(facts).fix, Catch::Contains("enable --now vigil-podman-reader.socket"));

  AgentConfig config;
  config.options.docker_socket = "none";
  CHECK(look_at_runtimes(config, "").empty());
  const test::TempDir folder;
  config.options.docker_socket = folder.file("engine.sock");
  const auto found = look_at_runtimes(config, "");
  REQUIRE(found.size() == 1);
  CHECK(found[0].is_configured);
  CHECK_FALSE(found[0].is_reader);
  CHECK(found[0].trouble);
}

TEST_CASE("what root may ask and the service may not is told, and that the reader asks for it") {
  RuntimeFacts facts;
  facts.socket = "/run/docker.sock";
  facts.version = "version 24.0.7, API 1.43";
  facts.service_user = "vigil-agent";
  CHECK(check_runtime(facts).verdict == Verdict::warning);
  CHECK_THAT(check_runtime(facts).seen, Catch::Contains("the service runs as vigil-agent, which may not"));
  CHECK_THAT(check_runtime(facts).fix, Catch::Contains("vigil-docker-reader.socket"));

  facts.service_user.clear();
  facts.is_reader = true;
  CHECK(check_runtime(facts).verdict == Verdict::ok);
  CHECK_THAT(check_runtime(facts).seen, Catch::Contains("through vigil-docker-reader"));
  facts.trouble = Error{Errc::not_found, "no engine at /run/docker.sock"};
  CHECK(check_runtime(facts).verdict == Verdict::ok);
  facts.trouble = Error{Errc::timeout, "no answer before the deadline"};
  CHECK(check_runtime(facts).verdict == Verdict::warning);
  CHECK_THAT(check_runtime(facts).fix, Catch::Contains("journalctl -u vigil-docker-reader"));
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
