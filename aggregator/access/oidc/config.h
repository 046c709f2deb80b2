// access.oidc: whose word counts for who a person is, and what of it makes a role.
#pragma once

#include "common/config/fields.h"
#include "common/error.h"

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::aggregator::access::oidc {

struct OidcConfig {
  std::string issuer;  // "": none
  std::string client_id;
  std::string client_secret_file;
  std::vector<std::string> audiences;
  std::vector<std::string> scopes;  // empty: the usual ones
  std::string user_claim = "email";
  std::string groups_claim = "groups";
  std::map<std::string, std::string> roles;  // by group
  std::map<std::string, std::string> users;  // role by name
  std::string ca_file;
  std::chrono::milliseconds leeway{60'000};

  bool is_on() const { return !issuer.empty(); }
  /// What vigil login asks for: scopes, or the usual ones, with blanks between them.
  std::string asked_scopes() const;
};
void describe(config::Fields& fields, OidcConfig& oidc);

/// Where the issuer may be: https, or http on loopback, where nobody is on the way. Without a name, password,
/// query or fragment in it. Errc::invalid_argument.
Result<void> check_issuer_url(std::string_view url);

/// What no single key can tell: its files, and that something is missing. Errors name the key below
/// `access.oidc`; first the key, then what is wrong with it.
std::vector<std::pair<std::string, std::string>> find_faults(const OidcConfig& oidc);

}  // namespace vigil::aggregator::access::oidc
