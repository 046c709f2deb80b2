// What tells one content from another in a backup.
#pragma once

#include "common/tls/openssl.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::cli {

constexpr std::size_t kCrcDigits = 8;
constexpr std::size_t kSha256Digits = 64;

/// Checksums of bytes as they pass. SHA-256 names a file. CRC-32C is what the aggregator sends behind one,
/// and what older sets have: it names nothing, for pages that end with their own CRC-32C (history.db,
/// meta.db, access.db) give the same one whatever is in them.
class Digest {
 public:
  Digest();
  void add(std::string_view bytes);
  std::uint32_t crc32c() const { return crc_; }
  /// In hexadecimal, of all bytes until now.
  std::string sha256() const;
  /// Whether the bytes have this checksum: SHA-256, or the CRC-32C of an older set, in hexadecimal.
  bool has(std::string_view checksum) const;

 private:
  std::unique_ptr<EVP_MD_CTX, tls::Freed<EVP_MD_CTX_free>> context_;
  std::uint32_t crc_ = 0;
};

/// Of SHA-256, or of a CRC-32C.
bool is_checksum(std::string_view text);

}  // namespace vigil::cli
