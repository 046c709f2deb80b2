#include "aggregator/access/oidc/config.h"

#include "aggregator/access/limits.h"
#include "aggregator/access/role.h"
#include "common/config/files.h"

#include <algorithm>

namespace vigil::aggregator::access::oidc {
namespace {

constexpr std::string_view kRoleWords = "roles are viewer, operator, admin and none";
constexpr std::chrono::milliseconds kMostLeeway{300'000};

bool are_roles(const std::map<std::string, std::string>& roles) {
  return std::ranges::all_of(roles, [](const auto& each) { return role_of(each.second).has_value(); });
}

/// HOST or HOST:PORT that is this machine whatever a name server says.
bool is_loopback_host(std::string_view host) {
  constexpr std::string_view kLocal = "localhost";
  return is_loopback_address(host) || host == kLocal || host.starts_with("localhost:");
}

}  // namespace

void describe(config::Fields& fields, OidcConfig& oidc) {
  fields.field("issuer", oidc.issuer,
               "The provider, exactly as it calls itself: https://id.example.org/realms/ops. Empty: nobody "
               "comes in by OpenID Connect.");
  fields.require("issuer", oidc.issuer.empty() || check_issuer_url(oidc.issuer).has_value(),
                 "must be https://HOST/..., or http:// on loopback, without name, password, ? and #");
  fields.field("client_id", oidc.client_id,
               "What vigil is called at the provider; a token must be meant for it (aud).");
  fields.path("client_secret_file", oidc.client_secret_file,
              "File with the client's secret, where the provider gave it one; not readable by others.");
  fields.field("audiences", oidc.audiences,
               "Other values of aud and azp that are taken: of clients whose tokens are good here, too.");
  fields.field(
      "scopes", oidc.scopes,
      "What vigil login asks for; openid, email, profile and offline_access unless given: openid, and "
      "what makes the provider put name and groups into the token; offline_access: a login that can "
      "be renewed.");
  fields.require("scopes",
                 oidc.scopes.empty() || std::ranges::find(oidc.scopes, "openid") != oidc.scopes.end(),
                 "must have openid among them");
  fields.field("user_claim", oidc.user_claim,
               "The claim that names the person: email, preferred_username or sub. One that people cannot "
               "choose themselves.");
  fields.require("user_claim", !oidc.user_claim.empty(), "must name a claim");
  fields.field("groups_claim", oidc.groups_claim,
               "The claim with the person's groups: a list of text, or one text.");
  fields.field("roles", oidc.roles,
               "Roles by group: viewer, operator, admin, or none. Who is in several has the highest.");
  fields.require("roles", are_roles(oidc.roles), kRoleWords);
  fields.field("users", oidc.users,
               "Roles by name, instead of those of the groups. Who has neither is known and may do nothing.");
  fields.require("users", are_roles(oidc.users), kRoleWords);
  fields.path("ca_file", oidc.ca_file,
              "PEM file with who signed the provider's certificate, when the system does not know.");
  fields.field("leeway", oidc.leeway, "How far the clocks of provider and aggregator may differ.");
  fields.require("leeway", oidc.leeway.count() >= 0 && oidc.leeway <= kMostLeeway, "must be 0s to 5m");
}

std::string OidcConfig::asked_scopes() const {
  return scopes.empty() ? "openid email profile offline_access" : fmt::format("{}", fmt::join(scopes, " "));
}

Result<void> check_issuer_url(std::string_view url) {
  const auto wrong = [url](std::string_view why) {
    return fail(Errc::invalid_argument, "'{}': {}", url, why);
  };
  const bool is_https = url.starts_with("https://");
  if (!is_https && !url.starts_with("http://"))
    return wrong("must begin with https://, or with http:// on loopback");
  if (std::ranges::any_of(url, [](char c) { return c <= ' ' || c >= 0x7F || c == '\\'; }))
    return wrong("holds a character that no URL has");
  const std::string_view rest = url.substr(is_https ? 8 : 7);
  const std::string_view host = rest.substr(0, rest.find('/'));
  if (host.empty() || host.front() == ':') return wrong("has no host");
  if (host.find('@') != std::string_view::npos) return wrong("has a name or password in it");
  if (rest.find_first_of("?#") != std::string_view::npos) return wrong("has a ? or # in it");
  if (!is_https && !is_loopback_host(host)) return wrong("plain http is for loopback only: use https");
  return {};
}

std::vector<std::pair<std::string, std::string>> find_faults(const OidcConfig& oidc) {
  std::vector<std::pair<std::string, std::string>> faults;
  if (!oidc.is_on()) {
    if (!oidc.client_id.empty() || !oidc.roles.empty() || !oidc.users.empty())
      faults.emplace_back("issuer", "is missing: without it nobody comes in by OpenID Connect");
    return faults;
  }
  if (oidc.client_id.empty())
    faults.emplace_back("client_id", "is missing: what vigil is called at the issuer");
  if (oidc.roles.empty() && oidc.users.empty())
    faults.emplace_back("roles", "is missing, and users, too: nobody would have a role");
  if (!oidc.client_secret_file.empty()) {
    if (const auto secret = config::read_secret(oidc.client_secret_file); !secret)
      faults.emplace_back("client_secret_file", secret.error().message);
  }
  if (!oidc.ca_file.empty()) {
    if (const auto ca = config::read_certificates(oidc.ca_file); !ca)
      faults.emplace_back("ca_file", ca.error().message);
  }
  return faults;
}

}  // namespace vigil::aggregator::access::oidc
