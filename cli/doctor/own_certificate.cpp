#include "cli/doctor/own_certificate.h"

#include "common/text/human.h"
#include "common/text/shell_word.h"
#include "common/tls/certificate.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

namespace vigil::cli {
namespace {

constexpr std::int64_t kSoonMs = 7 * 86'400'000LL;

}  // namespace

std::string how_to_renew(const ClientOptions& options) {
  const auto certificate = tls::read_certificate(options.cert_pem);
  const auto person = certificate ? tls::named_by(*certificate, tls::kPersonUri) : std::nullopt;
  if (!person) return "have another made by who signed it";
  std::error_code error;
  const auto path = std::filesystem::absolute(options.cert_path, error);
  return fmt::format("vigil certificate issue --person {} --out {}, which an admin may", shell_word(*person),
                     shell_word(path.parent_path().string()));
}

std::string warn_of_end(const ClientOptions& options, std::int64_t now_ms) {
  const auto certificate = tls::read_certificate(options.cert_pem);
  if (!certificate) return {};
  const std::int64_t left = certificate->not_after_ms - now_ms;
  const std::int64_t soon = std::min(kSoonMs, (certificate->not_after_ms - certificate->not_before_ms) / 3);
  if (left <= 0 || left >= soon) return {};
  return fmt::format("your certificate {} ends in {}: {}", options.cert_path,
                     format_age(std::chrono::milliseconds(left)), how_to_renew(options));
}

}  // namespace vigil::cli
