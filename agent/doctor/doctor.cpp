#include "agent/doctor/doctor.h"

#include "agent/doctor/identity_probe.h"
#include "agent/doctor/probe.h"
#include "common/clock.h"
#include "common/config/files.h"
#include "common/doctor/checks.h"
#include "common/doctor/peer.h"
#include "common/doctor/probe.h"
#include "common/grpc/runtime.h"
#include "common/log/log.h"
#include "common/version.h"

#include <cstdio>
#include <iterator>

namespace vigil::agent {
namespace {

using doctor::Findings;

constexpr std::uint64_t kWantedFiles = 1024;
constexpr std::uint64_t kLeastFiles = 128;  // gRPC aborts below it

void append(Findings& findings, Findings more) {
  std::ranges::move(more, std::back_inserter(findings));
}

/// "" and what was read of the configuration, or what is wrong with it.
Findings look_at_config(const Invocation& invocation) {
  const std::string about = invocation.config_path.empty() ? "no file" : invocation.config_path;
  Findings findings;
  std::string lines = invocation.trouble.empty() ? checked(invocation.config) : invocation.trouble + "\n";
  constexpr std::string_view kWarning = "warning: ";
  for (std::size_t begin = 0, end = 0; (end = lines.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    std::string line = lines.substr(begin, end - begin);
    if (!invocation.trouble.empty()) {
      findings.push_back(
          doctor::problem("configuration", about, std::move(line), "mend it; the agent does not start"));
    } else if (line.starts_with(kWarning)) {
      findings.push_back(doctor::warning("configuration", about, line.substr(kWarning.size()), "mend it"));
    }
  }
  if (findings.empty()) findings.push_back(doctor::ok("configuration", about, "is valid"));
  return findings;
}

Findings look_at_tls(const TlsSettings& tls, std::int64_t now_ms) {
  Findings findings;
  const auto look = [&](const char* key, const std::string& path, doctor::Key is_key) {
    if (path.empty()) return;
    const auto facts = doctor::look_at_certificate(key, path, is_key);
    if (is_key == doctor::Key::yes && facts.trouble.empty()) {
      findings.push_back(
          doctor::ok("certificates", facts.about, "is a private key, and nobody else may read it"));
    } else {
      findings.push_back(doctor::check_certificate(facts, now_ms));
    }
  };
  look("tls.ca", tls.ca, doctor::Key::no);
  look("tls.cert", tls.cert, doctor::Key::no);
  look("tls.key", tls.key, doctor::Key::yes);
  return findings;
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
  const auto address = parse_address(channel->address, kGrpcPort);
  if (!address) return {};
  doctor::PeerOptions peer;
  peer.address = *address;
  peer.is_tls = channel->transport == Transport::tls;
  peer.ca_pem = channel->tls.ca;
  peer.cert_pem = channel->tls.cert;
  peer.key_pem = channel->tls.key;
  const doctor::PeerFacts facts = doctor::look_at_peer(peer);
  Findings findings = doctor::check_peer(facts, wall_ms(), "aggregator", "tls in agent.yml");
  if (facts.reached != doctor::PeerFacts::Reached::speaks_grpc) return findings;
  if (identity.identity) identity.refused = ask_whether_it_counts(*channel);
  if (!identity.identity) {
    append(findings, check_aggregator(ask_aggregator(*channel), std::string(kVersion)));
  } else if (identity.refused.empty()) {
    findings.push_back(doctor::ok("versions", "the aggregator's",
                                  "not told to hosts; vigil doctor, run by a person, compares"));
  }
  return findings;
}

Findings look(const Invocation& invocation) {
  const AgentConfig& config = invocation.config;
  const doctor::UnitFacts unit = doctor::look_at_unit("vigil-agent.service");
  Findings findings = look_at_config(invocation);
  findings.push_back(doctor::check_unit(unit));
  IdentityFacts identity = look_at_identity(config);
  append(findings, look_at_aggregator(config, identity));
  append(findings, check_identity(identity, unit.user, wall_ms()));
  append(findings, look_at_tls(config.tls, wall_ms()));
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
