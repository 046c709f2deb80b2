#include "cli/backup/digest.h"

#include "common/crc32c.h"
#include "common/error.h"

#include <array>
#include <cassert>

namespace vigil::cli {

Digest::Digest() : context_(::EVP_MD_CTX_new()) {
  [[maybe_unused]] const int begun = ::EVP_DigestInit_ex(context_.get(), ::EVP_sha256(), nullptr);
  assert(begun == 1);  // it fails only without memory
}

void Digest::add(std::string_view bytes) {
  crc_ = vigil::crc32c(bytes, crc_);
  ::EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

std::string Digest::sha256() const {
  const std::unique_ptr<EVP_MD_CTX, tls::Freed<EVP_MD_CTX_free>> until_now(::EVP_MD_CTX_new());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  ::EVP_MD_CTX_copy_ex(until_now.get(), context_.get());
  ::EVP_DigestFinal_ex(until_now.get(), digest.data(), &size);
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest.at(i));
  return text;
}

bool Digest::has(std::string_view checksum) const {
  return checksum == (checksum.size() == kCrcDigits ? fmt::format("{:08x}", crc_) : sha256());
}

bool is_checksum(std::string_view text) {
  return (text.size() == kCrcDigits || text.size() == kSha256Digits) &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace vigil::cli
