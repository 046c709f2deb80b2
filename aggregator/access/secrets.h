// Secrets as they are made and kept: tokens at random, stored as SHA-256 (256 random bits need no slow hash);
// passwords as argon2id.
#pragma once

#include "common/error.h"

#include <string>
#include <string_view>

namespace vigil::aggregator::access {

inline constexpr std::string_view kTokenPrefix = "vgl_";
inline constexpr std::size_t kTokenDigits = 43;  // base 62: 256 bits

/// "vgl_" and 43 letters and digits. Errc::io when the system has no random numbers.
Result<std::string> new_token();
/// Of that form, whoever made it.
bool looks_like_token(std::string_view text);
/// 32 bytes.
std::string sha256(std::string_view text);

/// "$argon2id$v=19$m=...": with a salt of its own. Takes some 30 ms and 19 MiB.
Result<std::string> hash_password(const std::string& password);
/// As slow. False also where `hash` is none.
bool is_password(const std::string& hash, const std::string& password);

}  // namespace vigil::aggregator::access
