#include "agent/doctor/doctor.h"

#include "agent/doctor/identity_probe.h"
#include "agent/doctor/probe.h"
#include "agent/enrolment/asking.h"
#include "agent/enrolment/standing.h"
#include "common/clock.h"
#include "common/config/files.h"
#include "common/doctor/checks.h"
#include "common/doctor/peer.h"
#include "common/doctor/probe.h"
#include "common/doctor/secret_files.h"
#include "common/grpc/runtime.h"
#include "common/log/log.h"
#include "common/text/lines.h"
#include "common/version.h"

#include <cstdio>
#include <iterator>

namespace vigil::agent {
namespace {

using doctor::Findings;

constexpr std::chrono::milliseconds kPeerPatience{5000};
constexpr std::uint64_t kWantedFiles = 1024;
constexpr std::uint64_t kLeastFiles = 128;  // gRPC aborts below it

void append(Findings& findings, Findings more) {
  std::ranges::move(more, std::back_inserter(findings));
}

/// What --check would say.
Findings look_at_config(const Invocation& invocation) {
  doctor::ConfigurationFacts facts{invocation.config_path, invocation.trouble, {}};
  constexpr std::string_view kWarning = "warning: ";
  if (facts.errors.empty()) {
    for_each_line(checked(invocation.config), [&](std::string_view line) {
      if (line.starts_with(kWarning)) facts.warnings.emplace_back(line.substr(kWarning.size()));
    });
  }
  return check_configuration(facts);
}

Findings look_at_spool(const AgentConfig& config, const doctor::UnitFacts& unit) {
  std::string folder = spool_directory(config);
  if (folder.empty() && !unit.state_directory.empty()) folder = "/var/lib/" + unit.state_directory;
  if (folder.empty())
    return {doctor::warning("disk", "no spool", "samples that wait for the aggregator are in memory only",
                            "spool.dir, or StateDirectory= in the unit")};
  return doctor::check_folder(doctor::look_at_folder("spool", folder), doctor::Holds::spool, unit.user);
}

/// The connection, and what is learned by it, also of who this host is.
Findings look_at_aggregator(const AgentConfig& config, IdentityFacts& identity) {
  const auto channel = channel_options(config);
  if (!channel) return {};  // said with the configuration
  const doctor::PeerFacts facts = doctor::look_at_peer(peer_of(*channel, kPeerPatience));
  Findings findings = check_way(facts, identity.identity ? identity.identity->name : "", wall_ms());
  if (facts.reached != doctor::PeerFacts::Reached::speaks_grpc) return findings;
  const std::string name = name_at_aggregator(config);
  const std::string refused = why_refused(*channel, name);
  if (identity.identity) identity.refused = refused;
  if (!identity.identity) {
    findings.push_back(check_standing({name, channel->tls.cert, refused}, wall_ms()));
    append(findings, check_aggregator(ask_aggregator(*channel), std::string(kVersion)));
  } else if (identity.refused.empty()) {
    findings.push_back(doctor::ok("versions", "the aggregator's",
                                  "not told to hosts; vigil doctor, run by a person, compares"));
  }
  return findings;
}

/// identity.pem is looked at with the identity.
Findings look_at_secrets(const AgentConfig& config, const std::string& user) {
  auto files =
      doctor::look_at_secret_files({asking_path(identity_folder(config))}, doctor::Keeper::service, user);
  std::ranges::move(doctor::look_at_secret_files({config.tls.key}, doctor::Keeper::administrator, user),
                    std::back_inserter(files));
  return check_secret_files(files, user);
}

Findings look(const Invocation& invocation) {
  const AgentConfig& config = invocation.config;
  const doctor::UnitFacts unit = doctor::look_at_unit("vigil-agent.service");
  Findings findings = look_at_config(invocation);
  findings.push_back(doctor::check_unit(unit));
  IdentityFacts identity = look_at_identity(config);
  append(findings, look_at_aggregator(config, identity));
  append(findings, check_identity(identity, unit.user, wall_ms()));
  append(findings, doctor::look_at_tls_files({{"tls.ca", config.tls.ca, doctor::Key::no},
                                              {"tls.cert", config.tls.cert, doctor::Key::no},
                                              {"tls.key", config.tls.key, doctor::Key::yes}},
                                             wall_ms()));
  append(findings, look_at_secrets(config, unit.user));
  findings.push_back(doctor::check_clock(doctor::look_at_clock()));
  append(findings, look_at_spool(config, unit));
  append(findings, check_kernel(look_at_kernel(config.options.roots)));
  for (const RuntimeFacts& facts : look_at_runtimes(config, unit.user))
    findings.push_back(check_runtime(facts));
  findings.push_back(doctor::check_open_files(doctor::look_at_open_files(unit), kWantedFiles, kLeastFiles));
  findings.push_back(doctor::ok("versions", "vigil-agent", std::string(kVersion)));
  return findings;
}

}  // namespace

int run_doctor(const Invocation& invocation) {
  log::set_level(log::Level::error);
  prepare_grpc();
  const Findings findings = look(invocation);
  fmt::print("{}", invocation.json ? doctor::to_json(findings) : doctor::to_table(findings));
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  return written && doctor::is_well(findings) ? 0 : 1;
}

}  // namespace vigil::agent
