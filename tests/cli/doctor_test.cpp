// What the doctor thinks of what an aggregator says of itself and its fleet.
#include "cli/doctor/fleet_checks.h"
#include "tests/support/catch.h"

namespace vigil::cli {
namespace {

using doctor::Verdict;

v1::Status status_of(std::int64_t now_ms, std::initializer_list<const char*> problems = {}) {
  v1::Status status;
  status.set_version("1.2.3");
  status.set_now_ms(now_ms);
  for (const char* problem : problems) status.add_problems(problem);
  return status;
}

v1::Host& add_host(v1::ListHostsResponse& hosts, const char* name, const char* version) {
  v1::Host& host = *hosts.add_hosts();
  host.set_name(name);
  host.set_kind("agent");
  host.set_state(v1::Host::STATE_UP);
  host.set_agent_version(version);
  return host;
}

const doctor::Finding& about(const doctor::Findings& findings, std::string_view area, std::string_view what) {
  for (const auto& finding : findings) {
    if (finding.area == area && finding.about == what) return finding;
  }
  FAIL("no finding in " << area << " about " << what);
  return findings.front();
}

}  // namespace

TEST_CASE("an aggregator without problems whose clock is ours is in order") {
  const auto findings = check_status(status_of(10'005), {10'000, 10'010}, "1.2.3");
  CHECK(doctor::is_well(findings));
  for (const auto& finding : findings) CHECK(finding.verdict == Verdict::ok);
}

TEST_CASE("its problems are findings, and so are another version and another time") {
  const auto findings =
      check_status(status_of(400'000, {"store: the disk is full"}), {10'000, 10'010}, "1.4.0");
  CHECK(about(findings, "versions", "the aggregator's").verdict == Verdict::warning);
  CHECK(about(findings, "clock", "the aggregator's").verdict == Verdict::problem);
  CHECK(about(findings, "aggregator", "status").seen == "store: the disk is full");
  CHECK_FALSE(doctor::is_well(findings));
}

TEST_CASE("each problem has a fix of its own, and an unknown one leads to the page that has them all") {
  const auto [problem, fix] = GENERATE(table<const char*, const char*>(
      {{"store: 2 damaged blocks were found", "vigil db check"},
       {"receiver ops (slack): HTTP 404", "vigil receivers test NAME"},
       {"the last reload was refused: a.yml:1:1: x; the rules before it are in force", "--check"},
       {"two agents call themselves web-1: the second one is at 192.0.2.1", "another name"},
       {"the agent of web-1 is turned away: too many series", "the limit"},
       {"another machine took the name web-1", "if it was replaced"},
       {"of web-1 3 batches are acknowledged and not here", "vigil gaps"},
       {"the clock of web-1 is +9.0 s off", "its clock"},
       {"heartbeat: HTTP 500", "\"What the aggregator reports\""}}));
  CHECK_THAT(
      about(check_status(status_of(10'005, {problem}), {10'000, 10'010}, "1.2.3"), "aggregator", "status")
          .fix,
      Catch::Contains(fix));
}

TEST_CASE("keys that wait for a restart are a warning") {
  v1::Status status = status_of(10'005);
  status.add_needs_restart("grpc_listen");
  status.add_needs_restart("store.raw.retention");
  const auto findings = check_status(status, {10'000, 10'010}, "1.2.3");
  const auto& waiting = about(findings, "configuration", "the aggregator's");
  CHECK(waiting.verdict == Verdict::warning);
  CHECK_THAT(waiting.seen, Catch::Contains("grpc_listen, store.raw.retention"));
  CHECK_THAT(waiting.fix, Catch::Contains("systemctl restart vigil-aggregator"));
}

TEST_CASE("agents that are down, of another version, or share a name are named") {
  v1::ListHostsResponse hosts;
  CHECK(check_hosts(hosts, "1.2.3").front().verdict == Verdict::warning);
  add_host(hosts, "a", "1.2.4");
  hosts.add_hosts()->set_kind("rules");  // not an agent
  CHECK(about(check_hosts(hosts, "1.2.3"), "hosts", "agents").seen == "1 agent, none is down");
  add_host(hosts, "b", "1.1.0").set_state(v1::Host::STATE_DOWN);
  v1::Host& doubled = add_host(hosts, "c", "1.1.0");
  doubled.set_duplicates(3);
  doubled.set_duplicate_remote("192.0.2.1");
  add_host(hosts, "d", "0.1.0").set_state(v1::Host::STATE_LEFT);
  const auto findings = check_hosts(hosts, "1.2.3");
  CHECK(about(findings, "hosts", "agents").seen == "down: b");
  CHECK(about(findings, "versions", "agents").seen == "1.1.0: b, c; the aggregator is 1.2.3");
  CHECK(about(findings, "hosts", "names").verdict == Verdict::problem);
}

}  // namespace vigil::cli
