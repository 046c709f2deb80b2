// The Authorization header of anyone who can reach a port: read without harm, whatever its bytes, and nothing
// of it in the error.
#include "aggregator/access/authorization.h"
#include "aggregator/access/limits.h"
#include "aggregator/access/secrets.h"
#include "common/text/base64.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil::aggregator::access;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto credential = parse_authorization(text);
  if (credential) {
    const auto* bearer = std::get_if<Bearer>(&*credential);
    if (bearer != nullptr && (bearer->token.empty() || bearer->token.find(' ') != std::string::npos))
      std::abort();
    if (bearer != nullptr) (void)looks_like_token(bearer->token);
    const auto* basic = std::get_if<Basic>(&*credential);
    if (basic != nullptr && basic->user.find(':') != std::string::npos) std::abort();
  } else if (size > 60 && credential.error().message.find(text) != std::string::npos) {
    // A fuzzer that sees what is compared finds the error's own words.
    if (parse_authorization("neither").error().message.find(text) == std::string::npos) std::abort();
  }
  const auto plain = vigil::decode_base64(text);
  if (plain && plain->size() > size) std::abort();
  (void)source_of(text);
  (void)is_loopback_address(text);
  return 0;
}
