#include "common/tls/token.h"

#include "common/tls/openssl.h"

#include <openssl/rand.h>

#include <array>
#include <span>

namespace vigil::tls {
namespace {

constexpr std::size_t kTokenBytes = 20;

std::string hex_of(std::span<const unsigned char> bytes) {
  std::string out;
  for (const unsigned char byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace

Result<std::string> make_token() {
  std::array<unsigned char, kTokenBytes> bytes{};
  if (::RAND_bytes(bytes.data(), kTokenBytes) != 1) return openssl_error(Errc::internal, "random numbers");
  return hex_of(bytes);
}

bool looks_like_token(std::string_view text) {
  return text.size() == 2 * kTokenBytes &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string digest_of(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  ::EVP_Digest(text.data(), text.size(), digest.data(), &length, ::EVP_sha256(), nullptr);
  return hex_of(std::span(digest).first(length));
}

}  // namespace vigil::tls
