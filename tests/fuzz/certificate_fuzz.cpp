// Requests and certificates from outside: any bytes give a key, what a certificate says, or an error; and a
// request's key can be certified.
#include "common/tls/certificate.h"
#include "common/tls/signing.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace vigil;

namespace {

const tls::Signer& authority() {
  static const tls::Signer signer = [] {
    tls::Signer made;
    made.key = tls::make_key().value();
    made.certificate = tls::make_authority(made.key, "fuzz", {0, 1'000'000}).value();
    return made;
  }();
  return signer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto key = tls::read_request(text)) {
    const tls::Subject subject{"a", {"vigil:host:a"}, {}, tls::Purpose::client};
    if (!tls::issue(authority(), *key, subject, {0, 1000})) std::abort();
  }
  if (const auto info = tls::read_certificate(text)) {
    static_cast<void>(tls::named_by(*info, tls::kHostUri));
    static_cast<void>(tls::server_hosts(text));
    static_cast<void>(tls::is_for_host(text, "localhost"));
    if (tls::check_signed_by(text, authority().certificate)) std::abort();  // nobody has its key
  }
  static_cast<void>(tls::split_certificates(text));
  return 0;
}
