#include "aggregator/access/oidc/jwt.h"

#include "aggregator/access/oidc/encoding.h"
#include "common/text/base64.h"
#include "common/text/letter_case.h"

#include <algorithm>
#include <array>
#include <optional>

namespace vigil::aggregator::access::oidc {
namespace {

constexpr std::array<std::string_view, 4> kAlgorithms = {"RS256", "PS256", "ES256", "EdDSA"};
constexpr std::size_t kMostKeyIdBytes = 256;

std::optional<Algorithm> algorithm_of(std::string_view word) {
  for (std::size_t i = 0; i < kAlgorithms.size(); ++i) {
    if (word == kAlgorithms.at(i)) return static_cast<Algorithm>(i);
  }
  return std::nullopt;
}

/// Others are no tokens of people, such as a logout token.
bool is_known_type(std::string_view type) {
  constexpr std::array<std::string_view, 4> kTypes = {"", "jwt", "at+jwt", "application/at+jwt"};
  return std::ranges::any_of(kTypes,
                             [type](std::string_view known) { return is_same_in_any_case(type, known); });
}

Result<void> read_header(std::string_view text, Jwt& jwt) {
  const auto header = parse_strictly(text);
  if (!header) return fail(Errc::parse, "the token's header is {}", header.error().message);
  const auto algorithm = algorithm_of(text_in(*header, "alg"));
  if (!algorithm) return fail(Errc::parse, "the token is signed with none of RS256, PS256, ES256 and EdDSA");
  jwt.algorithm = *algorithm;
  if (header->contains("crit"))
    return fail(Errc::parse, "the token's header asks for an extension (crit), and none is known");
  if (!is_known_type(text_in(*header, "typ")))
    return fail(Errc::parse, "the token is for something else (typ): an ID or access token is expected");
  jwt.key_id = text_in(*header, "kid");
  if (jwt.key_id.size() > kMostKeyIdBytes)
    return fail(Errc::parse, "the token's key id has more than {} bytes", kMostKeyIdBytes);
  return {};
}

}  // namespace

std::string_view to_string(Algorithm algorithm) {
  return kAlgorithms.at(static_cast<std::size_t>(algorithm));
}

bool looks_like_jwt(std::string_view text) {
  return std::ranges::count(text, '.') == 2;
}

Result<Jwt> parse_jwt(std::string_view text) {
  if (text.size() > kMostTokenBytes)
    return fail(Errc::parse, "the token has more than {} bytes", kMostTokenBytes);
  if (!looks_like_jwt(text)) return fail(Errc::parse, "the token does not have three parts");
  const auto first = text.find('.');
  const auto second = text.find('.', first + 1);
  const auto header = decode_base64url(text.substr(0, first));
  const auto claims = decode_base64url(text.substr(first + 1, second - first - 1));
  auto signature = decode_base64url(text.substr(second + 1));
  if (!header || !claims || !signature) return fail(Errc::parse, "the token is not base64url");
  Jwt jwt;
  if (auto read = read_header(*header, jwt); !read) return read.error();
  auto parsed = parse_strictly(*claims);
  if (!parsed) return fail(Errc::parse, "the token's claims are {}", parsed.error().message);
  if (signature->empty()) return fail(Errc::parse, "the token is not signed");
  jwt.claims = std::move(*parsed);
  jwt.signed_part = std::string(text.substr(0, second));
  jwt.signature = std::move(*signature);
  return jwt;
}

}  // namespace vigil::aggregator::access::oidc
