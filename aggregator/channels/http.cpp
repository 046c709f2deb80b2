#include "aggregator/channels/http.h"

#include "aggregator/notify/mime.h"
#include "aggregator/notify/requests.h"
#include "common/config/files.h"
#include "common/text/ascii.h"
#include "common/text/base64.h"

#include <boost/json.hpp>
#include <utility>
#include <vector>

namespace vigil::channels {
namespace {

/// The key itself, or that of its file: whichever was written.
std::string key_of(std::string_view key, const routing::Secret& secret) {
  return fmt::format("{}{}", key, secret.file.empty() ? "" : "_file");
}

void add_header(const Site& site, const std::string& key, const std::string& name, const std::string& value,
                std::vector<std::string>& out) {
  if (auto fine = notify::check_header(name, value); !fine) {
    site.wrong(key, fine.error().message);
    return;
  }
  out.push_back(fmt::format("{}: {}", name, value));
}

void take_headers(const Site& site, const routing::HttpClient& http, std::vector<std::string>& out) {
  for (const auto& [name, header] : http.headers) {
    const std::string key = "http_config.http_headers." + name;
    for (const std::string& value : header.values) add_header(site, key, name, value, out);
    for (const std::string& value : header.secrets) add_header(site, key, name, value, out);
    for (const std::string& file : header.files)
      add_header(site, key, name, read(site, key, {.value = "", .file = file}), out);
  }
}

void take_authorization(const Site& site, const routing::HttpClient& http, std::vector<std::string>& out) {
  if (http.basic_auth) {
    constexpr std::string_view kKey = "http_config.basic_auth.password";
    const std::string password = read(site, kKey, http.basic_auth->password);
    // RFC 7617: a colon ends the name.
    if (http.basic_auth->username.find(':') != std::string::npos)
      site.wrong("http_config.basic_auth.username", "must not have a colon");
    out.push_back("Authorization: Basic " + base64(http.basic_auth->username + ':' + password));
  }
  if (http.authorization) {
    constexpr std::string_view kKey = "http_config.authorization.credentials";
    add_header(
        site, key_of(kKey, http.authorization->credentials), "Authorization",
        fmt::format("{} {}", http.authorization->type, read(site, kKey, http.authorization->credentials)),
        out);
  }
}

}  // namespace

std::string read(const Site& site, std::string_view key, const routing::Secret& secret) {
  if (secret.file.empty()) return secret.value;
  auto text = config::read_secret(secret.file);
  if (text) return std::move(*text);
  site.wrong(key_of(key, secret), text.error().message);
  return {};
}

std::string read_url(const Site& site, std::string_view key, const routing::Secret& secret) {
  std::string url = read(site, key, secret);
  if (url.empty() && !secret.file.empty()) return url;  // said already
  if (auto fine = notify::check_url(url); !fine) site.wrong(key_of(key, secret), fine.error().message);
  return url;
}

void take_tls(const Site& site, std::string_view key, const routing::TlsClient& tls,
              notify::Request& request) {
  const auto check = [&](std::string_view name, const std::string& path, auto read_pem) {
    if (path.empty()) return;
    if (const auto pem = read_pem(path); !pem)
      site.wrong(fmt::format("{}.{}", key, name), pem.error().message);
  };
  check("ca_file", tls.ca_file, config::read_certificates);
  check("cert_file", tls.cert_file, config::read_certificates);
  check("key_file", tls.key_file, config::read_private_key);
  request.ca_file = tls.ca_file;
  request.cert_file = tls.cert_file;
  request.key_file = tls.key_file;
}

notify::Request http_request(const Site& site, std::string url,
                             const std::optional<routing::HttpClient>& http) {
  notify::Request request;
  request.url = std::move(url);
  if (!http) return request;
  take_headers(site, *http, request.headers);
  take_authorization(site, *http, request.headers);
  take_tls(site, "http_config.tls_config", http->tls, request);
  return request;
}

notify::Request with_body(const notify::Request& base, const notify::Shipment& shipment, std::string body,
                          std::string_view content_type) {
  notify::Request request = base;
  request.headers = notify::common_headers(shipment, content_type);
  request.headers.insert(request.headers.end(), base.headers.begin(), base.headers.end());
  request.body = std::move(body);
  return request;
}

notify::Request with_body(const notify::Request& base, const notify::Shipment& shipment,
                          const boost::json::object& body) {
  return with_body(base, shipment, boost::json::serialize(body), "application/json");
}

notify::Request with_body(const notify::Request& base, const notify::Shipment& shipment,
                          const boost::json::array& body) {
  return with_body(base, shipment, boost::json::serialize(body), "application/json");
}

}  // namespace vigil::channels
