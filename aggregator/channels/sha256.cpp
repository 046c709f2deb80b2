#include "aggregator/channels/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

namespace vigil::channels {

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  ::EVP_Digest(text.data(), text.size(), digest.data(), &length, ::EVP_sha256(), nullptr);
  std::string out;
  for (unsigned i = 0; i < length; ++i) out += fmt::format("{:02x}", digest[i]);
  return out;
}

}  // namespace vigil::channels
