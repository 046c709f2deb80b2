#include "aggregator/access/authorization.h"

#include "common/text/base64.h"
#include "common/text/letter_case.h"
#include "common/text/trim.h"

#include <algorithm>

namespace vigil::aggregator::access {
namespace {

/// Schemes know no case.
bool is_scheme(std::string_view word, std::string_view lower) {
  return is_same_in_any_case(word, lower);
}

Result<Credential> parse_basic(std::string_view rest) {
  auto plain = decode_base64(rest);
  if (!plain) return plain.error();
  const auto colon = plain->find(':');
  if (colon == std::string::npos) return fail(Errc::parse, "Authorization: Basic lacks the colon");
  if (plain->find('\0') != std::string::npos) return fail(Errc::parse, "Authorization: Basic holds a NUL");
  return Credential(Basic{plain->substr(0, colon), plain->substr(colon + 1)});
}

}  // namespace

Result<Credential> parse_authorization(std::string_view value) {
  if (value.size() > kMostAuthorizationBytes)
    return fail(Errc::parse, "Authorization: more than {} bytes", kMostAuthorizationBytes);
  value = trim(value, " ");
  const auto space = value.find(' ');
  const std::string_view scheme = value.substr(0, space);
  const std::string_view rest =
      space == std::string_view::npos ? std::string_view() : trim(value.substr(space), " ");
  if (rest.empty() || rest.find(' ') != std::string_view::npos || rest.find(',') != std::string_view::npos)
    return fail(Errc::parse, "Authorization: one of `Bearer TOKEN` and `Basic BASE64` is expected");
  if (is_scheme(scheme, "bearer")) return Credential(Bearer{std::string(rest)});
  if (is_scheme(scheme, "basic")) return parse_basic(rest);
  return fail(Errc::parse, "Authorization: the scheme is neither Bearer nor Basic");
}

}  // namespace vigil::aggregator::access
