// Discord's webhooks: one embed per message.
#include "aggregator/channels/backlog.h"
#include "aggregator/channels/http.h"
#include "aggregator/channels/kinds.h"
#include "aggregator/channels/plain_text.h"
#include "aggregator/notify/requests.h"
#include "aggregator/notify/text.h"

#include <boost/json.hpp>
#include <charconv>
#include <utility>

namespace vigil::channels {
namespace {

namespace json = boost::json;

// In UTF-16 units, as Discord counts. What is longer is refused.
constexpr std::size_t kEmbedTitleUnits = 256;
constexpr std::size_t kMessageUnits = 4'096;
constexpr std::size_t kContentUnits = 2'000;
constexpr std::size_t kNameUnits = 80;
constexpr std::size_t kEmbedNotesUnits = 1'000;

struct DiscordTexts {
  Wording title, message, content, username, avatar_url;
};

/// "#d32f2f" as a number.
int colour_number(std::string_view colour) {
  int number = 0;
  std::from_chars(colour.data() + 1, colour.data() + colour.size(), number, 16);
  return number;
}

json::object message(const DiscordTexts& texts, const Told& told, const std::string& external_url) {
  Writer write(told);
  const std::string content = write.text(texts.content);
  const std::string username = write.text(texts.username);
  const std::string avatar = write.text(texts.avatar_url);
  const std::string title = write.text(texts.title);
  const std::string text = write.text(texts.message);
  const std::string notes =
      write.notes().empty() ? "" : '\n' + cut_units(markdown_escape(write.notes()), kEmbedNotesUnits);
  json::object embed{{"title", cut_units(title, kEmbedTitleUnits)},
                     {"description", cut_units(text, kMessageUnits - length_in_units(notes)) + notes},
                     {"color", colour_number(notify::colour_of(worst_of(told.group)))}};
  if (notify::check_url(external_url)) embed["url"] = external_url;
  json::object out;
  if (!content.empty()) out["content"] = cut_units(content, kContentUnits);
  if (!username.empty()) out["username"] = cut_units(username, kNameUnits);
  if (notify::check_url(avatar)) out["avatar_url"] = avatar;
  out["embeds"] = json::array{std::move(embed)};
  return out;
}

}  // namespace

Render make_discord(const routing::DiscordChannel& channel, const Making& making) {
  const Site site{channel.at, making.problems};
  const Texts texts(channel.at, making);
  DiscordTexts made{texts("title", channel.title, R"({{ template "discord.default.title" . }})"),
                    texts("message", channel.message, R"({{ template "discord.default.message" . }})"),
                    texts("content", channel.content, R"({{ template "discord.default.content" . }})"),
                    texts("username", channel.username), texts("avatar_url", channel.avatar_url)};
  const notify::Request base =
      http_request(site, read_url(site, "webhook_url", channel.webhook_url), channel.http);
  return [base, made = std::move(made), external_url = making.external_url](const notify::Shipment& shipment,
                                                                            std::int64_t now_ms) {
    return with_body(base, shipment, message(made, Told(shipment, now_ms, external_url), external_url));
  };
}

}  // namespace vigil::channels
