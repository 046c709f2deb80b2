#include "aggregator/routing/own_receivers.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

namespace vigil::routing {
namespace {

constexpr std::pair<std::string_view, SmsMethod> kMethods[] = {{"POST", SmsMethod::post},
                                                               {"GET", SmsMethod::get}};
constexpr std::pair<std::string_view, SmsFormat> kFormats[] = {
    {"application/x-www-form-urlencoded", SmsFormat::form}, {"application/json", SmsFormat::json}};

constexpr std::uint32_t kShortestSms = 20;
constexpr std::uint32_t kLongestSms = 10'000;
constexpr std::chrono::milliseconds kLongestCommand = std::chrono::hours(1);
constexpr std::chrono::milliseconds kShortestValid = std::chrono::minutes(10);

}  // namespace

void describe(config::Fields& fields, NtfyChannel& ntfy) {
  fields.field("send_resolved", ntfy.send_resolved, "Whether the end of an alert is sent, too.");
  fields.field("http_config", ntfy.http, "How requests are made.");
  fields.field("url", ntfy.url, "The server.");
  describe_secret(fields, "topic", ntfy.topic, "Topic to write to.");
  describe_secret(fields, "token", ntfy.token, "Access token.");
  fields.field("title", ntfy.title, "Title.");
  fields.field("message", ntfy.message, "Text.");
  fields.field("priority", ntfy.priority, "1 to 5, or min, low, default, high, max.");
  fields.field("tags", ntfy.tags, "Tags, of which some are shown as emoji.");
  fields.field("click", ntfy.click, "Where the notification leads.");
  const bool has_other = ntfy.http && (ntfy.http->authorization || ntfy.http->basic_auth);
  for (const std::string_view key : {"token", "token_file"})
    fields.require(key, !has_other, "give either a token or http_config's authorization");
}

void describe(config::Fields& fields, SmsChannel& sms) {
  fields.field("send_resolved", sms.send_resolved, "Whether the end of an alert is sent, too.");
  fields.field("http_config", sms.http, "How requests are made.");
  describe_secret(fields, "url", sms.url, "The gateway.");
  fields.choice("method", sms.method, std::span<const std::pair<std::string_view, SmsMethod>>(kMethods),
                "How it is asked.");
  fields.choice("content_type", sms.format, std::span<const std::pair<std::string_view, SmsFormat>>(kFormats),
                "How fields are written.");
  fields.required("to", sms.to, "Numbers; each has messages of its own.");
  fields.field("from", sms.from, "Who seems to send.");
  fields.field("text", sms.text, "Text.");
  fields.field("max_length", sms.max_length, "Characters of the text at most.");
  fields.field("fields", sms.fields, "Names of the request's fields, and what stands in them.");
  fields.require("max_length", sms.max_length >= kShortestSms && sms.max_length <= kLongestSms,
                 fmt::format("must be from {} to {}", kShortestSms, kLongestSms));
  fields.require("content_type", sms.method == SmsMethod::post || sms.format == SmsFormat::form,
                 "GET has its fields in the address: only application/x-www-form-urlencoded goes there");
  const auto is_empty = [](const std::string& number) { return number.empty(); };
  fields.require("to", !sms.to.empty() && std::none_of(sms.to.begin(), sms.to.end(), is_empty),
                 "must be one number at least, and none of them empty");
}

void describe(config::Fields& fields, CommandChannel& command) {
  fields.field("send_resolved", command.send_resolved, "Whether the end of an alert is sent, too.");
  fields.required("command", command.command, "The program's absolute path, and its arguments.");
  fields.field("timeout", command.timeout, "How long it may run before it is killed.");
  fields.require("timeout", command.timeout.count() > 0 && command.timeout <= kLongestCommand,
                 "must be more than 0 and at most 1h");
  const bool is_absolute = !command.command.empty() && command.command.front().starts_with('/');
  fields.require("command", is_absolute,
                 "must be a list of the program's absolute path and its arguments; no shell reads it");
  const auto has_nul = [](const std::string& word) { return word.find('\0') != std::string::npos; };
  fields.require("command", std::none_of(command.command.begin(), command.command.end(), has_nul),
                 "must not have NUL");
}

void describe(config::Fields& fields, AlertmanagerChannel& alertmanager) {
  fields.field("send_resolved", alertmanager.send_resolved, "Whether the end of an alert is sent, too.");
  fields.field("http_config", alertmanager.http, "How requests are made.");
  describe_secret(fields, "url", alertmanager.url, "The Alertmanager, without /api/v2/alerts.");
  fields.field("valid_for", alertmanager.valid_for,
               "When an alert that it hears no more of is over; it is told four times as often.");
  fields.require("valid_for", alertmanager.valid_for >= kShortestValid, "must be at least 10m");
}

}  // namespace vigil::routing
