#include "agent/doctor/checks.h"

#include "common/doctor/checks.h"

namespace vigil::agent {

using doctor::ok;
using doctor::problem;
using doctor::warning;

namespace {

doctor::Finding check_processes(const KernelFacts& facts) {
  if (!facts.sees_processes)
    return problem(
        "permissions", facts.procfs,
        "processes of other users are hidden (hidepid=): rankings and counts of processes lack them",
        "give the agent the group that gid= of its mount names, or mount it without hidepid=");
  if (!facts.reads_their_io)
    return warning(
        "permissions", facts.procfs, "the I/O of other users' processes cannot be read",
        "systemctl enable --now vigil-kernel-reader.socket, which reads it for the agent; or do without the "
        "ranking by I/O");
  return ok("permissions", facts.procfs, "processes of all users are seen, with their I/O");
}

}  // namespace

doctor::Findings check_kernel(const KernelFacts& facts) {
  doctor::Findings findings;
  findings.push_back(ok("kernel", "release", facts.release));
  findings.push_back(facts.has_pressure
                         ? ok("kernel", "pressure (PSI)", "there")
                         : warning("kernel", "pressure (PSI)",
                                   "this kernel has none, or it is off: no node_pressure_*",
                                   "boot with psi=1, if its configuration has PSI (from 4.20 on)"));
  if (facts.cgroups.empty()) {
    findings.push_back(
        warning("kernel", "cgroups", "none is mounted: containers have no usage",
                "mount /sys/fs/cgroup; in a container also the host's, see docs/containers.md"));
  } else {
    findings.push_back(ok("kernel", "cgroups", facts.cgroups));
  }
  findings.push_back(check_processes(facts));
  return findings;
}

namespace {

std::string enable_reader(const RuntimeFacts& facts) {
  return fmt::format(
      "systemctl enable --now {}, then restart the agent; it asks the engine for the agent, which needs no "
      "group for that (docs/containers.md)",
      facts.is_podman ? "vigil-podman-reader.socket" : "vigil-docker-reader.socket");
}

}  // namespace

doctor::Finding check_runtime(const RuntimeFacts& facts) {
  constexpr const char* kArea = "docker";
  if (facts.trouble) {
    const std::string& seen = facts.trouble->message;
    if (facts.trouble->code == Errc::permission)
      return warning(kArea, facts.socket, seen + ": containers are seen by their cgroups only",
                     enable_reader(facts));
    if (!facts.is_configured && facts.is_reader && facts.trouble->code != Errc::not_found)
      return warning(kArea, facts.socket, seen,
                     fmt::format("start the engine; {} may know more",
                                 facts.is_podman ? "journalctl -u vigil-podman-reader"
                                                 : "journalctl -u vigil-docker-reader"));
    if (!facts.is_configured) return ok(kArea, facts.socket, "no engine there");
    return problem(kArea, facts.socket, seen,
                   "start the engine, or set docker_socket to its socket, auto or none");
  }
  if (facts.is_reader) return ok(kArea, facts.socket, facts.version + ", through vigil-docker-reader");
  if (!facts.service_user.empty())
    return warning(kArea, facts.socket,
                   fmt::format("{}, asked as root; the service runs as {}, which may not, or is as good as "
                               "root by a group of its unit",
                               facts.version, facts.service_user),
                   enable_reader(facts));
  return ok(kArea, facts.socket, facts.version + ", asked directly");
}

doctor::Findings check_aggregator(const AggregatorFacts& facts, const std::string& our_version) {
  if (!facts.trouble.empty())
    return {warning("versions", "the aggregator's", "it does not say: " + facts.trouble,
                    "vigil doctor, run by a person, compares versions and clocks of all hosts")};
  return {doctor::check_version("the aggregator's", our_version, facts.version),
          doctor::check_offset(facts.clock_offset, facts.round_trip)};
}

}  // namespace vigil::agent
