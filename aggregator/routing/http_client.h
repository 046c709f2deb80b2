// `http_config` of Alertmanager's receivers: how a request identifies itself, and whom it trusts.
#pragma once

#include "aggregator/routing/secret.h"
#include "common/config/fields.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vigil::routing {

struct TlsClient {
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
};
void describe(config::Fields& fields, TlsClient& tls);

struct BasicAuth {
  std::string username;
  Secret password;
};
void describe(config::Fields& fields, BasicAuth& auth);

struct Authorization {
  std::string type = "Bearer";
  Secret credentials;
};
void describe(config::Fields& fields, Authorization& authorization);

struct HeaderValues {
  std::vector<std::string> values;
  std::vector<std::string> secrets;
  std::vector<std::string> files;
};
void describe(config::Fields& fields, HeaderValues& header);

struct HttpClient {
  std::optional<BasicAuth> basic_auth;
  std::optional<Authorization> authorization;
  TlsClient tls;
  std::map<std::string, HeaderValues> headers;
};
void describe(config::Fields& fields, HttpClient& http);

}  // namespace vigil::routing
