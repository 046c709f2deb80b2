#include "aggregator/routing/http_client.h"

namespace vigil::routing {
namespace {

constexpr std::string_view kProxies =
    "has no effect: proxies are those of the environment (https_proxy, no_proxy)";
constexpr std::string_view kTlsInline = "has no effect: PEM stands in a file of its own, as with ca_file";

}  // namespace

void describe(config::Fields& fields, TlsClient& tls) {
  fields.path("ca_file", tls.ca_file, "Certificates to trust instead of the system's.");
  fields.path("cert_file", tls.cert_file, "Certificate to show.");
  fields.path("key_file", tls.key_file, "Its private key.");
  fields.require("key_file", !tls.cert_file.empty(), "belongs to cert_file, which is missing");
  fields.require("cert_file", !tls.key_file.empty(), "belongs to key_file, which is missing");
  fields.without_effect("ca", kTlsInline);
  fields.without_effect("cert", kTlsInline);
  fields.without_effect("key", kTlsInline);
  fields.without_effect("server_name", "has no effect: certificates are checked against the name in the URL");
  fields.without_effect("insecure_skip_verify",
                        "has no effect: certificates are always checked; trust one with ca_file");
  fields.without_effect("min_version", "has no effect: TLS 1.2 and 1.3 are spoken");
  fields.without_effect("max_version", "has no effect: TLS 1.2 and 1.3 are spoken");
}

void describe(config::Fields& fields, BasicAuth& auth) {
  fields.field("username", auth.username, "Name.");
  fields.without_effect("username_file", "has no effect: write username itself, it is no secret");
  describe_secret(fields, "password", auth.password, "Password.");
}

void describe(config::Fields& fields, Authorization& authorization) {
  fields.field("type", authorization.type, "First word of the header.");
  describe_secret(fields, "credentials", authorization.credentials, "The rest of the header.");
}

void describe(config::Fields& fields, HeaderValues& header) {
  fields.field("values", header.values, "Values.");
  fields.field("secrets", header.secrets, "Values that are not shown.");
  fields.paths("files", header.files, "Files that hold values.");
}

void describe(config::Fields& fields, HttpClient& http) {
  Secret bearer;  // the older way to write `authorization`
  fields.field("basic_auth", http.basic_auth, "Name and password.");
  fields.field("authorization", http.authorization, "The header Authorization.");
  describe_secret(fields, "bearer_token", bearer, "Token of the header Authorization.");
  if (!bearer.empty()) {
    fields.require("authorization", false, "give either authorization or bearer_token");
    http.authorization = Authorization{.credentials = bearer};
  }
  fields.require("basic_auth", !http.authorization, "give either basic_auth or authorization");
  fields.field("tls_config", http.tls, "Encryption.");
  fields.field("http_headers", http.headers, "More headers.");
  fields.without_effect("oauth2", "has no effect: no tokens are fetched; what is sent has no Authorization");
  fields.without_effect("enable_http2", "has no effect: the server decides");
  fields.without_effect("follow_redirects", "has no effect: redirects are never followed");
  for (const std::string_view key :
       {"proxy_url", "no_proxy", "proxy_from_environment", "proxy_connect_header"})
    fields.without_effect(key, kProxies);
}

}  // namespace vigil::routing
