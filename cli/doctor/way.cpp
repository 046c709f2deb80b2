#include "cli/doctor/way.h"

#include "cli/doctor/own_certificate.h"
#include "common/clock.h"
#include "common/doctor/checks.h"
#include "common/doctor/peer.h"
#include "common/doctor/probe.h"
#include "common/text/address.h"

#include <algorithm>
#include <iterator>
#include <string>

namespace vigil::cli {
namespace {

using doctor::Finding;
using doctor::Findings;
using Reached = doctor::PeerFacts::Reached;

Findings look_at_certificates(const ClientOptions& options) {
  Findings findings;
  if (!options.cert_pem.empty()) {
    const auto facts = doctor::read_certificate_facts("--tls-cert", options.cert_pem);
    findings.push_back(check_certificate(facts, wall_ms()));
    const bool is_late = facts.trouble.empty() && facts.not_before_ms <= wall_ms();
    if (is_late && findings.back().verdict != doctor::Verdict::ok)
      findings.back().fix = how_to_renew(options);
  }
  if (!options.ca_pem.empty())
    findings.push_back(
        check_certificate(doctor::read_certificate_facts("--tls-ca", options.ca_pem), wall_ms()));
  return findings;
}

doctor::PeerOptions peer_of(const ClientOptions& options, const Address& address) {
  doctor::PeerOptions peer;
  peer.address = address;
  peer.is_tls = options.tls;
  peer.ca_pem = options.ca_pem;
  peer.cert_pem = options.cert_pem;
  peer.key_pem = options.key_pem;
  return peer;
}

/// A person is not enrolled as a host is.
void fix_for_people(const doctor::PeerFacts& facts, Findings& findings) {
  if (findings.empty()) return;
  if (facts.reached == Reached::other_tls && !facts.is_tls)
    findings.front().fix =
        "VIGIL_TLS_CA or --tls-ca with its authority's file (--tls, if the system knows who signed), and who "
        "you are: a certificate by VIGIL_TLS_CERT and VIGIL_TLS_KEY, a token, or vigil login";
  if (facts.reached == Reached::refused_us)
    findings.front().fix =
        "VIGIL_TLS_CERT and VIGIL_TLS_KEY, or --tls-cert and --tls-key, with a certificate that its "
        "authority signed and that has not expired";
}

Findings look_at_port(const doctor::PeerFacts& facts) {
  Findings findings = check_peer(facts, wall_ms(), "--aggregator", "--tls and its kin (VIGIL_TLS_*)");
  fix_for_people(facts, findings);
  return findings;
}

std::optional<Finding> first_problem(Findings findings) {
  const auto at = std::ranges::find(findings, doctor::Verdict::problem, &Finding::verdict);
  if (at == findings.end()) return std::nullopt;
  return std::move(*at);
}

}  // namespace

Findings look_at_way(const ClientOptions& options, std::chrono::milliseconds patience) {
  Findings findings = look_at_certificates(options);
  const auto address = parse_address(options.address, kGrpcPort);
  if (!address) return findings;  // a socket
  auto peer = peer_of(options, *address);
  peer.patience = patience;
  std::ranges::move(look_at_port(doctor::look_at_peer(peer)), std::back_inserter(findings));
  return findings;
}

std::optional<Finding> find_lasting_trouble(const ClientOptions& options,
                                            std::chrono::milliseconds patience) {
  const auto address = parse_address(options.address, kGrpcPort);
  if (!address) return std::nullopt;
  auto peer = peer_of(options, *address);
  peer.patience = patience;
  const auto facts = doctor::look_at_peer(peer);
  if (facts.reached == Reached::no_answer || facts.reached == Reached::no_address ||
      facts.reached == Reached::speaks_grpc)
    return std::nullopt;
  if (auto expired = first_problem(look_at_certificates(options))) return expired;
  return first_problem(look_at_port(facts));
}

}  // namespace vigil::cli
