// Roles, what needs which, and callers. Values.
//
//   viewer    looks: hosts, queries, alerts
//   operator  and silences, acknowledges, runs and approves actions, tests receivers, pushes samples
//   admin     and forgets hosts, takes backups, reloads, and decides on tokens and users
//   agent     is none of them: it delivers the samples of its host and sees nothing
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::aggregator::access {

enum class Role : std::uint8_t { none, agent, viewer, operating, admin };
/// "none", "agent", "viewer", "operator", "admin".
std::string_view to_string(Role role);
/// Of the words that people may give: all but agent.
std::optional<Role> role_of(std::string_view word);

/// What a route or method is for, as far as a token may be for that only.
enum class Area : std::uint8_t { other, query, remote_write, metrics };
/// "" for other, else "query", "remote_write", "metrics".
std::string_view to_string(Area area);
/// Of the words for a token's scope; "" is other.
std::optional<Area> area_of(std::string_view word);

/// What a caller must have. Role::none: nothing.
struct Need {
  Role least = Role::admin;
  Area area = Area::other;
  friend bool operator==(const Need&, const Need&) = default;
};
inline constexpr Need kOpen{Role::none};
inline constexpr Need kAgent{Role::agent};
inline constexpr Need kViewer{Role::viewer};
inline constexpr Need kQuery{Role::viewer, Area::query};
inline constexpr Need kMetrics{Role::viewer, Area::metrics};
inline constexpr Need kOperator{Role::operating};
inline constexpr Need kRemoteWrite{Role::operating, Area::remote_write};
inline constexpr Need kAdmin{Role::admin};

struct Caller {
  enum class Kind : std::uint8_t {
    anonymous,
    loopback,
    socket,
    host,
    certificate,
    token,
    user,
    oidc,
    invitation,  // who has its token
    signal
  };
  Kind kind = Kind::anonymous;
  /// Of a host, certificate, token, user or invitation; of a person of OpenID Connect "oidc:NAME".
  std::string name;
  Role role = Role::none;
  Area scope = Area::other;  // of a token that is for nothing else
  bool delivers = false;     // is taken for an agent where it behaves as one
  friend bool operator==(const Caller&, const Caller&) = default;

  /// It showed who it is, so that a refusal is about what it may do.
  bool is_known() const { return kind != Kind::anonymous; }
};
/// "anonymous", "loopback", ...
std::string_view to_string(Caller::Kind kind);

bool may(const Caller& caller, const Need& need);

}  // namespace vigil::aggregator::access
