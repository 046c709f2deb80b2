// RFC 4648.
#pragma once

#include "common/error.h"

#include <string>
#include <string_view>

namespace vigil {

/// Section 4, with padding.
std::string base64(std::string_view bytes);
/// Section 4; padding may be missing. Errc::parse, without a word of what came: it may be a secret.
Result<std::string> decode_base64(std::string_view text);
/// Section 5, without padding (RFC 7515, section 2); bits that are left over must be 0, so that nothing is
/// written in two ways. Errc::parse.
Result<std::string> decode_base64url(std::string_view text);

}  // namespace vigil
