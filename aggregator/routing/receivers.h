// Receivers as alertmanager.yml has them: a name, and any number of channels of each kind. Texts are
// templates and stay as they are written; one that is not there is left to whoever sends.
#pragma once

#include "aggregator/routing/http_client.h"
#include "aggregator/routing/own_receivers.h"
#include "aggregator/routing/secret.h"
#include "common/config/fields.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vigil::routing {

using Text = std::optional<std::string>;
using Details = std::map<std::string, std::string>;

struct SlackField {
  std::string title;
  std::string value;
  std::optional<bool> is_short;
};
void describe(config::Fields& fields, SlackField& field);

struct SlackAction {
  std::string type;
  std::string text;
  std::string url;
  std::string style;
};
void describe(config::Fields& fields, SlackAction& action);

/// automatic: a bot that tells the end has threads. thread and update: it has; anew: it has none.
enum class SlackStrategy : std::uint8_t { automatic, anew, update, thread };

/// An incoming webhook, or a bot, by its token or by what api_url and http_config say.
struct SlackChannel {
  std::optional<bool> said_send_resolved;
  bool send_resolved = false;  // complete() decides where the file does not: a bot's message is updated
  Secret api_url;
  Secret app_token;
  std::string app_url;  // of chat.postMessage
  SlackStrategy strategy = SlackStrategy::automatic;
  std::optional<bool> update_message;  // the older name of a strategy
  std::string channel;
  Text username, icon_emoji, icon_url, color, fallback, pretext, title, title_link, text, footer, image_url,
      thumb_url;
  std::vector<SlackField> fields;
  std::vector<SlackAction> actions;
  bool short_fields = false;
  bool link_names = false;
  std::optional<HttpClient> http;
  config::Place at;
  bool is_bot() const { return !app_token.empty() || api_url.value.ends_with("/chat.postMessage"); }
  /// Whether the file asks for messages that are updated.
  bool asks_for_updates() const {
    return strategy == SlackStrategy::update || strategy == SlackStrategy::thread ||
           update_message.value_or(false);
  }
  /// Of a bot. One that nobody tells the end could not keep a message as things are.
  bool has_threads() const {
    const bool is_off = strategy == SlackStrategy::anew ||
                        (strategy == SlackStrategy::automatic && !update_message.value_or(true));
    return send_resolved && !is_off;
  }
};
void describe(config::Fields& fields, SlackChannel& slack);

/// The part of e-mail that `global` has, too.
struct MailServer {
  std::string from;
  std::string smarthost;  // host:port
  std::string hello;
  std::string auth_username;
  Secret auth_password;
  std::optional<bool> require_tls;
  std::optional<TlsClient> tls;
};

struct EmailChannel {
  bool send_resolved = false;
  std::string to;  // addresses, separated by commas
  MailServer server;
  Details headers;
  Text html, text;
  config::Place at;
};
void describe(config::Fields& fields, EmailChannel& email);

struct WebhookChannel {
  bool send_resolved = true;
  Secret url;
  std::uint32_t max_alerts = 0;  // 0: all
  std::chrono::milliseconds timeout{0};
  std::optional<std::string> payload;
  std::optional<HttpClient> http;
  config::Place at;
};
void describe(config::Fields& fields, WebhookChannel& webhook);

struct PagerdutyLink {
  std::string href, text;
};
void describe(config::Fields& fields, PagerdutyLink& link);

struct PagerdutyImage {
  std::string href, src, alt;
};
void describe(config::Fields& fields, PagerdutyImage& image);

struct PagerdutyChannel {
  bool send_resolved = true;
  Secret routing_key;
  Secret service_key;  // of the older API: without a routing_key nothing is sent
  std::string url;
  Text client, client_url, description, severity, source, component, group, event_class;
  Details details;
  std::vector<PagerdutyLink> links;
  std::vector<PagerdutyImage> images;
  std::optional<HttpClient> http;
  config::Place at;
};
void describe(config::Fields& fields, PagerdutyChannel& pagerduty);

struct DiscordChannel {
  bool send_resolved = true;
  Secret webhook_url;
  Text title, message, content, username, avatar_url;
  std::optional<HttpClient> http;
  config::Place at;
};
void describe(config::Fields& fields, DiscordChannel& discord);

struct TelegramChannel {
  bool send_resolved = true;
  std::string api_url;
  Secret bot_token;
  std::int64_t chat_id = 0;
  std::int64_t message_thread_id = 0;  // 0: none
  Text message;
  std::string parse_mode = "HTML";
  bool disable_notifications = false;
  std::optional<HttpClient> http;
  config::Place at;
};
void describe(config::Fields& fields, TelegramChannel& telegram);

struct TeamsChannel {
  bool send_resolved = true;
  Secret webhook_url;
  Text title, summary, text;
  std::optional<HttpClient> http;
  config::Place at;
};
void describe(config::Fields& fields, TeamsChannel& teams);

struct Receiver {
  std::string name;
  std::vector<SlackChannel> slack;
  std::vector<EmailChannel> email;
  std::vector<WebhookChannel> webhook;
  std::vector<PagerdutyChannel> pagerduty;
  std::vector<DiscordChannel> discord;
  std::vector<TelegramChannel> telegram;
  std::vector<TeamsChannel> teams;     // msteams_configs: connectors
  std::vector<TeamsChannel> teams_v2;  // msteamsv2_configs: workflows
  std::vector<NtfyChannel> ntfy;
  std::vector<SmsChannel> sms;
  std::vector<CommandChannel> command;
  std::vector<AlertmanagerChannel> alertmanager;
  /// Whether only alerts with severity="critical" are told of. complete() decides where the file does not: so
  /// it is for who has text messages and nothing else.
  std::optional<bool> critical_only;
  config::Place at;
};
void describe(config::Fields& fields, Receiver& receiver);

/// Whether there is anything it is told by.
bool has_channels(const Receiver& receiver);

/// What a channel takes from `global` where it says nothing itself.
struct GlobalDefaults {
  Secret slack_api_url;
  Secret slack_app_token;
  std::string slack_app_url = "https://slack.com/api/chat.postMessage";
  MailServer mail;
  std::string pagerduty_url = "https://events.pagerduty.com/v2/enqueue";
  std::string telegram_api_url = "https://api.telegram.org";
  std::optional<HttpClient> http;
};
void describe(config::Fields& fields, GlobalDefaults& global);

/// Fills in the defaults; the error names every channel that lacks what it cannot do without.
Result<void> complete(Receiver& receiver, const GlobalDefaults& global);

}  // namespace vigil::routing
