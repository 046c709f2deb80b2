// How the two ports are opened: address, certificates, and whose certificate may call what.
#pragma once

#include "aggregator/config.h"
#include "aggregator/http/server.h"
#include "aggregator/identity/authority.h"
#include "aggregator/ingest/grpc_server.h"
#include "aggregator/self/registry.h"

namespace vigil::aggregator {

/// `authority` may be null, and outlives the server. An error when a file of the certificates is missing or
/// does not fit the others; that they can be read later on, only the port's log can say.
Result<GrpcServerOptions> grpc_server_options(const AggregatorConfig& config, const Address& listen,
                                              identity::Authority* authority);
/// Likewise.
http::ServerOptions http_server_options(const AggregatorConfig& config, const Address& listen,
                                        identity::Authority* authority);

/// When the certificates of the configuration expire.
void add_certificate_metrics(self::Registry& registry, const TlsConfig& tls);

}  // namespace vigil::aggregator
