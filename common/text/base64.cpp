#include "common/text/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace vigil {
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrlDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> values_of(std::string_view digits) {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < digits.size(); ++i)
    values[static_cast<unsigned char>(digits[i])] = static_cast<std::int8_t>(i);
  return values;
}

constexpr auto kValues = values_of(kDigits);
constexpr auto kUrlValues = values_of(kUrlDigits);

struct Decoded {
  std::string bytes;
  unsigned left_over = 0;  // bits that made no byte
};

Result<Decoded> decode(std::string_view text, const std::array<std::int8_t, 256>& values) {
  if (text.size() % 4 == 1) return fail(Errc::parse, "not base64: a part of a byte is left");
  Decoded out;
  out.bytes.reserve(text.size() / 4 * 3 + 2);
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0) return fail(Errc::parse, "not base64");
    bits = (bits << 6 | static_cast<unsigned>(value)) & 0xFFFFFF;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.bytes += static_cast<char>(bits >> count & 0xFF);
  }
  out.left_over = bits & ((1U << count) - 1);
  return out;
}

}  // namespace

std::string base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

Result<std::string> decode_base64(std::string_view text) {
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  auto decoded = decode(text, kValues);
  if (!decoded) return decoded.error();
  return std::move(decoded->bytes);
}

Result<std::string> decode_base64url(std::string_view text) {
  auto decoded = decode(text, kUrlValues);
  if (!decoded) return decoded.error();
  if (decoded->left_over != 0) return fail(Errc::parse, "not base64url: bits are left over");
  return std::move(decoded->bytes);
}

}  // namespace vigil
