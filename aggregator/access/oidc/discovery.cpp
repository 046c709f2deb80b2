#include "aggregator/access/oidc/discovery.h"

#include "aggregator/access/oidc/config.h"
#include "aggregator/access/oidc/encoding.h"
#include "common/text/utf8.h"

namespace vigil::aggregator::access::oidc {
namespace {

constexpr std::string_view kHttps = "https://";

/// A query is allowed here, and nothing else that is not of the issuer.
Result<std::string> address_in(const boost::json::object& document, std::string_view name,
                               std::string_view issuer) {
  std::string url = text_in(document, name);
  if (url.empty()) return url;
  const bool is_as_safe = url.starts_with(kHttps) || !issuer.starts_with(kHttps);
  if (!is_as_safe || !check_issuer_url(url.substr(0, url.find('?'))))
    return fail(Errc::parse, "the issuer's {} is '{}': it must be https://, as the issuer is", name,
                printable(url));
  return url;
}

}  // namespace

std::string discovery_url(std::string_view issuer) {
  if (issuer.ends_with('/')) issuer.remove_suffix(1);
  return fmt::format("{}/.well-known/openid-configuration", issuer);
}

Result<Endpoints> parse_discovery(std::string_view document, std::string_view issuer) {
  const auto parsed = parse_strictly(document);
  if (!parsed) return fail(Errc::parse, "{} is {}", discovery_url(issuer), parsed.error().message);
  if (const std::string own = text_in(*parsed, "issuer"); own != issuer)
    return fail(Errc::parse,
                "the issuer calls itself '{}': access.oidc.issuer, '{}', must be that to the letter",
                printable(own), issuer);
  const auto keys = address_in(*parsed, "jwks_uri", issuer);
  if (!keys) return keys.error();
  if (keys->empty()) return fail(Errc::parse, "{} lacks jwks_uri", discovery_url(issuer));
  auto token = address_in(*parsed, "token_endpoint", issuer);
  if (!token) return token.error();
  auto device = address_in(*parsed, "device_authorization_endpoint", issuer);
  if (!device) return device.error();
  return Endpoints{*keys, std::move(*token), std::move(*device)};
}

}  // namespace vigil::aggregator::access::oidc
