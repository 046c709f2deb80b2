#include "aggregator/access/config.h"

#include <algorithm>
#include <array>
#include <span>

namespace vigil::aggregator::access {
namespace {

using RoleWord = std::pair<std::string_view, Role>;
constexpr std::array<RoleWord, 4> kRoleWords = {
    {{"admin", Role::admin}, {"operator", Role::operating}, {"viewer", Role::viewer}, {"none", Role::none}}};
using AgentsWord = std::pair<std::string_view, Agents>;
constexpr std::array<AgentsWord, 3> kAgentsWords = {
    {{"auto", Agents::automatic}, {"certificate", Agents::certificate}, {"anyone", Agents::anyone}}};

}  // namespace

void describe(config::Fields& fields, AccessConfig& access) {
  fields.choice("loopback", access.loopback, std::span<const RoleWord>(kRoleWords),
                "Role of who connects from this machine without credentials, in plain text. Behind a reverse "
                "proxy on this machine everybody does: none.");
  fields.choice("anonymous", access.anonymous, std::span<const RoleWord>(kRoleWords),
                "Role of who connects from other machines without credentials.");
  fields.choice("agents", access.agents, std::span<const AgentsWord>(kAgentsWords),
                "Who may deliver samples: certificate, only hosts with a certificate (and admins); anyone, "
                "whoever reaches the gRPC port; auto, certificate where tls.client_ca is set, else anyone.");
  fields.field(
      "certificates", access.certificates,
      "Roles of certificates of your own authority by common name: viewer, operator, admin, or none, which "
      "shuts out a host that its URI names, too. Others are hosts, which deliver samples and see nothing.");
  fields.require("certificates",
                 std::ranges::all_of(access.certificates,
                                     [](const auto& each) { return role_of(each.second).has_value(); }),
                 "roles are viewer, operator, admin and none");
  fields.field("max_requests", access.max_requests,
               "Requests a second of one caller over HTTP and gRPC in the long run, and ten times as many at "
               "once; agents and remote_write have limits of their own.");
  fields.require("max_requests", access.max_requests >= 1, "must be at least 1");
  fields.field("audit_retention", access.audit_retention,
               "What is older leaves the log of changes, which notes that; 0s: nothing ever leaves.");
  fields.require("audit_retention",
                 access.audit_retention.count() == 0 || access.audit_retention >= std::chrono::hours(24 * 30),
                 "must be 0s or at least 30d");
  fields.field(
      "socket", access.socket,
      "A socket vigil.sock in the data folder, for gRPC: who may open it is admin, that is, root and "
      "the aggregator's user.");
  fields.field("oidc", access.oidc, "People that an OpenID Connect provider vouches for.");
}

}  // namespace vigil::aggregator::access
