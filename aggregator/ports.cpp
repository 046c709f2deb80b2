#include "aggregator/ports.h"

#include "aggregator/identity/fence.h"
#include "common/clock.h"
#include "common/tls/certificate_ends.h"
#include "common/tls/served.h"

#include <chrono>
#include <memory>

namespace vigil::aggregator {
namespace {

/// As the gRPC port has them, but nobody must show a certificate: browsers have none.
std::optional<http::TlsFiles> http_tls(const AggregatorConfig& config, const identity::Authority* authority) {
  if (!http_speaks_tls(config, authority != nullptr || !config.tls.cert.empty())) return std::nullopt;
  if (authority == nullptr) return http::TlsFiles{config.tls.cert, config.tls.key, config.tls.client_ca};
  const std::string folder = identity::folder_in(data_directory(config));
  const std::string own = identity::server_path(folder);
  return http::TlsFiles{own, own, identity::authority_path(folder)};
}

}  // namespace

Result<GrpcServerOptions> grpc_server_options(const AggregatorConfig& config, const Address& listen,
                                              identity::Authority* authority) {
  GrpcServerOptions options;
  options.listen = listen;
  options.may_call = [authority](const std::string& certificate, std::string_view method) {
    return identity::may_call(authority, certificate, method, wall_ms());
  };
  if (authority != nullptr) {
    const std::string folder = identity::folder_in(data_directory(config));
    const std::string own = identity::server_path(folder);
    options.tls = GrpcTls{{own, own, identity::authority_path(folder)}, ClientCertificate::asked};
  } else if (!config.tls.cert.empty()) {
    const bool is_asked = !config.tls.client_ca.empty();
    options.tls = GrpcTls{{config.tls.cert, config.tls.key, config.tls.client_ca},
                          is_asked ? ClientCertificate::required : ClientCertificate::not_asked};
  } else {
    return options;
  }
  const GrpcTlsFiles& files = options.tls->files;
  if (auto served = tls::read_served(files.cert, files.key, files.client_ca); !served) return served.error();
  return options;
}

http::ServerOptions http_server_options(const AggregatorConfig& config, const Address& listen,
                                        identity::Authority* authority) {
  http::ServerOptions options;
  options.listen = listen;
  options.header_timeout = config.http.header_timeout;
  options.idle_timeout = config.http.idle_timeout;
  options.least_rate = config.http.min_rate.count;
  options.tls = http_tls(config, authority);
  options.may_ask = [authority](const std::string& certificate, std::string_view path) {
    return identity::may_call(authority, certificate, path, wall_ms());
  };
  return options;
}

void add_certificate_metrics(self::Registry& registry, const TlsConfig& tls) {
  auto ends = std::make_shared<CertificateEnds>(
      std::vector<CertificateEnds::File>{{"tls.cert", tls.cert}, {"tls.client_ca", tls.client_ca}});
  registry.collect_many(
      self::Kind::gauge, "vigil_aggregator_certificate_expiry_timestamp_seconds",
      "When a certificate of the configuration expires, Unix seconds.", [ends] {
        self::Registry::Samples samples;
        for (const CertificateEnd& end : ends->ends(std::chrono::steady_clock::now()))
          samples.emplace_back(Labels{{"key", end.key}}, static_cast<double>(end.not_after_seconds));
        return samples;
      });
}

}  // namespace vigil::aggregator
