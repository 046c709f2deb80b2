#include "aggregator/routing/receivers.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

namespace vigil::routing {
namespace {

constexpr std::string_view kNoSuchReceiver =
    "is not sent: vigil has no receiver of this kind; a webhook in front of that service can take its place";
constexpr std::string_view kNoSuchGlobal = "has no effect: vigil has no receiver of this kind";
constexpr std::string_view kOwnTimeout =
    "has no effect: all attempts have the timeout of vigil's configuration";
constexpr std::string_view kCramMd5 = "has no effect: CRAM-MD5 is not spoken; log in with auth_password";
constexpr std::string_view kIdentity = "has no effect: who logs in is who sends";

constexpr std::string_view kNoWayToSlack =
    "missing key api_url or api_url_file, or app_token or app_token_file, here or as global.slack_api_url or "
    "global.slack_app_token";

constexpr std::string_view kOtherReceivers[] = {
    "opsgenie_configs",   "victorops_configs", "pushover_configs", "sns_configs",
    "wechat_configs",     "webex_configs",     "jira_configs",     "rocketchat_configs",
    "mattermost_configs", "incidentio_configs"};
constexpr std::string_view kOtherGlobals[] = {"jira_api_url",
                                              "victorops_api_key",
                                              "victorops_api_key_file",
                                              "victorops_api_url",
                                              "opsgenie_api_key",
                                              "opsgenie_api_key_file",
                                              "opsgenie_api_url",
                                              "wechat_api_url",
                                              "wechat_api_secret",
                                              "wechat_api_secret_file",
                                              "wechat_api_corp_id",
                                              "webex_api_url",
                                              "rocketchat_api_url",
                                              "rocketchat_token",
                                              "rocketchat_token_file",
                                              "rocketchat_token_id",
                                              "rocketchat_token_id_file",
                                              "mattermost_webhook_url",
                                              "mattermost_webhook_url_file"};

constexpr std::pair<std::string_view, SlackStrategy> kStrategies[] = {
    {"new", SlackStrategy::anew}, {"update", SlackStrategy::update}, {"thread", SlackStrategy::thread}};

void describe_common(config::Fields& fields, bool& send_resolved, std::optional<HttpClient>& http) {
  fields.field("send_resolved", send_resolved, "Whether the end of an alert is sent, too.");
  fields.field("http_config", http, "How requests are made.");
  fields.without_effect("timeout", kOwnTimeout);
}

}  // namespace

void describe(config::Fields& fields, SlackField& field) {
  fields.required("title", field.title, "Title.");
  fields.required("value", field.value, "Text.");
  fields.field("short", field.is_short, "Whether it stands beside another one.");
}

void describe(config::Fields& fields, SlackAction& action) {
  fields.required("type", action.type, "button");
  fields.required("text", action.text, "Text of the button.");
  fields.field("url", action.url, "Where it leads.");
  fields.field("style", action.style, "primary or danger");
  for (const std::string_view key : {"name", "value", "confirm"})
    fields.without_effect(key,
                          "has no effect: a button only leads to its url; nobody here takes Slack's answers");
}

namespace {

void describe_bot(config::Fields& fields, SlackChannel& slack) {
  describe_secret(fields, "app_token", slack.app_token, "Token of a bot, instead of a webhook.");
  fields.field("app_url", slack.app_url, "Where a bot's messages are sent.");
  const bool has_other = slack.http && (slack.http->authorization || slack.http->basic_auth);
  for (const std::string_view key : {"app_token", "app_token_file"}) {
    fields.require(key, slack.api_url.empty(), "give either api_url or app_token");
    fields.require(key, !has_other, "give either a token or http_config's authorization");
  }
  fields.choice("message_strategy", slack.strategy,
                std::span<const std::pair<std::string_view, SlackStrategy>>(kStrategies),
                "Whether a bot's message is updated.");
  fields.field("update_message", slack.update_message, "The older name of message_strategy: update.");
  if (slack.asks_for_updates() && !slack.said_send_resolved.value_or(true)) {
    for (const std::string_view key : {"message_strategy", "update_message"})
      fields.without_effect(key,
                            "has no effect with send_resolved: false: nobody would say that all is over");
  }
  fields.without_effect("threaded_options",
                        "has no effect: the first message is kept as things are, replies say what changed");
}

}  // namespace

void describe(config::Fields& fields, SlackChannel& slack) {
  fields.field("send_resolved", slack.said_send_resolved, "Whether the end of an alert is sent, too.");
  fields.field("http_config", slack.http, "How requests are made.");
  fields.without_effect("timeout", kOwnTimeout);
  describe_secret(fields, "api_url", slack.api_url, "URL of the incoming webhook.");
  describe_bot(fields, slack);
  fields.field("channel", slack.channel, "Channel to write to.");
  fields.field("username", slack.username, "Who seems to write.");
  fields.field("icon_emoji", slack.icon_emoji, "Their face.");
  fields.field("icon_url", slack.icon_url, "Their face.");
  fields.field("link_names", slack.link_names, "Whether names become links.");
  fields.field("color", slack.color, "Colour of the line beside the text.");
  fields.field("fallback", slack.fallback, "Text where only text can be shown.");
  fields.field("pretext", slack.pretext, "Text above.");
  fields.field("title", slack.title, "Title.");
  fields.field("title_link", slack.title_link, "Where the title leads.");
  fields.field("text", slack.text, "Text.");
  fields.field("footer", slack.footer, "Text below.");
  fields.field("image_url", slack.image_url, "Picture below the text.");
  fields.field("thumb_url", slack.thumb_url, "Picture beside the text.");
  fields.field("fields", slack.fields, "Table below the text.");
  fields.field("short_fields", slack.short_fields, "Whether fields stand beside each other.");
  fields.field("actions", slack.actions, "Buttons.");
  fields.without_effect("callback_id", "has no effect: nobody here takes Slack's answers");
  fields.without_effect("mrkdwn_in", "has no effect: texts are Slack's markup throughout");
  fields.without_effect("message_text", "has no effect: the text stands in the attachment");
}

void describe(config::Fields& fields, EmailChannel& email) {
  fields.field("send_resolved", email.send_resolved, "Whether the end of an alert is sent, too.");
  fields.required("to", email.to, "Recipients, separated by commas.");
  fields.field("from", email.server.from, "Sender.");
  fields.field("smarthost", email.server.smarthost, "Mail server as host:port.");
  fields.field("hello", email.server.hello, "Name to greet it with.");
  fields.field("auth_username", email.server.auth_username, "Name to log in with.");
  describe_secret(fields, "auth_password", email.server.auth_password, "Password.");
  fields.field("require_tls", email.server.require_tls, "Whether the connection must be encrypted.");
  fields.field("tls_config", email.server.tls, "Encryption.");
  fields.field("headers", email.headers, "More headers.");
  fields.field("html", email.html, "The HTML part.");
  fields.field("text", email.text, "The text part.");
  fields.without_effect("auth_secret", kCramMd5);
  fields.without_effect("auth_secret_file", kCramMd5);
  fields.without_effect("auth_identity", kIdentity);
  fields.without_effect("threading", "has no effect: mails of one alert are always one thread");
  fields.without_effect("force_implicit_tls",
                        "has no effect: port 465 speaks TLS from the first byte, no other does");
}

void describe(config::Fields& fields, WebhookChannel& webhook) {
  fields.field("send_resolved", webhook.send_resolved, "Whether the end of an alert is sent, too.");
  fields.field("http_config", webhook.http, "How requests are made.");
  describe_secret(fields, "url", webhook.url, "Where JSON is sent with POST.");
  fields.field("max_alerts", webhook.max_alerts, "Alerts in one message at most; 0: all.");
  fields.field("timeout", webhook.timeout, "How long one attempt may take; 0: as all.");
  fields.field(
      "payload", webhook.payload,
      "Body of the request instead of Alertmanager's JSON: a text, in which toJson makes values safe.");
}

void describe(config::Fields& fields, PagerdutyLink& link) {
  fields.required("href", link.href, "URL.");
  fields.field("text", link.text, "Text.");
}

void describe(config::Fields& fields, PagerdutyImage& image) {
  fields.required("src", image.src, "URL of the picture.");
  fields.field("href", image.href, "Where it leads.");
  fields.field("alt", image.alt, "Text in its place.");
}

void describe(config::Fields& fields, PagerdutyChannel& pagerduty) {
  describe_common(fields, pagerduty.send_resolved, pagerduty.http);
  describe_secret(fields, "routing_key", pagerduty.routing_key, "Integration key of Events API v2.");
  fields.field("url", pagerduty.url, "Where events are sent.");
  fields.field("client", pagerduty.client, "Who sends.");
  fields.field("client_url", pagerduty.client_url, "Link to who sends.");
  fields.field("description", pagerduty.description, "Summary.");
  fields.field("severity", pagerduty.severity, "critical, error, warning or info");
  fields.field("source", pagerduty.source, "What is affected.");
  fields.field("component", pagerduty.component, "Part of it.");
  fields.field("group", pagerduty.group, "What it belongs to.");
  fields.field("class", pagerduty.event_class, "Kind of event.");
  fields.field("details", pagerduty.details, "More keys and values.");
  fields.field("links", pagerduty.links, "Links.");
  fields.field("images", pagerduty.images, "Pictures.");
  describe_secret(fields, "service_key", pagerduty.service_key, "Integration key of Events API v1.");
  for (const std::string_view key : {"service_key", "service_key_file"})
    fields.without_effect(key, "has no effect: events are sent to Events API v2; make a routing_key for it");
}

void describe(config::Fields& fields, DiscordChannel& discord) {
  describe_common(fields, discord.send_resolved, discord.http);
  describe_secret(fields, "webhook_url", discord.webhook_url, "URL of the webhook.");
  fields.field("title", discord.title, "Title.");
  fields.field("message", discord.message, "Text.");
  fields.field("content", discord.content, "Text above.");
  fields.field("username", discord.username, "Who seems to write.");
  fields.field("avatar_url", discord.avatar_url, "Their face.");
}

void describe(config::Fields& fields, TelegramChannel& telegram) {
  describe_common(fields, telegram.send_resolved, telegram.http);
  fields.field("api_url", telegram.api_url, "Where requests are sent.");
  describe_secret(fields, "bot_token", telegram.bot_token, "Token of the bot.");
  fields.required("chat_id", telegram.chat_id, "Chat to write to.");
  fields.field("message_thread_id", telegram.message_thread_id, "Thread of the chat.");
  fields.field("message", telegram.message, "Text.");
  fields.field("parse_mode", telegram.parse_mode, "HTML, Markdown, MarkdownV2, or empty for plain text.");
  fields.field("disable_notifications", telegram.disable_notifications,
               "Whether it arrives without a sound.");
  const std::string& mode = telegram.parse_mode;
  fields.require("parse_mode", mode.empty() || mode == "HTML" || mode == "Markdown" || mode == "MarkdownV2",
                 "must be HTML, Markdown, MarkdownV2 or empty");
}

void describe(config::Fields& fields, TeamsChannel& teams) {
  describe_common(fields, teams.send_resolved, teams.http);
  describe_secret(fields, "webhook_url", teams.webhook_url, "URL of the webhook.");
  fields.field("title", teams.title, "Title.");
  fields.field("summary", teams.summary, "Summary.");
  fields.field("text", teams.text, "Text.");
}

void describe(config::Fields& fields, Receiver& receiver) {
  fields.required("name", receiver.name, "Name of the receiver, once.");
  fields.field("slack_configs", receiver.slack, "Slack.");
  fields.field("email_configs", receiver.email, "Mail.");
  fields.field("webhook_configs", receiver.webhook, "Any program that takes JSON over HTTP.");
  fields.field("pagerduty_configs", receiver.pagerduty, "PagerDuty.");
  fields.field("discord_configs", receiver.discord, "Discord.");
  fields.field("telegram_configs", receiver.telegram, "Telegram.");
  fields.field("msteams_configs", receiver.teams, "Microsoft Teams, by connectors.");
  fields.field("msteamsv2_configs", receiver.teams_v2, "Microsoft Teams, by workflows.");
  fields.field("ntfy_configs", receiver.ntfy, "ntfy.");
  fields.field("sms_configs", receiver.sms, "Text messages, through a gateway.");
  fields.field("command_configs", receiver.command, "A program of this machine.");
  fields.field("alertmanager_configs", receiver.alertmanager, "Another Alertmanager.");
  fields.field("critical_only", receiver.critical_only,
               "Whether only alerts with severity=\"critical\" are told of.");
  fields.require("name", !receiver.name.empty(), "must not be empty");
  for (const std::string_view key : kOtherReceivers) fields.without_effect(key, kNoSuchReceiver);
}

void describe(config::Fields& fields, GlobalDefaults& global) {
  fields.without_effect("resolve_timeout", "has no effect: vigil's alerts say themselves when they end");
  describe_secret(fields, "slack_api_url", global.slack_api_url, "URL of Slack's incoming webhook.");
  describe_secret(fields, "slack_app_token", global.slack_app_token, "Token of a bot of Slack's.");
  fields.field("slack_app_url", global.slack_app_url, "Where its messages are sent.");
  const bool is_either = global.slack_api_url.empty() || global.slack_api_url.value == global.slack_app_url;
  for (const std::string_view key : {"slack_app_token", "slack_app_token_file"})
    fields.require(key, is_either, "give either slack_api_url or slack_app_token");
  fields.field("smtp_from", global.mail.from, "Sender of mails.");
  fields.field("smtp_smarthost", global.mail.smarthost, "Mail server as host:port.");
  fields.field("smtp_hello", global.mail.hello, "Name to greet it with.");
  fields.field("smtp_auth_username", global.mail.auth_username, "Name to log in with.");
  describe_secret(fields, "smtp_auth_password", global.mail.auth_password, "Password.");
  fields.field("smtp_require_tls", global.mail.require_tls, "Whether the connection must be encrypted.");
  fields.field("smtp_tls_config", global.mail.tls, "Encryption of mail.");
  fields.field("pagerduty_url", global.pagerduty_url, "Where PagerDuty's events are sent.");
  fields.field("telegram_api_url", global.telegram_api_url, "Where Telegram's requests are sent.");
  fields.field("http_config", global.http, "How requests are made.");
  fields.without_effect("smtp_auth_secret", kCramMd5);
  fields.without_effect("smtp_auth_secret_file", kCramMd5);
  fields.without_effect("smtp_auth_identity", kIdentity);
  fields.without_effect("smtp_force_implicit_tls",
                        "has no effect: port 465 speaks TLS from the first byte, no other does");
  for (const std::string_view key : kOtherGlobals) fields.without_effect(key, kNoSuchGlobal);
}

namespace {

void fill(std::string& own, const std::string& fallback) {
  if (own.empty()) own = fallback;
}
void fill(Secret& own, const Secret& fallback) {
  if (own.empty()) own = fallback;
}
template <class T>
void fill(std::optional<T>& own, const std::optional<T>& fallback) {
  if (!own) own = fallback;
}

void fill(MailServer& own, const MailServer& fallback) {
  fill(own.from, fallback.from);
  fill(own.smarthost, fallback.smarthost);
  fill(own.hello, fallback.hello);
  fill(own.auth_username, fallback.auth_username);
  fill(own.auth_password, fallback.auth_password);
  fill(own.require_tls, fallback.require_tls);
  fill(own.tls, fallback.tls);
}

template <class Channel>
void fill_http(std::vector<Channel>& channels, const GlobalDefaults& global) {
  for (Channel& channel : channels) fill(channel.http, global.http);
}

template <class Channel, class Value>
void need(config::Problems& problems, const std::vector<Channel>& channels, Value Channel::*value,
          std::string_view message) {
  for (const Channel& channel : channels) {
    if ((channel.*value).empty()) problems.add(channel.at.wrong("", message));
  }
}

/// Before http_config's defaults: who identifies themselves otherwise is not the bot of all.
void fill(SlackChannel& own, const GlobalDefaults& global) {
  const bool has_other = !own.api_url.empty() || (own.http && own.http->authorization);
  if (!has_other) fill(own.app_token, global.slack_app_token);
  if (own.app_token.empty()) fill(own.api_url, global.slack_api_url);
  fill(own.app_url, global.slack_app_url);
  own.send_resolved = own.said_send_resolved.value_or(own.is_bot());
}

/// Text messages wake people and cost money.
bool has_only_sms(const Receiver& receiver) {
  const auto none = [](const auto&... channels) { return (channels.empty() && ...); };
  return !receiver.sms.empty() && none(receiver.slack, receiver.email, receiver.webhook, receiver.pagerduty,
                                       receiver.discord, receiver.telegram, receiver.teams, receiver.teams_v2,
                                       receiver.ntfy, receiver.command, receiver.alertmanager);
}

}  // namespace

bool has_channels(const Receiver& receiver) {
  const auto any = [](const auto&... channels) { return (!channels.empty() || ...); };
  const auto is_sent = [](const PagerdutyChannel& channel) { return !channel.routing_key.empty(); };
  return any(receiver.slack, receiver.email, receiver.webhook, receiver.discord, receiver.telegram,
             receiver.teams, receiver.teams_v2, receiver.ntfy, receiver.sms, receiver.command,
             receiver.alertmanager) ||
         std::ranges::any_of(receiver.pagerduty, is_sent);
}

Result<void> complete(Receiver& receiver, const GlobalDefaults& global) {
  for (SlackChannel& slack : receiver.slack) fill(slack, global);
  fill_http(receiver.slack, global);
  fill_http(receiver.webhook, global);
  fill_http(receiver.pagerduty, global);
  fill_http(receiver.discord, global);
  fill_http(receiver.telegram, global);
  fill_http(receiver.teams, global);
  fill_http(receiver.teams_v2, global);
  fill_http(receiver.ntfy, global);
  fill_http(receiver.sms, global);
  fill_http(receiver.alertmanager, global);
  fill(receiver.critical_only, std::optional(has_only_sms(receiver)));
  for (EmailChannel& email : receiver.email) fill(email.server, global.mail);
  for (PagerdutyChannel& pagerduty : receiver.pagerduty) fill(pagerduty.url, global.pagerduty_url);
  for (TelegramChannel& telegram : receiver.telegram) fill(telegram.api_url, global.telegram_api_url);

  config::Problems problems;
  for (const SlackChannel& slack : receiver.slack) {
    if (slack.api_url.empty() && slack.app_token.empty()) problems.add(slack.at.wrong("", kNoWayToSlack));
  }
  need(problems, receiver.webhook, &WebhookChannel::url, "missing key url or url_file");
  need(problems, receiver.discord, &DiscordChannel::webhook_url,
       "missing key webhook_url or webhook_url_file");
  need(problems, receiver.telegram, &TelegramChannel::bot_token, "missing key bot_token or bot_token_file");
  need(problems, receiver.teams, &TeamsChannel::webhook_url, "missing key webhook_url or webhook_url_file");
  need(problems, receiver.teams_v2, &TeamsChannel::webhook_url,
       "missing key webhook_url or webhook_url_file");
  need(problems, receiver.ntfy, &NtfyChannel::topic, "missing key topic or topic_file");
  need(problems, receiver.sms, &SmsChannel::url, "missing key url or url_file");
  need(problems, receiver.alertmanager, &AlertmanagerChannel::url, "missing key url or url_file");
  for (const PagerdutyChannel& pagerduty : receiver.pagerduty) {
    if (pagerduty.routing_key.empty() && pagerduty.service_key.empty())
      problems.add(pagerduty.at.wrong("", "missing key routing_key or routing_key_file"));
  }
  for (const EmailChannel& email : receiver.email) {
    if (email.server.smarthost.empty())
      problems.add(email.at.wrong("", "missing key smarthost, here or as global.smtp_smarthost"));
    if (email.server.from.empty())
      problems.add(email.at.wrong("", "missing key from, here or as global.smtp_from"));
  }
  return problems.result();
}

}  // namespace vigil::routing
