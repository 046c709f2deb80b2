#include "agent/doctor/identity_checks.h"

#include "agent/enrolment/renewal.h"
#include "common/text/human.h"
#include "common/tls/certificate.h"

#include <algorithm>

namespace vigil::agent {

using doctor::Finding;
using doctor::Findings;
using doctor::ok;
using doctor::problem;
using doctor::warning;

namespace {

constexpr std::string_view kIdentity = "identity";

Finding check_absent(const IdentityFacts& facts) {
  if (!facts.is_needed) return ok(kIdentity, facts.path, "not enrolled; this configuration needs none");
  return problem(kIdentity, facts.path, "this host is not enrolled, and the aggregator is another machine",
                 "vigil agent invite --name NAME, by an admin, and here the line it prints");
}

Finding check_trouble(const IdentityFacts& facts, const std::string& user) {
  std::string fix =
      "put it back from where it was copied or changed, or enroll again with --force: " + enrol_anew("NAME");
  if (facts.trouble->code == Errc::permission)
    fix = fmt::format("chmod 600 {}, and run the doctor as root or as {}", facts.path,
                      user.empty() ? "the service's user" : user);
  return problem(kIdentity, facts.path, facts.trouble->message, std::move(fix));
}

/// Somebody else's host name: a disk that was cloned takes its identity along.
Finding check_name(const IdentityFacts& facts) {
  const std::string& name = facts.identity->name;
  if (!facts.configured_name.empty() && facts.configured_name != name)
    return problem(
        kIdentity, "name",
        fmt::format("this host is enrolled as {}, and agent.yml calls it {}", name, facts.configured_name),
        fmt::format("leave name out of agent.yml, or: {}", enrol_anew(facts.configured_name)));
  const auto first_part = [](std::string_view full) {
    std::string part(full.substr(0, full.find('.')));
    std::ranges::transform(part, part.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return part;
  };
  if (first_part(name) == first_part(facts.machine_name)) return ok(kIdentity, "name", name);
  return warning(
      kIdentity, "name",
      fmt::format("this host is enrolled as {}, and the system calls itself {}", name, facts.machine_name),
      fmt::format("nothing, if that is meant. Is this machine a copy of {}? Then remove {} and enroll it "
                  "under a name of its own",
                  name, facts.path));
}

Finding check_time(const IdentityFacts& facts, std::int64_t now_ms) {
  const OwnIdentity& identity = *facts.identity;
  if (now_ms < identity.not_before_ms)
    return problem(
        kIdentity, "certificate",
        fmt::format("{}, good only from {}", identity.name, format_rfc3339(identity.not_before_ms)),
        "look at the clocks of this machine and of the aggregator's: one of them is wrong");
  if (now_ms >= identity.not_after_ms)
    return problem(kIdentity, "certificate",
                   fmt::format("{}, expired at {}", identity.name, format_rfc3339(identity.not_after_ms)),
                   "it can be renewed no more. " + enrol_anew(identity.name));
  const std::string seen = fmt::format("{}, good for another {}, until {}", identity.name,
                                       format_age(std::chrono::milliseconds(identity.not_after_ms - now_ms)),
                                       format_rfc3339(identity.not_after_ms));
  // Renewals are spread over a twelfth of a life; an hour later one that is due was tried.
  if (now_ms > renewal_due_ms(identity) + 3'600'000)
    return warning(
        kIdentity, "certificate",
        seen + fmt::format("; its renewal is due since {}", format_rfc3339(renewal_due_ms(identity))),
        "start the agent, which renews it; journalctl -u vigil-agent says what keeps it");
  return ok(kIdentity, "certificate", seen + "; the agent renews it");
}

/// The aggregator is proved by it.
Finding check_trusted(const IdentityFacts& facts, std::int64_t now_ms) {
  const auto info = tls::read_certificate(facts.identity->tls.ca);
  if (!info) return problem(kIdentity, "authority", info.error().message, enrol_anew(facts.identity->name));
  const std::string until = format_rfc3339(info->not_after_ms);
  if (now_ms >= info->not_after_ms)
    return problem(kIdentity, "authority", "expired at " + until + ": the aggregator cannot be proved by it",
                   enrol_anew(facts.identity->name));
  // It comes with a renewal, years before its end.
  if (info->not_after_ms - now_ms < (info->not_after_ms - info->not_before_ms) / 10)
    return warning(kIdentity, "authority", "ends at " + until + ", and no newer one came with a renewal",
                   "upgrade the aggregator: it renews its authority; look at its log");
  return ok(kIdentity, "authority", "good until " + until);
}

Finding check_owner(const IdentityFacts& facts, const std::string& user) {
  if (!user.empty() && facts.owner != user)
    return problem(kIdentity, facts.path,
                   fmt::format("belongs to {}, and the service runs as {}", facts.owner, user),
                   fmt::format("chown {} {}", user, facts.path));
  return ok(kIdentity, facts.path, fmt::format("belongs to {}, and nobody else may read it", facts.owner));
}

/// What would let an agent in that shows a certificate of somebody's own authority, and is refused.
std::string mend_certificate(const StandingFacts& facts, std::int64_t now_ms) {
  std::string another = fmt::format(
      "a certificate for {} (its common name, or the URI {}{}) of the authority that tls.client_ca of the "
      "aggregator names, as tls.cert and tls.key in agent.yml",
      facts.name, tls::kHostUri, facts.name);
  const auto info = tls::read_certificate(facts.certificate);
  if (!info) return another;
  if (now_ms >= info->not_after_ms)
    return fmt::format("it expired at {}: {}", format_rfc3339(info->not_after_ms), another);
  const auto named = tls::named_by(*info, tls::kHostUri);
  const std::string& whose = named ? *named : info->common_name;
  if (whose != facts.name && !whose.empty())
    return fmt::format("name: {} in agent.yml, if this host is that one; or {}", whose, another);
  return another;
}

}  // namespace

Findings check_way(const doctor::PeerFacts& facts, const std::string& enrolled_as, std::int64_t now_ms) {
  Findings findings = doctor::check_peer(facts, now_ms, "aggregator", "tls in agent.yml");
  // Nothing in agent.yml brings another identity.
  if (!enrolled_as.empty() && facts.reached == doctor::PeerFacts::Reached::refused_us)
    findings.front().fix = enrol_anew(enrolled_as);
  return findings;
}

Finding check_standing(const StandingFacts& facts, std::int64_t now_ms) {
  constexpr const char* kAbout = "at the aggregator";
  if (facts.refused.empty()) return ok(kIdentity, kAbout, "may deliver as " + facts.name);
  if (!facts.certificate.empty())
    return problem(kIdentity, kAbout, facts.refused, mend_certificate(facts, now_ms));
  return problem(
      kIdentity, kAbout, facts.refused,
      fmt::format("vigil agent invite --name {}, by an admin, here the line it prints, and tls left "
                  "out of agent.yml; or, where the aggregator has tls.client_ca, a certificate of "
                  "that authority as tls.cert and tls.key",
                  facts.name));
}

Findings check_identity(const IdentityFacts& facts, const std::string& service_user, std::int64_t now_ms) {
  if (!facts.trouble && !facts.is_there) return {check_absent(facts)};
  if (!facts.is_used)
    return {warning(kIdentity, facts.path, "is not used: agent.yml says itself how to speak TLS",
                    "leave tls out of agent.yml, but for tls.dir; or remove the file")};
  if (facts.trouble || !facts.identity) return {check_trouble(facts, service_user)};
  Findings findings{check_owner(facts, service_user), check_name(facts), check_time(facts, now_ms),
                    check_trusted(facts, now_ms)};
  if (!facts.refused.empty())
    findings.push_back(
        problem(kIdentity, "at the aggregator", facts.refused, enrol_anew(facts.identity->name)));
  return findings;
}

}  // namespace vigil::agent
