#include "aggregator/notify/endpoint.h"

#include "aggregator/notify/message.h"
#include "aggregator/notify/requests.h"
#include "aggregator/notify/slack_bot.h"
#include "common/config/fields.h"
#include "common/text/address.h"
#include "common/text/ascii.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <utility>
#include <vector>

namespace vigil::notify {
namespace {

constexpr std::uint16_t kSubmissionPort = 587;
constexpr std::uint16_t kSmtpsPort = 465;

/// The alerts that a message is about.
std::vector<Notification> alerts_of(const Shipment& shipment) {
  std::vector<Notification> alerts;
  for (const Row& row : shipment.rows) alerts.push_back(row.note);
  return alerts;
}

Result<void> make_slack_bot(const ReceiverConfig& receiver, Endpoint& out) {
  const SlackConfig& config = *receiver.slack;
  const auto token = config::read_secret(config.bot_token_file);
  if (!token) return receiver.at.wrong("slack.bot_token_file", token.error().message);
  if (const auto fine = check_url(config.api_url); !fine)
    return receiver.at.wrong("slack.api_url", fine.error().message);
  if (config.channel.empty())
    return receiver.at.wrong("slack.channel", "missing: a bot writes to the channel it is told");
  SlackBot bot;
  bot.api = config.api_url;
  while (bot.api.ends_with('/')) bot.api.pop_back();
  bot.base.headers = {fmt::format("Authorization: Bearer {}", *token)};
  bot.has_threads = receiver.send_resolved;
  out.render = [bot, channel = config.channel](const Shipment& shipment, std::int64_t /*now_ms*/) {
    auto body = slack_body(shipment);
    body["channel"] = channel;
    return slack_request(bot, shipment, std::move(body), alerts_of(shipment));
  };
  return {};
}

Result<void> make_slack(const ReceiverConfig& receiver, Endpoint& out) {
  const SlackConfig& config = *receiver.slack;
  const int ways = (config.webhook_url.empty() ? 0 : 1) + (config.webhook_url_file.empty() ? 0 : 1) +
                   (config.bot_token_file.empty() ? 0 : 1);
  if (ways != 1)
    return receiver.at.wrong("slack", "give one of webhook_url_file, webhook_url and bot_token_file");
  out.kind = "slack";
  out.burst = kSlackBurst;
  if (!config.bot_token_file.empty()) return make_slack_bot(receiver, out);
  std::string url = config.webhook_url;
  const std::string_view key = url.empty() ? "slack.webhook_url_file" : "slack.webhook_url";
  if (url.empty()) {
    auto secret = config::read_secret(config.webhook_url_file);
    if (!secret) return receiver.at.wrong(key, secret.error().message);
    url = std::move(*secret);
  }
  if (auto fine = check_url(url); !fine) return receiver.at.wrong(key, fine.error().message);
  out.render = [config, url](const Shipment& shipment, std::int64_t /*now_ms*/) {
    Request request;
    request.url = url;
    request.headers = common_headers(shipment);
    request.body = render_slack(shipment, config);
    return request;
  };
  return {};
}

Result<void> make_webhook(const ReceiverConfig& receiver, Endpoint& out) {
  const WebhookConfig& config = *receiver.webhook;
  if (auto fine = check_url(config.url); !fine) return receiver.at.wrong("webhook.url", fine.error().message);
  const auto extra = webhook_headers(config, receiver.at);
  if (!extra) return extra.error();
  out.kind = "webhook";
  out.render = [config, extra = *extra, name = receiver.name](const Shipment& shipment,
                                                              std::int64_t /*now_ms*/) {
    Request request;
    request.url = config.url;
    request.headers = common_headers(shipment);
    request.headers.insert(request.headers.end(), extra.begin(), extra.end());
    request.body = render_webhook(shipment, name);
    return request;
  };
  return {};
}

Result<void> check_email(const ReceiverConfig& receiver, const Address& server) {
  const EmailConfig& config = *receiver.email;
  const auto is_address = [](const std::string& text) {
    return !address_of(text).empty() && !has_control(text);
  };
  constexpr std::string_view kNoAddress =
      "'{}' is not an address; write vigil@example.org or Vigil <vigil@example.org>";
  if (!is_address(config.from)) return receiver.at.wrong("email.from", fmt::format(kNoAddress, config.from));
  if (config.to.empty()) return receiver.at.wrong("email.to", "at least one address is needed");
  for (std::size_t i = 0; i < config.to.size(); ++i) {
    if (!is_address(config.to[i]))
      return receiver.at.wrong(fmt::format("email.to[{}]", i), fmt::format(kNoAddress, config.to[i]));
  }
  if (config.username.empty() != config.password_file.empty()) {
    return receiver.at.wrong(config.username.empty() ? "email.password_file" : "email.username",
                             "username and password_file belong together: set both or neither");
  }
  const bool encrypted = config.starttls == StartTls::required || server.port == kSmtpsPort;
  if (!config.username.empty() && !encrypted && !server.is_loopback()) {
    return receiver.at.wrong("email.starttls",
                             "a password is sent only with starttls: required, or on loopback");
  }
  return {};
}

Result<void> make_email(const ReceiverConfig& receiver, Endpoint& out) {
  const EmailConfig& config = *receiver.email;
  const auto server = parse_address(config.smtp, kSubmissionPort);
  if (!server) return receiver.at.wrong("email.smtp", server.error().message);
  if (auto fine = check_email(receiver, *server); !fine) return fine;
  Request request;
  request.protocol = Protocol::smtp;
  request.url = fmt::format("{}://{}", server->port == kSmtpsPort ? "smtps" : "smtp", server->to_string());
  request.from = address_of(config.from);
  for (const std::string& to : config.to) request.to.push_back(address_of(to));
  request.username = config.username;
  request.starttls = config.starttls;
  request.ca_file = config.ca_file;
  if (!config.ca_file.empty()) {
    if (const auto pem = config::read_certificates(config.ca_file); !pem)
      return receiver.at.wrong("email.ca_file", pem.error().message);
  }
  if (!config.password_file.empty()) {
    auto password = config::read_secret(config.password_file);
    if (!password) return receiver.at.wrong("email.password_file", password.error().message);
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
  if (kinds != 1)
    return config.at.wrong("", fmt::format("receiver {}: give one of slack, email and webhook", config.name));
  if (config.slack) return make_slack(config, out);
  return config.email ? make_email(config, out) : make_webhook(config, out);
}

}  // namespace

Result<Endpoint> make_endpoint(const ReceiverConfig& config) {
  Endpoint out;
  out.name = config.name;
  out.min_severity = config.min_severity;
  out.send_resolved = config.send_resolved;
  out.after = config.after;
  if (auto made = make_kind(config, out); !made) return made.error();
  return out;
}

}  // namespace vigil::notify
