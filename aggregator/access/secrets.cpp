#include "aggregator/access/secrets.h"

#include <argon2.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace vigil::aggregator::access {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

// OWASP's choice for argon2id: 19 MiB, two passes, one lane.
constexpr std::uint32_t kPasses = 2;
constexpr std::uint32_t kKibibytes = 19 << 10;
constexpr std::uint32_t kLanes = 1;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kHashBytes = 32;

Result<void> fill_random(unsigned char* bytes, std::size_t size) {
  if (::getrandom(bytes, size, 0) == static_cast<ssize_t>(size)) return {};  // whole up to 256 bytes
  return fail_errno(errno, "getrandom");
}

}  // namespace

Result<std::string> new_token() {
  std::string token(kTokenPrefix);
  std::array<unsigned char, 64> random{};
  while (token.size() < kTokenPrefix.size() + kTokenDigits) {
    if (auto filled = fill_random(random.data(), random.size()); !filled) return filled.error();
    for (const unsigned char byte : random) {
      // 248 is four times 62: what is above would make the first digits likelier.
      if (byte < 248 && token.size() < kTokenPrefix.size() + kTokenDigits)
        token += kDigits[byte % kDigits.size()];
    }
  }
  return token;
}

bool looks_like_token(std::string_view text) {
  if (!text.starts_with(kTokenPrefix) || text.size() != kTokenPrefix.size() + kTokenDigits) return false;
  return text.find_first_not_of(kDigits, kTokenPrefix.size()) == std::string_view::npos;
}

std::string sha256(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  ::EVP_Digest(text.data(), text.size(), digest.data(), &length, ::EVP_sha256(), nullptr);
  return {reinterpret_cast<const char*>(digest.data()), length};
}

Result<std::string> hash_password(const std::string& password) {
  std::array<unsigned char, kSaltBytes> salt{};
  if (auto filled = fill_random(salt.data(), salt.size()); !filled) return filled.error();
  std::array<char, 256> encoded{};
  const int code =
      ::argon2id_hash_encoded(kPasses, kKibibytes, kLanes, password.data(), password.size(), salt.data(),
                              salt.size(), kHashBytes, encoded.data(), encoded.size());
  if (code != ARGON2_OK) return fail(Errc::internal, "argon2id: {}", ::argon2_error_message(code));
  return std::string(encoded.data());
}

bool is_password(const std::string& hash, const std::string& password) {
  return ::argon2id_verify(hash.c_str(), password.data(), password.size()) == ARGON2_OK;
}

}  // namespace vigil::aggregator::access
