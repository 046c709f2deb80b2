// The encodings of mail: encoded words (RFC 2047), quoted-printable (RFC 2045), dates (RFC 5322). Internal to
// those who make messages. Nothing here lets a CR or LF of its input through as one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::notify {

/// A header field, folded: "Subject: ...\r\n". Text beyond ASCII becomes encoded words.
std::string header(std::string_view name, std::string_view text);
/// The same for a value that is a token or an address list and is never encoded: what is not ASCII is left
/// out.
std::string plain_header(std::string_view name, std::string_view value);
/// "Ops Team <ops@example.org>" with the name encoded where it must be.
std::string mailbox(std::string_view text);
/// Lines end with CRLF, none is longer than 76.
std::string quoted_printable(std::string_view text);
/// "Sat, 21 Nov 2026 14:00:05 +0000"
std::string mail_date(std::int64_t t_ms);

}  // namespace vigil::notify
