#include "cli/doctor/fleet_checks.h"

#include "common/doctor/checks.h"
#include "common/text/human.h"

#include <map>
#include <vector>

namespace vigil::cli {
namespace {

using Names = std::vector<std::string>;

std::string listed(const Names& names) {
  constexpr std::size_t kMost = 8;
  const std::size_t shown = std::min(names.size(), kMost);
  return fmt::format("{}{}", fmt::join(names.begin(), names.begin() + static_cast<long>(shown), ", "),
                     names.size() > shown ? fmt::format(" and {} more", names.size() - shown) : "");
}

/// "1.2.3" without its last part.
std::string release_line(const std::string& version) {
  return version.substr(0, version.rfind('.'));
}

doctor::Finding check_agent_versions(const std::map<std::string, Names>& by_version,
                                     const std::string& aggregator) {
  std::string others;
  for (const auto& [version, names] : by_version) {
    if (release_line(version) == release_line(aggregator)) continue;
    others += fmt::format("{}{}: {}", others.empty() ? "" : "; ", version, listed(names));
  }
  if (others.empty()) return doctor::ok("versions", "agents", "fit to the aggregator's, " + aggregator);
  return doctor::warning("versions", "agents", fmt::format("{}; the aggregator is {}", others, aggregator),
                         "upgrade the aggregator first, then these agents");
}

struct Cure {
  std::string_view beginning;  // of what the aggregator says
  const char* fix;
};

/// An aggregator of another version may say what is not here: the page has all of its own.
constexpr Cure kCures[] = {
    {"store: ", "vigil db check names the files; vigil-aggregator doctor there looks at the disk"},
    {"receiver ",
     "vigil receivers; once it is mended, vigil receivers test NAME; vigil receivers dead has what was given "
     "up"},
    {"the last reload was refused",
     "vigil-aggregator --check --config /etc/vigil/aggregator.yml --data-dir /var/lib/vigil there, then "
     "vigil reload"},
    {"two agents call themselves ", "give one of them another name"},
    {"the agent of ", "raise the limit that is named; vigil-agent doctor on that host"},
    {"another machine took the name ", "nothing, if it was replaced; else give one of them another name"},
    {"of ", "vigil gaps HOST has what is missing"},
    {"the clock of ", "vigil-agent doctor on that host looks at its clock"},
};

std::string fix_of(std::string_view problem) {
  for (const Cure& cure : kCures) {
    if (problem.starts_with(cure.beginning)) return cure.fix;
  }
  return "docs/operations.md, \"What the aggregator reports\"; vigil-aggregator doctor there";
}

}  // namespace

doctor::Findings check_status(const v1::Status& status, const Asked& asked, const std::string& our_version) {
  const std::chrono::milliseconds round_trip(asked.answered_ms - asked.at_ms);
  const std::chrono::milliseconds offset(status.now_ms() - (asked.at_ms + asked.answered_ms) / 2);
  doctor::Findings findings{doctor::check_version("the aggregator's", our_version, status.version()),
                            doctor::check_offset(offset, round_trip)};
  for (const std::string& text : status.problems())
    findings.push_back(doctor::problem("aggregator", "status", text, fix_of(text)));
  if (!status.needs_restart().empty())
    findings.push_back(
        doctor::warning("configuration", "the aggregator's",
                        "changed, and in force only after a restart: " +
                            listed({status.needs_restart().begin(), status.needs_restart().end()}),
                        "systemctl restart vigil-aggregator, or change them back and run vigil reload"));
  if (status.problems().empty()) findings.push_back(doctor::ok("aggregator", "status", "it has no problem"));
  return findings;
}

doctor::Findings check_hosts(const v1::ListHostsResponse& hosts, const std::string& aggregator_version) {
  Names down;
  Names doubled;
  std::map<std::string, Names> by_version;
  std::size_t agents = 0;
  for (const v1::Host& host : hosts.hosts()) {
    if (host.kind() != "agent") continue;
    ++agents;
    if (host.state() == v1::Host::STATE_DOWN) down.push_back(host.name());
    if (host.duplicates() > 0 && !host.duplicate_remote().empty()) doubled.push_back(host.name());
    if (host.state() != v1::Host::STATE_LEFT) by_version[host.agent_version()].push_back(host.name());
  }
  if (agents == 0)
    return {doctor::warning("hosts", "agents", "none has ever connected",
                            "start vigil-agent on a host; vigil-agent "
                            "doctor there says what keeps it")};
  doctor::Findings findings{check_agent_versions(by_version, aggregator_version)};
  if (down.empty()) {
    findings.push_back(doctor::ok("hosts", "agents", counted(agents, "agent") + ", none is down"));
  } else {
    findings.push_back(doctor::warning("hosts", "agents", "down: " + listed(down),
                                       "vigil-agent doctor on the host, or vigil forget HOST"));
  }
  if (!doubled.empty())
    findings.push_back(doctor::problem("hosts", "names", "two agents have one name: " + listed(doubled),
                                       "give one of them another name"));
  return findings;
}

}  // namespace vigil::cli
