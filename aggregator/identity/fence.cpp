#include "aggregator/identity/fence.h"

#include "common/text/human.h"

#include <grpc/grpc_security_constants.h>

namespace vigil::aggregator::identity {
namespace {

constexpr std::string_view kStream = "/vigil.v1.Ingest/Stream";
constexpr std::string_view kEnroll = "/vigil.v1.Identity/Enroll";
constexpr std::string_view kStanding = "/vigil.v1.Identity/Standing";
constexpr std::string_view kRenew = "/vigil.v1.Identity/Renew";

Result<void> may_call_as_host(std::string_view name, std::string_view method) {
  for (const std::string_view own : {kStream, kRenew, kEnroll, kStanding}) {
    if (method == own) return {};
  }
  return fail(Errc::permission, "the certificate of the host {} is for its agent, which only delivers", name);
}

}  // namespace

std::string peer_certificate(const grpc::AuthContext& peer) {
  const auto found = peer.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  return found.empty() ? std::string() : std::string(found.front().data(), found.front().size());
}

Result<void> may_call(Authority* authority, std::string_view certificate, std::string_view method,
                      std::int64_t now_ms) {
  // Why a host is known no more.
  const bool says_itself = method == kStream || method == kEnroll || method == kStanding;
  if (authority == nullptr) {
    const auto info = tls::read_certificate(certificate);
    if (!info) return info.error();
    if (!says_itself && now_ms >= info->not_after_ms)
      return fail(Errc::permission, "the certificate of {} expired at {}", info->common_name,
                  format_rfc3339(info->not_after_ms));
    const auto host = tls::named_by(*info, tls::kHostUri);
    return host ? may_call_as_host(*host, method) : Result<void>();
  }
  if (says_itself) return {};
  const auto bearer = authority->admit(certificate);
  if (!bearer) return bearer.error();
  return bearer->kind == Kind::host ? may_call_as_host(bearer->name, method) : Result<void>();
}

}  // namespace vigil::aggregator::identity
