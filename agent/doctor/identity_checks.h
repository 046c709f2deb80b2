// What the doctor thinks of identity.pem, which `vigil-agent enroll` stored: a pure function over facts.
#pragma once

#include "agent/enrolment/identity_file.h"
#include "common/doctor/finding.h"
#include "common/doctor/peer.h"
#include "common/error.h"

#include <cstdint>
#include <optional>
#include <string>

namespace vigil::agent {

struct IdentityFacts {
  std::string path;
  bool is_there = false;
  bool is_used = true;           // the configuration says nothing of its own about TLS
  bool is_needed = false;        // the aggregator is another machine, and TLS is not configured
  std::optional<Error> trouble;  // why it cannot be used, as the agent would say it
  std::string owner;             // of the file
  std::optional<OwnIdentity> identity;
  std::string configured_name;  // "name" of the configuration; "": none
  std::string machine_name;     // what the system calls itself
  std::string refused;  // why it counts no more, as the aggregator says it; "": it counts, or did not say
};

/// How the aggregator is reached. `enrolled_as`: who this host is by its identity.pem; "": by `tls` of the
/// configuration, or nobody.
doctor::Findings check_way(const doctor::PeerFacts& facts, const std::string& enrolled_as,
                           std::int64_t now_ms);

/// Of an agent whose configuration says itself how to speak: whether the aggregator lets it in.
struct StandingFacts {
  std::string name;         // as it delivers
  std::string certificate;  // its own, PEM; "": it shows none
  std::string refused;      // as the aggregator says it; "": it lets it in
};
doctor::Finding check_standing(const StandingFacts& facts, std::int64_t now_ms);

/// `service_user`: who the service runs as; "": unknown.
doctor::Findings check_identity(const IdentityFacts& facts, const std::string& service_user,
                                std::int64_t now_ms);

}  // namespace vigil::agent
