#include "aggregator/notify/endpoint.h"

#include "aggregator/notify/message.h"
#include "common/config/fields.h"
#include "common/text/address.h"
#include "common/version.h"

#include <sys/stat.h>

#include <cerrno>

namespace vigil::notify {
namespace {

constexpr int kSlackBurst = 5;
constexpr std::uint16_t kSubmissionPort = 587;
constexpr std::uint16_t kSmtpsPort = 465;

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

Result<void> check_url(std::string_view url) {
  const bool fine =
      (url.starts_with("https://") && url.size() > 8) || (url.starts_with("http://") && url.size() > 7);
  if (!fine || has_control(url) || url.find(' ') != std::string_view::npos) {
    return fail(Errc::invalid_argument, "the URL must begin with https:// or http:// and have no spaces");
  }
  return {};
}

std::vector<std::string> common_headers(const Shipment& shipment) {
  return {"Content-Type: application/json", fmt::format("User-Agent: vigil/{}", kVersion),
          fmt::format("Idempotency-Key: {}", shipment.key()), "Expect:"};
}

Result<void> make_slack(const SlackConfig& config, Endpoint& out) {
  if (config.webhook_url.empty() == config.webhook_url_file.empty()) {
    return fail(Errc::invalid_argument, "slack: give either webhook_url or webhook_url_file");
  }
  std::string url = config.webhook_url;
  if (url.empty()) {
    auto secret = read_secret(config.webhook_url_file);
    if (!secret) return fail(secret.error().code, "slack.webhook_url_file: {}", secret.error().message);
    url = std::move(*secret);
  }
  if (auto fine = check_url(url); !fine) return fail(fine.error().code, "slack: {}", fine.error().message);
  out.kind = "slack";
  out.burst = kSlackBurst;
  out.render = [config, url](const Shipment& shipment, std::int64_t /*now_ms*/) {
    Request request;
    request.url = url;
    request.headers = common_headers(shipment);
    request.body = render_slack(shipment, config);
    return request;
  };
  return {};
}

Result<void> make_webhook(const WebhookConfig& config, const std::string& name, Endpoint& out) {
  if (auto fine = check_url(config.url); !fine)
    return fail(fine.error().code, "webhook.url: {}", fine.error().message);
  std::vector<std::string> extra;
  for (const auto& [header, value] : config.headers) {
    const bool fine = !header.empty() && header.find_first_of(": \t") == std::string::npos &&
                      !has_control(header) && !has_control(value);
    if (!fine) return fail(Errc::invalid_argument, "webhook.headers: '{}' is not a valid header", header);
    extra.push_back(fmt::format("{}: {}", header, value));
  }
  if (!config.token_file.empty()) {
    const auto token = read_secret(config.token_file);
    if (!token) return fail(token.error().code, "webhook.token_file: {}", token.error().message);
    extra.push_back(fmt::format("Authorization: Bearer {}", *token));
  }
  out.kind = "webhook";
  out.render = [config, extra, name](const Shipment& shipment, std::int64_t /*now_ms*/) {
    Request request;
    request.url = config.url;
    request.headers = common_headers(shipment);
    request.headers.insert(request.headers.end(), extra.begin(), extra.end());
    request.body = render_webhook(shipment, name);
    return request;
  };
  return {};
}

Result<void> check_email(const EmailConfig& config, const Address& server) {
  if (address_of(config.from).empty() || has_control(config.from)) {
    return fail(Errc::invalid_argument, "email.from: '{}' is not an address", config.from);
  }
  if (config.to.empty()) return fail(Errc::invalid_argument, "email.to: at least one address is needed");
  for (const std::string& to : config.to) {
    if (address_of(to).empty() || has_control(to))
      return fail(Errc::invalid_argument, "email.to: '{}' is not an address", to);
  }
  if (config.username.empty() != config.password_file.empty()) {
    return fail(Errc::invalid_argument, "email: username and password_file belong together");
  }
  const bool encrypted = config.starttls == StartTls::required || server.port == kSmtpsPort;
  if (!config.username.empty() && !encrypted && !server.is_loopback()) {
    return fail(Errc::invalid_argument,
                "email: a password is sent only with starttls: required, or on loopback");
  }
  return {};
}

Result<void> make_email(const EmailConfig& config, Endpoint& out) {
  const auto server = parse_address(config.smtp, kSubmissionPort);
  if (!server) return fail(server.error().code, "email.smtp: {}", server.error().message);
  if (auto fine = check_email(config, *server); !fine) return fine;
  Request request;
  request.protocol = Protocol::smtp;
  request.url = fmt::format("{}://{}", server->port == kSmtpsPort ? "smtps" : "smtp", server->to_string());
  request.from = address_of(config.from);
  for (const std::string& to : config.to) request.to.push_back(address_of(to));
  request.username = config.username;
  request.starttls = config.starttls;
  if (!config.ca_file.empty()) {  // libcurl would wait for a FIFO's writer
    if (const auto pem = config::read_file(config.ca_file); !pem)
      return fail(pem.error().code, "email.ca_file: {}", pem.error().message);
  }
  request.ca_file = config.ca_file;
  if (!config.password_file.empty()) {
    auto password = read_secret(config.password_file);
    if (!password) return fail(password.error().code, "email.password_file: {}", password.error().message);
    request.password = std::move(*password);
  }
  out.kind = "email";
  out.render = [config, request](const Shipment& shipment, std::int64_t now_ms) {
    Request made = request;
    made.body = render_email(shipment, config, now_ms);
    return made;
  };
  return {};
}

Result<void> make_kind(const ReceiverConfig& config, Endpoint& out) {
  const int kinds = (config.slack ? 1 : 0) + (config.email ? 1 : 0) + (config.webhook ? 1 : 0);
  if (kinds != 1) return fail(Errc::invalid_argument, "give one of slack, email and webhook");
  if (config.slack) return make_slack(*config.slack, out);
  if (config.email) return make_email(*config.email, out);
  return make_webhook(*config.webhook, config.name, out);
}

}  // namespace

Result<Endpoint> make_endpoint(const ReceiverConfig& config) {
  Endpoint out;
  out.name = config.name;
  out.min_severity = config.min_severity;
  out.send_resolved = config.send_resolved;
  if (auto made = make_kind(config, out); !made) {
    return fail(made.error().code, "receiver {}: {}", config.name, made.error().message);
  }
  return out;
}

Result<std::string> read_secret(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return fail_errno(errno, path);
  if ((info.st_mode & S_IRWXO) != 0) {
    return fail(Errc::permission, "{}: everybody may read this secret; chmod 640 or 600", path);
  }
  auto text = config::read_file(path);
  if (!text) return text.error();
  const std::size_t first = text->find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return fail(Errc::invalid_argument, "{}: is empty", path);
  std::string secret = text->substr(first, text->find_last_not_of(" \t\r\n") - first + 1);
  if (has_control(secret)) return fail(Errc::invalid_argument, "{}: holds more than one line", path);
  return secret;
}

}  // namespace vigil::notify
