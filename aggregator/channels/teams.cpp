// Microsoft Teams: the card of connectors, and the adaptive card of workflows.
#include "aggregator/channels/backlog.h"
#include "aggregator/channels/http.h"
#include "aggregator/channels/kinds.h"
#include "aggregator/channels/plain_text.h"
#include "aggregator/notify/requests.h"
#include "aggregator/notify/text.h"

#include <boost/json.hpp>
#include <utility>

namespace vigil::channels {
namespace {

namespace json = boost::json;

// A message may have 28 KB in all; in JSON a character may become six.
constexpr std::size_t kCardTextBytes = 16'000;
constexpr std::size_t kCardTitleBytes = 500;
constexpr std::string_view kButton = "Open in vigil";

struct TeamsTexts {
  Wording title, summary, text;
};

struct Written {
  std::string title, summary, text;
};

Written write_all(const TeamsTexts& texts, const Told& told) {
  Writer write(told);
  Written out{notify::cut(write.text(texts.title), kCardTitleBytes),
              notify::cut(write.text(texts.summary), kCardTitleBytes),
              notify::cut(write.text(texts.text), kCardTextBytes)};
  if (!write.notes().empty())
    out.text += "\n\n" + notify::cut(markdown_escape(write.notes()), kCardTitleBytes);
  return out;
}

json::object connector_card(const TeamsTexts& texts, const Told& told, const std::string& link) {
  const Written written = write_all(texts, told);
  json::object card{{"@context", "http://schema.org/extensions"},
                    {"@type", "MessageCard"},
                    {"title", written.title},
                    {"summary", written.summary},
                    {"text", written.text},
                    {"themeColor", notify::colour_of(worst_of(told.group)).substr(1)}};
  if (notify::check_url(link)) {
    card["potentialAction"] =
        json::array{json::object{{"@type", "OpenUri"},
                                 {"name", kButton},
                                 {"targets", json::array{json::object{{"os", "default"}, {"uri", link}}}}}};
  }
  return card;
}

/// Adaptive cards know colours by what they mean.
std::string_view mood_of(const notify::Notification& worst) {
  if (worst.kind == notify::Kind::resolved) return "good";
  switch (notify::parse_severity(worst.severity)) {
    case notify::Severity::critical:
      return "attention";
    case notify::Severity::warning:
      return "warning";
    case notify::Severity::info:
      break;
  }
  return "accent";
}

json::object workflow_card(const TeamsTexts& texts, const Told& told, const std::string& link) {
  const Written written = write_all(texts, told);
  json::object card{
      {"$schema", "http://adaptivecards.io/schemas/adaptive-card.json"},
      {"type", "AdaptiveCard"},
      {"version", "1.4"},
      {"msteams", {{"width", "full"}}},
      {"body", json::array{json::object{{"type", "TextBlock"},
                                        {"text", written.title},
                                        {"weight", "bolder"},
                                        {"size", "medium"},
                                        {"wrap", true},
                                        {"color", mood_of(worst_of(told.group))}},
                           json::object{{"type", "TextBlock"}, {"text", written.text}, {"wrap", true}}}}};
  if (notify::check_url(link)) {
    card["actions"] =
        json::array{json::object{{"type", "Action.OpenUrl"}, {"title", kButton}, {"url", link}}};
  }
  return {{"type", "message"},
          {"attachments", json::array{json::object{{"contentType", "application/vnd.microsoft.card.adaptive"},
                                                   {"contentUrl", nullptr},
                                                   {"content", std::move(card)}}}}};
}

using Card = json::object (*)(const TeamsTexts& texts, const Told& told, const std::string& link);

Render make_card(const routing::TeamsChannel& channel, const Making& making, TeamsTexts texts, Card card) {
  const Site site{channel.at, making.problems};
  const notify::Request base =
      http_request(site, read_url(site, "webhook_url", channel.webhook_url), channel.http);
  return [base, texts = std::move(texts), card, external_url = making.external_url](
             const notify::Shipment& shipment, std::int64_t now_ms) {
    const Told told(shipment, now_ms, external_url);
    const auto& alerts = told.group.alerts;
    return with_body(base, shipment,
                     card(texts, told, alerts.size() == 1 ? alerts.front().link : external_url));
  };
}

}  // namespace

Render make_teams(const routing::TeamsChannel& channel, const Making& making) {
  const Texts texts(channel.at, making);
  return make_card(channel, making,
                   {texts("title", channel.title, R"({{ template "msteams.default.title" . }})"),
                    texts("summary", channel.summary, R"({{ template "msteams.default.summary" . }})"),
                    texts("text", channel.text, R"({{ template "msteams.default.text" . }})")},
                   connector_card);
}

Render make_teams_v2(const routing::TeamsChannel& channel, const Making& making) {
  const Texts texts(channel.at, making);
  return make_card(channel, making,
                   {texts("title", channel.title, R"({{ template "msteamsv2.default.title" . }})"),
                    texts("summary", channel.summary),
                    texts("text", channel.text, R"({{ template "msteamsv2.default.text" . }})")},
                   workflow_card);
}

}  // namespace vigil::channels
