// The `notifications:` part of the aggregator's configuration.
#pragma once

#include "aggregator/notify/notification.h"
#include "common/config/fields.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vigil::notify {

/// An incoming webhook, or a bot with a token, which has one thread for an incident.
struct SlackConfig {
  std::string webhook_url;
  std::string webhook_url_file;  // instead of webhook_url: the URL is the secret
  std::string channel;
  std::string bot_token_file{};
  std::string api_url = "https://slack.com/api";
};
void describe(config::Fields& fields, SlackConfig& slack);

enum class StartTls : std::uint8_t { required, optional, none };

struct EmailConfig {
  std::string smtp;  // host:port; port 465 speaks TLS from the first byte
  std::string from;
  std::vector<std::string> to;
  std::string username;
  std::string password_file;
  StartTls starttls = StartTls::required;
  std::string ca_file;  // instead of the system's certificates
};
void describe(config::Fields& fields, EmailConfig& email);

struct WebhookConfig {
  std::string url;
  std::map<std::string, std::string> headers;
  std::string token_file;  // sent as `Authorization: Bearer`
};
void describe(config::Fields& fields, WebhookConfig& webhook);

/// Exactly one of slack, email and webhook.
struct ReceiverConfig {
  std::string name;
  std::optional<SlackConfig> slack;
  std::optional<EmailConfig> email;
  std::optional<WebhookConfig> webhook;
  Severity min_severity = Severity::info;
  bool send_resolved = true;
  std::chrono::milliseconds after{};  // an alert must have fired so long, and nobody acknowledged it
  config::Place at;                   // for messages
};
void describe(config::Fields& fields, ReceiverConfig& receiver);

struct HeartbeatConfig {
  std::string url;
  std::string url_file;  // instead of url: it may be a secret
  std::chrono::milliseconds interval = std::chrono::minutes(1);
  config::Place at;  // for messages
};
void describe(config::Fields& fields, HeartbeatConfig& heartbeat);

struct NotificationsConfig {
  std::vector<ReceiverConfig> receivers;
  std::string alertmanager_file;
  HeartbeatConfig heartbeat;
  std::chrono::milliseconds timeout = std::chrono::seconds(10);
  std::chrono::milliseconds give_up_after = std::chrono::hours(24);
  bool allow_private = false;  // see private_addresses.h
  config::Place at;            // for messages
};
void describe(config::Fields& fields, NotificationsConfig& notifications);

/// What describe() cannot see by itself: names unique, URLs well-formed, secret files readable and not open
/// to everybody. Called by --check and before use. One error a line, with its place.
Result<void> check(const NotificationsConfig& notifications);

}  // namespace vigil::notify
