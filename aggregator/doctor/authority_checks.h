// What the doctor thinks of the aggregator's own authority, the folder identity/.
#pragma once

#include "common/doctor/finding.h"

#include <cstdint>
#include <string>

namespace vigil::aggregator {

struct AuthorityFacts {
  std::string folder;
  std::string trouble;  // why it cannot be used; "": it can
  std::int64_t authority_from_ms = 0;
  std::int64_t authority_until_ms = 0;
  std::int64_t server_from_ms = 0;
  std::int64_t server_until_ms = 0;
};
AuthorityFacts look_at_authority(const std::string& folder);
/// Both certificates are renewed by the aggregator when a third of their lives is left: later than that
/// something keeps it.
doctor::Findings check_authority(const AuthorityFacts& facts, std::int64_t now_ms);

}  // namespace vigil::aggregator
