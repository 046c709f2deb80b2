// Telegram's bots: sendMessage.
#include "aggregator/channels/http.h"
#include "aggregator/channels/kinds.h"
#include "aggregator/channels/plain_text.h"
#include "common/text/ascii.h"
#include "common/text/html.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

namespace vigil::channels {
namespace {

namespace json = boost::json;

constexpr std::size_t kChatUnits = 4'096;
constexpr std::size_t kChatNotesUnits = 1'000;

struct TelegramMaker {
  Wording message;
  std::string parse_mode;
  std::int64_t chat_id = 0;
  std::int64_t thread_id = 0;
  bool silent = false;

  json::object operator()(const Told& told) const;
};

/// Markup that is cut is refused: what is too long goes as plain text.
json::object TelegramMaker::operator()(const Told& told) const {
  Writer write(told);
  const bool is_html = parse_mode == "HTML";
  std::string text = is_html ? write.html(message) : write.text(message);
  std::string notes;
  if (!write.notes().empty()) {
    const std::string cut = '\n' + cut_units(write.notes(), kChatNotesUnits);
    notes = is_html ? html_escape(cut) : cut;
  }
  // The notes may have what is markup to the other two.
  bool with_markup = is_html || (!parse_mode.empty() && notes.empty());
  if (length_in_units(text) + length_in_units(notes) > kChatUnits) {
    if (is_html) {
      text = without_markup(text);
      notes = without_markup(notes);
    }
    text = cut_units(text, kChatUnits - length_in_units(notes));
    with_markup = false;
  }
  text += notes;
  json::object out{{"chat_id", chat_id}, {"text", text.empty() ? "vigil" : text}};
  if (with_markup) out["parse_mode"] = parse_mode;
  out["disable_web_page_preview"] = true;
  out["disable_notification"] = silent;
  if (thread_id != 0) out["message_thread_id"] = thread_id;
  return out;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || is_letter(c) || c == ':' || c == '-';
  });
}

/// The token is part of the address.
std::string address(const Site& site, const routing::TelegramChannel& channel) {
  std::string url = read_url(site, "api_url", {.value = channel.api_url, .file = ""});
  while (url.ends_with('/')) url.pop_back();
  const std::string token = read(site, "bot_token", channel.bot_token);
  if (!token.empty() && !is_token(token))
    site.wrong(channel.bot_token.file.empty() ? "bot_token" : "bot_token_file",
               "is no bot's token: digits, a colon, then letters, digits, _ and -");
  return fmt::format("{}/bot{}/sendMessage", url, token);
}

}  // namespace

Render make_telegram(const routing::TelegramChannel& channel, const Making& making) {
  const Site site{channel.at, making.problems};
  // vigil's own words are HTML, or plain: in Markdown a label would be markup.
  const bool is_html = channel.parse_mode == "HTML";
  TelegramMaker make;
  make.message = Texts(channel.at, making)("message", channel.message,
                                           is_html ? R"({{ template "telegram.default.message" . }})"
                                                   : R"({{ template "telegram.plain.message" . }})");
  make.parse_mode = channel.message || is_html ? channel.parse_mode : "";
  make.chat_id = channel.chat_id;
  make.thread_id = channel.message_thread_id;
  make.silent = channel.disable_notifications;
  const notify::Request base = http_request(site, address(site, channel), channel.http);
  return [base, make = std::move(make), external_url = making.external_url](const notify::Shipment& shipment,
                                                                            std::int64_t now_ms) {
    return with_body(base, shipment, make(Told(shipment, now_ms, external_url)));
  };
}

}  // namespace vigil::channels
