// Who is let in without showing who he is, and what certificates are for.
#pragma once

#include "aggregator/access/oidc/config.h"
#include "aggregator/access/role.h"
#include "common/config/fields.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace vigil::aggregator::access {

/// Who may deliver samples as an agent without a certificate that says so.
enum class Agents : std::uint8_t { automatic, certificate, anyone };

struct AccessConfig {
  Role loopback = Role::admin;
  Role anonymous = Role::none;
  Agents agents = Agents::automatic;
  std::map<std::string, std::string> certificates = {};  // role by common name
  std::uint32_t max_requests = 1000;
  std::chrono::milliseconds audit_retention{0};
  bool socket = true;
  oidc::OidcConfig oidc = {};
};
void describe(config::Fields& fields, AccessConfig& access);

}  // namespace vigil::aggregator::access
