#include "aggregator/access/role.h"

#include <array>
#include <utility>

namespace vigil::aggregator::access {
namespace {

constexpr std::array<std::string_view, 5> kRoles = {"none", "agent", "viewer", "operator", "admin"};
constexpr std::array<std::string_view, 4> kAreas = {"", "query", "remote_write", "metrics"};
constexpr std::array<std::string_view, 10> kKinds = {"anonymous",   "loopback", "socket", "host",
                                                     "certificate", "token",    "user",   "oidc",
                                                     "invitation",  "signal"};

}  // namespace

std::string_view to_string(Role role) {
  return kRoles.at(static_cast<std::size_t>(role));
}

std::optional<Role> role_of(std::string_view word) {
  for (const Role role : {Role::none, Role::viewer, Role::operating, Role::admin}) {
    if (word == to_string(role)) return role;
  }
  return std::nullopt;
}

std::string_view to_string(Area area) {
  return kAreas.at(static_cast<std::size_t>(area));
}

std::optional<Area> area_of(std::string_view word) {
  for (std::size_t i = 0; i < kAreas.size(); ++i) {
    if (word == kAreas.at(i)) return static_cast<Area>(i);
  }
  return std::nullopt;
}

std::string_view to_string(Caller::Kind kind) {
  return kKinds.at(static_cast<std::size_t>(kind));
}

bool may(const Caller& caller, const Need& need) {
  if (need.least == Role::none) return true;
  if (caller.scope != Area::other) return caller.scope == need.area;
  if (need.least == Role::agent)
    return caller.delivers || caller.role == Role::agent || caller.role == Role::admin;
  return caller.role != Role::agent && caller.role >= need.least;
}

}  // namespace vigil::aggregator::access
