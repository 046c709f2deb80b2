#include "aggregator/access/oidc/claims.h"

#include "aggregator/access/oidc/encoding.h"
#include "common/text/utf8.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

namespace vigil::aggregator::access::oidc {
namespace {

constexpr std::size_t kMostNameBytes = 128;
constexpr double kMostSeconds = 253'402'300'799;  // the end of the year 9999

Error refused(std::string_view why) {
  return fail(Errc::permission, "the token is refused: {}", why);
}

/// A NumericDate (RFC 7519, section 2) in milliseconds; nothing where it is none.
std::optional<std::int64_t> moment_in(const boost::json::object& claims, std::string_view name) {
  const auto* found = claims.if_contains({name.data(), name.size()});
  if (found == nullptr || !found->is_number()) return std::nullopt;
  const double seconds = found->to_number<double>();
  if (!std::isfinite(seconds) || seconds < 0 || seconds > kMostSeconds) return std::nullopt;
  return static_cast<std::int64_t>(seconds * 1000);
}

/// A text, or a list of texts and nothing else; nothing where it is neither.
std::optional<std::vector<std::string>> texts_in(const boost::json::object& claims, std::string_view name) {
  const auto* found = claims.if_contains({name.data(), name.size()});
  if (found == nullptr) return std::nullopt;
  if (found->is_string()) return std::vector<std::string>{text_in(claims, name)};
  if (!found->is_array()) return std::nullopt;
  std::vector<std::string> texts;
  for (const boost::json::value& each : found->get_array()) {
    if (!each.is_string()) return std::nullopt;
    texts.emplace_back(each.get_string().data(), each.get_string().size());
  }
  return texts;
}

bool is_ours(const OidcConfig& config, const std::string& name) {
  return name == config.client_id || std::ranges::find(config.audiences, name) != config.audiences.end();
}

Result<void> check_audience(const boost::json::object& claims, const OidcConfig& config) {
  const auto audience = texts_in(claims, "aud");
  const bool is_meant = audience && std::ranges::any_of(*audience, [&](const std::string& each) {
                          return is_ours(config, each);
                        });
  if (!is_meant) return refused("it is meant for another audience than access.oidc.client_id (aud)");
  if (!claims.contains("azp")) {
    if (audience->size() == 1) return {};
    return refused("it is meant for several audiences, and does not say who asked for it (azp)");
  }
  if (is_ours(config, text_in(claims, "azp"))) return {};
  return refused("another client asked for it than access.oidc.client_id and audiences (azp)");
}

/// When it ends.
Result<std::int64_t> check_times(const boost::json::object& claims, const OidcConfig& config,
                                 std::int64_t now_ms) {
  const std::int64_t leeway = config.leeway.count();
  const auto until = moment_in(claims, "exp");
  if (!until) return refused("it does not say until when it is good (exp)");
  if (now_ms >= *until + leeway) return refused("it expired (exp): log in again");
  const auto issued = moment_in(claims, "iat");
  if (!issued) return refused("it does not say when it was issued (iat)");
  if (*issued > now_ms + leeway)
    return refused("it was issued in the future (iat): a clock is wrong, the provider's or the aggregator's");
  if (claims.contains("nbf")) {
    const auto from = moment_in(claims, "nbf");
    if (!from || *from > now_ms + leeway) return refused("it is not good yet (nbf)");
  }
  return *until + leeway;
}

Result<std::string> find_name(const boost::json::object& claims, const OidcConfig& config) {
  if (text_in(claims, "sub").empty()) return refused("it is about nobody (sub)");
  const std::string name = text_in(claims, config.user_claim);
  if (name.empty())
    return refused(
        fmt::format("it lacks the claim {}: let the provider add it, or set access.oidc.user_claim, which "
                    "may be sub",
                    config.user_claim));
  if (name.size() > kMostNameBytes || printable(name) != name)
    return refused(fmt::format("its claim {} is longer than {} bytes or cannot be shown", config.user_claim,
                               kMostNameBytes));
  // An address that nobody looked at is whatever its owner typed.
  const auto* verified = claims.if_contains("email_verified");
  const bool is_unverified = verified != nullptr && (*verified == boost::json::value(false) ||
                                                     *verified == boost::json::value("false"));
  if (config.user_claim == "email" && is_unverified)
    return refused("the provider did not verify the address of this person (email_verified)");
  return name;
}

Role role_at(const std::map<std::string, std::string>& roles, const std::string& key) {
  const auto found = roles.find(key);
  return found == roles.end() ? Role::none : role_of(found->second).value_or(Role::none);
}

Role find_role(const boost::json::object& claims, const OidcConfig& config, const std::string& name) {
  if (config.users.contains(name)) return role_at(config.users, name);
  Role role = Role::none;
  for (const std::string& group : texts_in(claims, config.groups_claim).value_or(std::vector<std::string>()))
    role = std::max(role, role_at(config.roles, group));
  return role;
}

}  // namespace

Result<Person> check_claims(const boost::json::object& claims, const OidcConfig& config,
                            std::int64_t now_ms) {
  if (text_in(claims, "iss") != config.issuer)
    return refused("it is of another issuer than access.oidc.issuer (iss)");
  if (auto fine = check_audience(claims, config); !fine) return fine.error();
  if (claims.contains("events")) return refused("it is no ID or access token (events)");
  const auto until = check_times(claims, config, now_ms);
  if (!until) return until.error();
  const auto name = find_name(claims, config);
  if (!name) return name.error();
  return Person{fmt::format("{}{}", kNamePrefix, *name), find_role(claims, config, *name), *until};
}

}  // namespace vigil::aggregator::access::oidc
