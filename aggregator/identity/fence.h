// What a certificate lets its owner call: hosts deliver and renew, and read nothing; people whatever their
// role allows, until it is revoked. Who shows none is the gatekeeper's affair.
#pragma once

#include "aggregator/identity/authority.h"

#include <grpcpp/security/auth_context.h>

#include <string>
#include <string_view>

namespace vigil::aggregator::identity {

/// The certificate a peer showed, in PEM; "" when it showed none, or speaks plain text.
std::string peer_certificate(const grpc::AuthContext& peer);

/// Whether `method` ("/vigil.v1.Query/Instant") may be called with this certificate. `authority` null: it is
/// somebody else's, which the handshake has checked; but a connection may outlive its certificate.
/// Errc::permission.
Result<void> may_call(Authority* authority, std::string_view certificate, std::string_view method,
                      std::int64_t now_ms);

}  // namespace vigil::aggregator::identity
