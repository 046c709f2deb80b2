#include "aggregator/config.h"
#include "aggregator/http/cors.h"
#include "common/text/html.h"
#include "common/text/shell_word.h"
#include "common/tls/certificate.h"

namespace vigil::aggregator {
namespace {

/// What makes an authority for this very data folder.
std::string init_command_of(const AggregatorConfig& config) {
  std::error_code error;
  const auto folder = std::filesystem::absolute(data_directory(config), error);
  return "vigil-aggregator init --data-dir " + shell_word(error ? data_directory(config) : folder.string());
}

using config::Problems;

void check_listen(const AggregatorConfig& config, std::string_view key, Problems& problems) {
  const std::string& text = key == "grpc_listen" ? config.grpc_listen : config.http_listen;
  if (const auto address = parse_address(text, 1); !address) {
    problems.add(config.at.wrong(key, address.error().message));
  } else if (text.find(':') == std::string::npos) {
    problems.add(config.at.wrong(key, fmt::format("'{}' lacks a port; write HOST:PORT, for example {}", text,
                                                  key == "grpc_listen" ? kGrpcAddress : kHttpAddress)));
  }
}

/// A list of revoked certificates in it would be passed over: who relies on one must know.
Result<std::string> read_client_ca(const std::string& path) {
  auto text = config::read_certificates(path);
  if (!text || text->find("-----BEGIN X509 CRL-----") == std::string::npos) return text;
  return fail(
      Errc::unsupported,
      "{} holds a list of revoked certificates, which is not looked at: take it out, and shut out who is "
      "on it by access.certificates: {{NAME: none}}",
      path);
}

void check_tls(const AggregatorConfig& config, Problems& problems) {
  const TlsConfig& files = config.tls;
  if (files.cert.empty() != files.key.empty()) {
    problems.add(config.at.wrong(files.cert.empty() ? "tls.key" : "tls.cert",
                                 "cert and key belong together: set both or neither"));
  }
  if (!files.client_ca.empty() && files.cert.empty())
    problems.add(
        config.at.wrong("tls.client_ca", "has no effect without tls.cert and tls.key; set them, too"));
  const bool has_port = config.grpc_listen.find(':') != std::string::npos;  // or check_listen() complains
  const auto grpc = parse_address(config.grpc_listen, 0);
  if (has_port && files.cert.empty() && !uses_own_authority(config) && !files.plaintext && grpc &&
      !grpc->is_loopback()) {
    problems.add(config.at.wrong(
        "grpc_listen",
        fmt::format(
            "{} is plain text that leaves this machine: run {}, or set tls.cert and tls.key, or, where the "
            "network is a tunnel or of this machine only, tls.plaintext: true",
            config.grpc_listen, init_command_of(config))));
  }
  const auto look = [&](std::string_view key, const std::string& path, auto read) {
    if (path.empty()) return;
    if (const auto text = read(path); !text) problems.add(config.at.wrong(key, text.error().message));
  };
  look("tls.cert", files.cert, config::read_certificates);
  look("tls.key", files.key, config::read_private_key);
  look("tls.client_ca", files.client_ca, read_client_ca);
  const auto cert = config::read_certificates(files.cert);
  const auto key = config::read_private_key(files.key);
  if (!cert || !key) return;
  if (const auto pair = tls::check_pair(*cert, *key); !pair)
    problems.add(config.at.wrong("tls.key", fmt::format("{}: {}", files.key, pair.error().message)));
}

void check_data_dir(const AggregatorConfig& config, Problems& problems) {
  if (const auto fine = config::check_folder(data_directory(config)); !fine)
    problems.add(config.at.wrong("data_dir", fine.error().message));
}

/// Two listeners cannot share a port, unless each has an address of its own.
void check_ports(const AggregatorConfig& config, Problems& problems) {
  const auto grpc = parse_address(config.grpc_listen, 0);
  const auto http = parse_address(config.http_listen, 0);
  if (!grpc || !http || grpc->port == 0 || grpc->port != http->port) return;
  const auto is_any = [](const Address& address) {
    return address.host == "0.0.0.0" || address.host == "::";
  };
  if (grpc->host != http->host && !is_any(*grpc) && !is_any(*http)) return;
  problems.add(config.at.wrong(
      "http_listen",
      fmt::format("{} takes the port of grpc_listen, {}: give one of them another, for example {}",
                  config.http_listen, config.grpc_listen, kHttpAddress)));
}

/// In the links of messages everybody would read it.
bool has_user(std::string_view url) {
  url.remove_prefix(url.find("://") + 3);
  return url.substr(0, url.find_first_of("/?#")).find('@') != std::string_view::npos;
}

void check_external_url(const AggregatorConfig& config, Problems& problems) {
  if (config.external_url.empty()) return;
  if (is_web_link(config.external_url)) {
    if (has_user(config.external_url))
      problems.add(
          config.at.wrong("external_url",
                          "has a name or password in it, and all who get a message would read it: leave out "
                          "what stands before the @"));
    return;
  }
  problems.add(config.at.wrong(
      "external_url", fmt::format("'{}' is no web address; write for example https://vigil.example.org",
                                  config.external_url)));
}

void check_http_tls(const AggregatorConfig& config, Problems& problems) {
  const bool has_certificate = !config.tls.cert.empty() || uses_own_authority(config);
  if (has_certificate || config.http.tls == HttpTls::off) return;
  if (config.http.tls == HttpTls::on)
    return problems.add(config.at.wrong(
        "http.tls",
        fmt::format("on needs a certificate: run {}, or set tls.cert and tls.key", init_command_of(config))));
  const bool has_port = config.http_listen.find(':') != std::string::npos;  // or check_listen() complains
  const auto http = parse_address(config.http_listen, 0);
  if (!has_port || !http || http->is_loopback()) return;
  problems.add(config.at.wrong(
      "http_listen",
      fmt::format("{} is plain text that leaves this machine: run {}, or set tls.cert and tls.key, or, where "
                  "the network is a tunnel or of this machine only, http.tls: off",
                  config.http_listen, init_command_of(config))));
}

void check_http(const AggregatorConfig& config, Problems& problems) {
  check_http_tls(config, problems);
  if (const auto cors = http::Cors::create(config.http.cors_origin); !cors)
    problems.add(config.at.wrong("http.cors_origin", cors.error().message));
}

void check_oidc(const AggregatorConfig& config, Problems& problems) {
  for (const auto& [key, fault] : access::oidc::find_faults(config.access.oidc))
    problems.add(config.at.wrong("access.oidc." + key, fault));
}

}  // namespace

Result<std::vector<std::string>> check(const AggregatorConfig& config) {
  Problems problems;
  check_listen(config, "grpc_listen", problems);
  check_listen(config, "http_listen", problems);
  check_ports(config, problems);
  check_http(config, problems);
  check_tls(config, problems);
  check_oidc(config, problems);
  check_data_dir(config, problems);
  check_external_url(config, problems);
  auto warnings = alerts::check(alerting_options(config));
  problems.add(warnings);
  if (const auto fine = problems.result(); !fine) return fine.error();
  return warnings;
}

}  // namespace vigil::aggregator
