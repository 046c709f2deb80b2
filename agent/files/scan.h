// Reading numbers and words out of /proc text without allocating. Every function is total: any bytes give a
// result.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace vigil::agent {

/// Walks lines of a text: `for (Lines lines(text); lines.next();) use(lines.line());`. A missing last newline
/// is accepted.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  bool next();
  std::string_view line() const { return line_; }

 private:
  std::string_view rest_;
  std::string_view line_;
};

/// Walks fields separated by spaces or tabs.
class Fields {
 public:
  explicit Fields(std::string_view line) : rest_(line) {}
  /// The next field, or "" when there is none.
  std::string_view next();
  /// The next field as an unsigned number; nothing when missing or not a number. Values past int64 wrap like
  /// the kernel's u64.
  std::optional<std::int64_t> number();
  /// Passes over `count` fields.
  void skip(int count);
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// A whole decimal integer with optional sign. Values of a u64 above int64's range are clamped to the largest
/// int64.
std::optional<std::int64_t> parse_integer(std::string_view text);
/// "0.52" with scale 2 is 52; further digits are cut, missing ones are zeros.
std::optional<std::int64_t> parse_decimal(std::string_view text, int scale);
/// Hexadecimal without prefix, as in /proc/net/softnet_stat.
std::optional<std::int64_t> parse_hex(std::string_view text);
/// `content` without a last line that has no newline. The kernel ends every line, so such a line was cut and
/// its numbers are wrong.
std::string_view whole_lines(std::string_view content);
/// The part before `separator`, and the part after it; the second is empty when there is no separator.
std::pair<std::string_view, std::string_view> split_once(std::string_view text, char separator);

}  // namespace vigil::agent
