// Secrets that are handed out once, and what is kept of them.
#pragma once

#include "common/error.h"

#include <string>
#include <string_view>

namespace vigil::tls {

/// 160 random bits as 40 hexadecimal digits: nothing to guess, and nothing a shell would take apart.
Result<std::string> make_token();

/// Whether it could be one of those.
bool looks_like_token(std::string_view text);

/// SHA-256, 64 hexadecimal digits: a name for what is too long or too telling to be one. Enough for what is
/// random itself; passwords need more.
std::string digest_of(std::string_view text);

}  // namespace vigil::tls
