// The textual forms of numbers, durations and strings.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vigil::promql {

/// `1`, `.5`, `1e3`, `0x1F`, `1_000`, `017` (octal, as in Go); not signs, Inf or NaN.
std::optional<double> parse_number(std::string_view text);

/// One or more of `INTEGER UNIT`, units y w d h m s ms in that order, each once. Milliseconds; nothing when
/// it is none or too long.
std::optional<std::int64_t> parse_duration(std::string_view text);

/// The longest duration accepted: about 290 years.
inline constexpr std::int64_t kMaxDurationMs = 9'000'000'000'000;

/// The bytes that a quoted string (quotes included) stands for; nothing when an escape is wrong.
std::optional<std::string> unquote(std::string_view text);

/// The string in double quotes, escaped such that unquote() gives it back byte for byte and the result is
/// UTF-8.
std::string quote(std::string_view text);

/// Adds a code point as UTF-8.
void append_code_point(std::string& out, std::uint32_t code);

bool is_utf8(std::string_view text);
/// Byte offset of the first sequence that is not UTF-8, or text.size().
std::size_t utf8_valid_prefix(std::string_view text);

}  // namespace vigil::promql
