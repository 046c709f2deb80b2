#include "aggregator/notify/message.h"
#include "tests/aggregator/channels/messages.h"

namespace vigil::channels {
namespace {

using notify::Kind;
using test::body_of;
using test::has;
using test::note_of;
using test::request_of;
using test::shipment_of;
using test::text_at;

constexpr const char* kPlain = "slack_configs: [{api_url: 'https://hooks.example.org/x', channel: '#ops'}]";

}  // namespace

TEST_CASE("Slack: one alert looks as vigil's own messages do") {
  const notify::Request request = request_of(kPlain, shipment_of({note_of("web-1")}));
  CHECK(request.url == "https://hooks.example.org/x");
  auto body = body_of(request);
  CHECK(body.at("channel") == "#ops");
  body.erase("channel");
  CHECK(body == notify::slack_message(note_of("web-1")));
}

TEST_CASE("Slack: several alerts are a list") {
  std::vector<notify::Notification> alerts;
  for (int i = 0; i < 25; ++i) alerts.push_back(note_of(fmt::format("web-{}", i)));
  const auto body = body_of(request_of(kPlain, shipment_of(alerts)));
  CHECK(text_at(body, "/text") == ":red_circle: *Critical: HighCpu: 25 alerts*");
  CHECK(text_at(body, "/attachments/0/color") == "#d32f2f");
  CHECK(body.at("attachments").at(0).at("blocks").as_array().size() == 21);
  const std::string first = text_at(body, "/attachments/0/blocks/0/text/text");
  CHECK(has(first, "*HighCpu* on `web-0`"));
  CHECK(has(first, "CPU of web-0 is 93% busy\n93.1%, since <!date^"));
  CHECK(has(text_at(body, "/attachments/0/blocks/20"), "and 5 more"));
  CHECK(has(text_at(body, "/attachments/0/blocks/20"), "<https://vigil.example/|Open in vigil>"));
}

TEST_CASE("Slack: texts of a channel become an attachment") {
  const auto body = body_of(request_of(
      R"(slack_configs:
    - api_url: https://hooks.example.org/x
      channel: '#{{ .CommonLabels.team }}'
      username: '{{ .Receiver }}'
      icon_emoji: ':fire:'
      link_names: true
      color: '{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}'
      title: '{{ template "__subject" . }}'
      title_link: '{{ .ExternalURL }}'
      pretext: before
      text: '{{ range .Alerts }}{{ .Annotations.summary }}{{ "\n" }}{{ end }}'
      footer: below
      image_url: https://example.org/a.png
      thumb_url: https://example.org/b.png
      short_fields: true
      fields: [{title: n, value: '{{ len .Alerts }}'}, {title: m, value: x, short: false}]
      actions: [{type: button, text: Go, url: '{{ (index .Alerts 0).GeneratorURL }}', style: danger}]
)",
      shipment_of({note_of("a"), note_of("b", Kind::resolved)})));
  CHECK(body.at("channel") == "#web");
  CHECK(body.at("username") == "ops");
  CHECK(body.at("icon_emoji") == ":fire:");
  CHECK(body.at("link_names") == true);
  const boost::json::value expected = {
      {"color", "danger"},
      {"fallback", "Critical: HighCpu: 2 alerts"},
      {"pretext", "before"},
      {"title", "[FIRING:1] HighCpu: 2 alerts"},
      {"title_link", "https://vigil.example/"},
      {"footer", "below"},
      {"image_url", "https://example.org/a.png"},
      {"thumb_url", "https://example.org/b.png"},
      {"fields", boost::json::array{{{"title", "n"}, {"value", "2"}, {"short", true}},
                                    {{"title", "m"}, {"value", "x"}, {"short", false}}}},
      {"actions", boost::json::array{{{"type", "button"},
                                      {"text", "Go"},
                                      {"url", "https://vigil.example/alerts/000000000000000a"},
                                      {"style", "danger"}}}},
      {"mrkdwn_in", boost::json::array{"fallback", "pretext", "text", "fields"}},
      {"text", "CPU of a is 93% busy\nCPU of b is 93% busy\n"}};
  CHECK(boost::json::serialize(body.at("attachments").at(0)) == boost::json::serialize(expected));
}

TEST_CASE("Slack: with some texts of its own the others are the defaults") {
  const auto body = body_of(request_of("slack_configs: [{api_url: 'https://a.example', title: T}]",
                                       shipment_of({note_of("a"), note_of("b", Kind::resolved)})));
  CHECK(text_at(body, "/attachments/0/title") == "T");
  CHECK(text_at(body, "/attachments/0/text") ==
        "*HighCpu on a*  <https://vigil.example/alerts/000000000000000a|Open>\n"
        "CPU of a is 93% busy\n"
        "93.1%, since 2026-11-21 13:58 UTC\n\n"
        "*HighCpu on b*  <https://vigil.example/alerts/000000000000000b|Open>\n"
        "CPU of b is 93% busy\n"
        "93.1%, resolved after 12m 5s\n\n");
}

}  // namespace vigil::channels
