// When the certificates of a configuration expire, for own metrics: read again once a minute, since somebody
// renews them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace vigil {

struct CertificateEnd {
  std::string key;                     // "tls.cert"
  std::int64_t not_after_seconds = 0;  // Unix
};

/// One thread at a time.
class CertificateEnds {
 public:
  struct File {
    std::string key;
    std::string path;  // "": none
  };
  explicit CertificateEnds(std::vector<File> files) : files_(std::move(files)) {}

  /// Of the files that can be read; of several certificates in one the end of the first.
  const std::vector<CertificateEnd>& ends(std::chrono::steady_clock::time_point now);

  static constexpr std::chrono::minutes kEvery{1};

 private:
  std::vector<File> files_;
  std::vector<CertificateEnd> ends_;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace vigil
