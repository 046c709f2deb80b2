#include "aggregator/identity/speaker.h"

#include "common/tls/certificate.h"

namespace vigil::aggregator::identity {

Result<Speaker> speaker_by_name(std::string_view pem, std::string_view host, std::int64_t now_ms) {
  if (pem.empty()) return Speaker{};
  auto certificate = tls::read_certificate(pem);
  if (!certificate) return certificate.error();
  const std::string name = tls::named_by(*certificate, tls::kHostUri).value_or(certificate->common_name);
  if (name != host) {
    return fail(
        Errc::permission,
        "the certificate is for '{}', not for {}: an agent's certificate has its host's name as common "
        "name, or in a URI {}NAME",
        name, host, tls::kHostUri);
  }
  if (now_ms >= certificate->not_after_ms)
    return fail(Errc::permission, "the certificate of {} expired", host);
  return Speaker{std::move(certificate->serial), certificate->not_after_ms};
}

}  // namespace vigil::aggregator::identity
