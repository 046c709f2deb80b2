// Text from outside: is it UTF-8, and may a person's terminal see it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace vigil {

/// The length of the character at the front of `text`, or 0 when its bytes are not UTF-8 (RFC 3629: shortest
/// form, no surrogates, nothing past U+10FFFF) or there are none.
std::size_t character_length(std::string_view text);

/// How many bytes of it are UTF-8, from its front to the first that is no part of a character.
std::size_t utf8_length(std::string_view text);

/// All of it; also of nothing.
bool is_utf8(std::string_view text);

/// Each byte that is no UTF-8, and NUL, becomes U+FFFD: neither JSON nor mail can hold them.
std::string well_formed(std::string_view text);

/// Valid UTF-8 without what commands a terminal or hides in a line: each byte that is no character, each
/// control character (C0, DEL, C1) and each one that sets the direction or ends a line (U+200E, U+200F,
/// U+2028 to U+202E, U+2066 to U+2069) becomes '?'. Labels travel as UTF-8, while the kernel lets process
/// names, mount points and firmware strings hold any byte, and agents may be hostile.
std::string printable(std::string_view text);

}  // namespace vigil
