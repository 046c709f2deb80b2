#include "cli/doctor/refusal.h"

#include "cli/doctor/own_certificate.h"
#include "common/text/shell_word.h"
#include "common/tls/certificate.h"

namespace vigil::cli {
namespace {

constexpr const char* kAnotherToken =
    "another token: vigil token create NAME --role viewer, by an admin; its file as --token-file or "
    "VIGIL_TOKEN_FILE, or itself in VIGIL_TOKEN";

/// Of somebody whose certificate counts, and who may do nothing.
std::string give_role(const ClientOptions& options, const std::string& name) {
  const auto certificate = tls::read_certificate(options.cert_pem);
  if (!certificate || !tls::named_by(*certificate, tls::kPersonUri))
    return fmt::format("{}: viewer in access.certificates of the aggregator", name);
  return fmt::format(
      "vigil user role {0} viewer, by an admin; vigil user add {0} --role viewer --no-password, where there "
      "is no such user",
      shell_word(name));
}

/// Of a credential that counts for nothing.
std::string replace_credential(const ClientOptions& options) {
  if (!options.token.empty()) return kAnotherToken;
  return options.token_source ? "vigil login" : how_to_renew(options);
}

std::string let_in(const ClientOptions& options, const std::optional<v1::WhoAmIResponse>& who) {
  if (!who) return replace_credential(options);
  if (who->kind() == "token") return kAnotherToken;
  if (who->kind() == "certificate") return give_role(options, who->name());
  if (who->kind() == "host")
    return "a person's certificate, not a host's: vigil certificate issue --person NAME --out FOLDER, by an "
           "admin; or a token";
  if (who->kind() == "oidc") return "a role by access.oidc.roles or access.oidc.users of the aggregator";
  return "a token, a certificate or a login: docs/access.md";
}

}  // namespace

doctor::Finding check_refusal(const Error& refused, const ClientOptions& options,
                              const std::optional<v1::WhoAmIResponse>& who) {
  const std::size_t end = refused.message.find('\n');
  const std::string why = refused.message.substr(0, end);
  // What the client would have said to do, who does not know whom the aggregator sees.
  std::string fix = end == std::string::npos ? "" : refused.message.substr(end + 1);
  const bool is_nobody = who && (who->kind() == "anonymous" || who->kind() == "loopback");
  if (refused.code == Errc::permission && (!is_nobody || fix.empty())) fix = let_in(options, who);
  if (refused.code == Errc::limit) fix = "wait a minute, and end what asks that often";
  if (fix.empty())
    fix = "vigil-aggregator doctor on its machine, and its log: journalctl -u vigil-aggregator";
  return doctor::problem("aggregator", "its answers", why, std::move(fix));
}

}  // namespace vigil::cli
