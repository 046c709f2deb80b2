#include "aggregator/notify/config.h"

#include "aggregator/notify/endpoint.h"

#include <set>

namespace vigil::notify {
namespace {

constexpr std::pair<std::string_view, Severity> kSeverities[] = {
    {"info", Severity::info}, {"warning", Severity::warning}, {"critical", Severity::critical}};
constexpr std::pair<std::string_view, StartTls> kStartTls[] = {
    {"required", StartTls::required}, {"optional", StartTls::optional}, {"none", StartTls::none}};

}  // namespace

void describe(config::Fields& fields, SlackConfig& slack) {
  fields.field("webhook_url", slack.webhook_url,
               "URL of the incoming webhook. It is a secret: better in a file.");
  fields.path("webhook_url_file", slack.webhook_url_file, "File that holds the URL.");
  fields.path("bot_token_file", slack.bot_token_file,
              "File that holds a bot's token, instead of a webhook: one message for an incident, which is "
              "updated, and a thread.");
  fields.field("channel", slack.channel, "Channel to write to: a bot's, or where the webhook allows it.");
  fields.field("api_url", slack.api_url, "Where a bot's requests are sent.");
  fields.require("api_url", !slack.bot_token_file.empty(), "belongs to bot_token_file, which is missing");
}

void describe(config::Fields& fields, EmailConfig& email) {
  fields.required("smtp", email.smtp, "Mail server as host:port. Port 465 speaks TLS from the first byte.");
  fields.required("from", email.from, "Sender: vigil@example.org or Vigil <vigil@example.org>.");
  fields.required("to", email.to, "Recipients.");
  fields.field("username", email.username, "Name to log in with; without it nobody logs in.");
  fields.path("password_file", email.password_file, "File that holds the password.");
  fields.choice("starttls", email.starttls, std::span<const std::pair<std::string_view, StartTls>>(kStartTls),
                "Whether the connection must be encrypted.");
  fields.path("ca_file", email.ca_file, "Certificates to trust instead of the system's.");
}

void describe(config::Fields& fields, WebhookConfig& webhook) {
  fields.required("url", webhook.url, "Where JSON is sent with POST.");
  fields.field("headers", webhook.headers, "More HTTP headers.");
  fields.path("token_file", webhook.token_file, "File that holds a token, sent as Authorization: Bearer.");
}

void describe(config::Fields& fields, ReceiverConfig& receiver) {
  fields.required("name", receiver.name, "Name of the receiver, once.");
  fields.field("slack", receiver.slack, "A Slack channel.");
  fields.field("email", receiver.email, "Mail.");
  fields.field("webhook", receiver.webhook, "Any program that takes JSON over HTTP.");
  fields.choice("min_severity", receiver.min_severity,
                std::span<const std::pair<std::string_view, Severity>>(kSeverities),
                "Alerts below this severity are not sent here.");
  fields.field("send_resolved", receiver.send_resolved, "Whether the end of an alert is sent too.");
  fields.field("after", receiver.after,
               "Escalation: told only of alerts that have fired so long and that nobody acknowledged.");
  fields.require("after", receiver.after.count() >= 0, "must be 0 or more");
}

void describe(config::Fields& fields, HeartbeatConfig& heartbeat) {
  fields.field("url", heartbeat.url, "What is asked with GET; empty: nothing.");
  fields.path("url_file", heartbeat.url_file, "File that holds the URL.");
  fields.field("interval", heartbeat.interval, "How often.");
  fields.require("interval", heartbeat.interval >= std::chrono::seconds(1), "must be at least 1s");
}

void describe(config::Fields& fields, NotificationsConfig& notifications) {
  fields.field("receivers", notifications.receivers, "Who is told of each alert, at once.");
  fields.path("alertmanager_file", notifications.alertmanager_file,
              "Alertmanager's configuration: routes, groups, inhibition and receivers, besides those above.");
  fields.field("heartbeat", notifications.heartbeat,
               "A sign of life to a service outside that raises the alarm when it stays away.");
  fields.field("timeout", notifications.timeout, "How long one attempt may take.");
  fields.field("give_up_after", notifications.give_up_after,
               "How long delivery is tried before a message is dead.");
  fields.field(
      "allow_private", notifications.allow_private,
      "Whether a name in a receiver's http:// URL may lead to an address of a private network. Addresses "
      "written as such, localhost and https:// always may.");
  fields.require("timeout", notifications.timeout.count() > 0, "must be more than 0");
  fields.require("give_up_after", notifications.give_up_after.count() > 0, "must be more than 0");
}

Result<void> check(const NotificationsConfig& notifications) {
  config::Problems problems;
  std::set<std::string> names;
  for (const ReceiverConfig& receiver : notifications.receivers) {
    if (!names.insert(receiver.name).second) {
      problems.add(receiver.at.wrong(
          "name",
          fmt::format("there are two receivers called {}; give each a name of its own", receiver.name)));
    }
    problems.add(make_endpoint(receiver));
  }
  return problems.result();
}

}  // namespace vigil::notify
