// Slack, by an incoming webhook or by a bot: without texts of its own a channel gets the blocks of vigil's
// other messages, with some an attachment as Alertmanager sends it.
#include "aggregator/channels/backlog.h"
#include "aggregator/channels/http.h"
#include "aggregator/channels/kinds.h"
#include "aggregator/notify/message.h"
#include "aggregator/notify/slack_bot.h"
#include "aggregator/notify/text.h"

#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vigil::channels {
namespace {

namespace json = boost::json;

constexpr std::size_t kSlackTextBytes = 7'500;
constexpr std::size_t kSlackShortBytes = 1'000;
constexpr std::size_t kMostFields = 30;

struct FieldTexts {
  Wording title, value;
  bool is_short = false;
};
struct ActionTexts {
  Wording type, text, url, style;
};

/// All texts of a channel.
struct SlackTexts {
  bool own_look = false;  // nobody says anything else
  Wording channel, username, icon_emoji, icon_url;
  Wording color, fallback, pretext, title, title_link, text, footer, image_url, thumb_url;
  std::vector<FieldTexts> fields;
  std::vector<ActionTexts> actions;
  bool link_names = false;
};

bool says_something(const routing::SlackChannel& c) {
  return c.color || c.fallback || c.pretext || c.title || c.title_link || c.text || c.footer || c.image_url ||
         c.thumb_url || !c.fields.empty() || !c.actions.empty();
}

void add_lists(const routing::SlackChannel& channel, const Texts& texts, SlackTexts& out) {
  for (std::size_t i = 0; i < channel.fields.size(); ++i) {
    const routing::SlackField& field = channel.fields[i];
    const std::string at = fmt::format("fields[{}].", i);
    out.fields.push_back({texts(at + "title", field.title), texts(at + "value", field.value),
                          field.is_short.value_or(channel.short_fields)});
  }
  for (std::size_t i = 0; i < channel.actions.size(); ++i) {
    const routing::SlackAction& action = channel.actions[i];
    const std::string at = fmt::format("actions[{}].", i);
    out.actions.push_back({texts(at + "type", action.type), texts(at + "text", action.text),
                           texts(at + "url", action.url), texts(at + "style", action.style)});
  }
}

SlackTexts texts_of(const routing::SlackChannel& channel, const Making& making) {
  const Texts texts(channel.at, making);
  SlackTexts out;
  out.own_look = !says_something(channel) && !making.library.redefines("slack.default.") &&
                 !making.library.redefines("__");
  out.channel = texts("channel", channel.channel);
  out.username = texts("username", channel.username);
  out.icon_emoji = texts("icon_emoji", channel.icon_emoji, R"({{ template "slack.default.iconemoji" . }})");
  out.icon_url = texts("icon_url", channel.icon_url, R"({{ template "slack.default.iconurl" . }})");
  out.color = texts("color", channel.color, R"({{ template "slack.default.color" . }})");
  out.fallback = texts("fallback", channel.fallback, R"({{ template "slack.default.fallback" . }})");
  out.pretext = texts("pretext", channel.pretext, R"({{ template "slack.default.pretext" . }})");
  out.title = texts("title", channel.title, R"({{ template "slack.default.title" . }})");
  out.title_link = texts("title_link", channel.title_link, R"({{ template "slack.default.titlelink" . }})");
  out.text = texts("text", channel.text, R"({{ template "slack.default.text" . }})");
  out.footer = texts("footer", channel.footer, R"({{ template "slack.default.footer" . }})");
  out.image_url = texts("image_url", channel.image_url);
  out.thumb_url = texts("thumb_url", channel.thumb_url);
  out.link_names = channel.link_names;
  add_lists(channel, texts, out);
  return out;
}

/// What is empty is left out: Slack would take it for an empty picture or name.
void put_slack(json::object& out, std::string_view key, const std::string& text,
               std::size_t bytes = kSlackShortBytes) {
  if (!text.empty()) out[key] = notify::cut_slack(text, bytes);
}

json::object field_json(const FieldTexts& field, Writer& write) {
  return {{"title", notify::cut_slack(write.text(field.title), kSlackShortBytes)},
          {"value", notify::cut_slack(write.text(field.value), kSlackShortBytes)},
          {"short", field.is_short}};
}

json::object action_json(const ActionTexts& action, Writer& write) {
  json::object out;
  put_slack(out, "type", write.text(action.type));
  put_slack(out, "text", write.text(action.text));
  put_slack(out, "url", write.text(action.url));
  put_slack(out, "style", write.text(action.style));
  return out;
}

json::object attachment(const SlackTexts& texts, Writer& write) {
  json::object out;
  put_slack(out, "color", write.text(texts.color));
  put_slack(out, "fallback", write.text(texts.fallback));
  put_slack(out, "pretext", write.text(texts.pretext), kSlackTextBytes);
  put_slack(out, "title", write.text(texts.title));
  put_slack(out, "title_link", write.text(texts.title_link));
  put_slack(out, "footer", write.text(texts.footer));
  put_slack(out, "image_url", write.text(texts.image_url));
  put_slack(out, "thumb_url", write.text(texts.thumb_url));
  json::array fields;
  for (const FieldTexts& field : texts.fields) {
    if (fields.size() < kMostFields) fields.push_back(field_json(field, write));
  }
  if (!fields.empty()) out["fields"] = std::move(fields);
  json::array actions;
  for (const ActionTexts& action : texts.actions) actions.push_back(action_json(action, write));
  if (!actions.empty()) out["actions"] = std::move(actions);
  out["mrkdwn_in"] = json::array{"fallback", "pretext", "text", "fields"};
  const std::string text = write.text(texts.text);
  const std::string notes = notify::slack_lines(write.notes());
  put_slack(out, "text", notify::cut_slack(text, kSlackTextBytes) + (notes.empty() ? "" : '\n' + notes),
            2 * kSlackTextBytes);
  return out;
}

json::object own_message(const Told& told, const std::string& link) {
  if (told.group.alerts.size() == 1) return notify::slack_message(told.group.alerts.front());
  return notify::slack_list(told.group, worst_of(told.group), link);
}

json::object message(const SlackTexts& texts, const Told& told, const std::string& link) {
  Writer write(told);
  json::object out;
  const std::string channel = write.text(texts.channel);
  const std::string username = write.text(texts.username);
  const std::string emoji = write.text(texts.icon_emoji);
  const std::string icon = write.text(texts.icon_url);
  if (texts.own_look && write.notes().empty()) {
    out = own_message(told, link);
  } else {
    out["attachments"] = json::array{attachment(texts, write)};
  }
  put_slack(out, "channel", channel);
  put_slack(out, "username", username);
  put_slack(out, "icon_emoji", emoji);
  put_slack(out, "icon_url", icon);
  if (texts.link_names) out["link_names"] = true;
  return out;
}

/// How a bot identifies itself: by its token, or as http_config says.
std::optional<routing::HttpClient> identity_of(const Site& site, const routing::SlackChannel& channel) {
  auto http = channel.http;
  if (channel.app_token.empty()) return http;
  if (!http) http.emplace();
  http->basic_auth.reset();  // the file's, for all
  http->authorization = routing::Authorization{
      .credentials = {.value = read(site, "app_token", channel.app_token), .file = ""}};
  return http;
}

std::string address_of(const Site& site, const routing::SlackChannel& channel) {
  if (channel.app_token.empty()) return read_url(site, "api_url", channel.api_url);
  std::string url = read_url(site, "app_url", {.value = channel.app_url, .file = ""});
  if (!notify::slack_api_of(url))
    site.wrong("app_url", "must be where messages are posted, as https://slack.com/api/chat.postMessage");
  return url;
}

void check_bot(const Site& site, const routing::SlackChannel& channel) {
  const bool is_anonymous =
      channel.app_token.empty() &&
      !(channel.http && (channel.http->authorization || !channel.http->headers.empty()));
  if (is_anonymous)
    site.wrong("api_url", "is Slack's API, which wants a bot's token: give app_token_file instead");
  if (channel.channel.empty()) site.wrong("channel", "missing: a bot writes to the channel it is told");
}

}  // namespace

Render make_slack(const routing::SlackChannel& channel, const Making& making) {
  const Site site{channel.at, making.problems};
  const std::string url = address_of(site, channel);
  const auto api = notify::slack_api_of(url);
  const notify::Request base = http_request(site, url, identity_of(site, channel));
  const auto render = [texts = texts_of(channel, making), external_url = making.external_url](
                          const Told& told) { return message(texts, told, external_url); };
  if (!api) {
    if (channel.asks_for_updates())
      site.wrong(channel.update_message ? "update_message" : "message_strategy",
                 "a webhook's message cannot be updated: give a bot's app_token_file instead of api_url");
    return [base, render, external_url = making.external_url](const notify::Shipment& shipment,
                                                              std::int64_t now_ms) {
      return with_body(base, shipment, render(Told(shipment, now_ms, external_url)));
    };
  }
  check_bot(site, channel);
  return [bot = notify::SlackBot{*api, base, channel.has_threads()}, render,
          external_url = making.external_url](const notify::Shipment& shipment, std::int64_t now_ms) {
    const Told told(shipment, now_ms, external_url);
    return notify::slack_request(bot, shipment, render(told), told.group.alerts);
  };
}

}  // namespace vigil::channels
