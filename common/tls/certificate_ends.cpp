#include "common/tls/certificate_ends.h"

#include "common/config/files.h"
#include "common/tls/certificate.h"

namespace vigil {

const std::vector<CertificateEnd>& CertificateEnds::ends(std::chrono::steady_clock::time_point now) {
  if (files_.empty() || now < next_) return ends_;
  next_ = now + kEvery;
  ends_.clear();
  for (const File& file : files_) {
    if (file.path.empty()) continue;
    const auto text = config::read_certificates(file.path);
    if (!text) continue;  // said where it is used
    if (const auto certificate = tls::read_certificate(*text))
      ends_.push_back({file.key, certificate->not_after_ms / 1000});
  }
  return ends_;
}

}  // namespace vigil
