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
      {"fallback", "Critical: HighCpu: 1 alert and 1 over"},
      {"pretext", "before"},
      {"title", "[FIRING:1] HighCpu: 1 alert and 1 over"},
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
        "93.1%, since 2026-11-21 13:58 UTC\n"
        "Top processes by CPU:\n"
        "postgres (pid 4711, db)  71% of a core\n"
        "nginx (pid 12)  9.5% of a core\n\n"
        "*HighCpu on b*  <https://vigil.example/alerts/000000000000000b|Open>\n"
        "Over after 12m 5s. It was: CPU of b is 93% busy\n"
        "Last value 93.1%\n\n");
}

namespace {

constexpr const char* kBot = "slack_configs: [{app_token: xoxb-1, channel: '#{{ .CommonLabels.team }}'}]";

std::vector<std::string> headers_with(const notify::Request& request, std::string_view beginning) {
  std::vector<std::string> out;
  for (const std::string& header : request.headers) {
    if (header.starts_with(beginning)) out.push_back(header);
  }
  return out;
}

/// Of a bot: the first request about a group with this thread.
notify::Request request_in(const std::string& channels, notify::Shipment shipment,
                           const std::string& more = "") {
  shipment.thread = notify::MessageThread{"C1", "1.2", {note_of("web-1").key}};
  return test::endpoints(channels, more).at(0).render(shipment, test::kNow);
}

std::string slack_errors(const std::string& channels, const std::string& more = "") {
  const auto made = test::try_endpoints(channels, more);
  return made ? "" : made.error().message;
}

}  // namespace

TEST_CASE("Slack: a bot posts to its channel with its token, and updates the message later") {
  const notify::Request post = request_of(kBot, shipment_of({note_of("web-1")}));
  CHECK(post.url == "https://slack.com/api/chat.postMessage");
  CHECK(headers_with(post, "Authorization") == std::vector<std::string>{"Authorization: Bearer xoxb-1"});
  CHECK(headers_with(post, "Content-Type").size() == 1);
  CHECK(body_of(post).at("channel") == "#web");
  REQUIRE(post.judge);
  const notify::Request update = request_in(kBot, shipment_of({note_of("web-2")}));
  CHECK(update.url == "https://slack.com/api/chat.update");
  CHECK(body_of(update).at("channel") == "C1");
  CHECK(body_of(update).at("ts") == "1.2");
}

TEST_CASE("Slack: a bot's own texts are the message, vigil's the replies, and both have its face") {
  const std::string channel =
      "slack_configs: [{app_token: xoxb-1, channel: '#ops', username: v, icon_emoji: ':x:', title: 'T {{ "
      ".Status }}'}]";
  const auto post = body_of(request_of(channel, shipment_of({note_of("web-1")})));
  CHECK(text_at(post, "/attachments/0/title") == "T firing");
  CHECK(post.at("username") == "v");
  const notify::Request update =
      request_in(channel, shipment_of({note_of("web-2"), note_of("web-1", Kind::resolved)}));
  CHECK(text_at(body_of(update), "/attachments/0/title") == "T firing");
  CHECK_FALSE(body_of(update).contains("username"));
  const auto verdict = update.judge({R"({"ok":true})", 0});
  REQUIRE(verdict.next);
  const auto reply = body_of(*verdict.next);
  CHECK(text_at(reply, "/text") == ":red_circle: *1 more fires, 1 resolved*");
  CHECK(reply.at("username") == "v");
  CHECK(reply.at("icon_emoji") == ":x:");
}

TEST_CASE("Slack: a bot is told the end and has threads, unless the file says otherwise") {
  const auto f = [](const std::string& keys, bool is_told, bool has_threads) {
    INFO(keys);
    const std::string channels = "slack_configs: [{channel: '#ops', " + keys + "}]";
    CHECK(test::endpoints(channels).at(0).send_resolved == is_told);
    CHECK(
        channels_of(routing::configuration("route: {receiver: ops}\nreceivers:\n- name: ops\n  " + channels))
            .at("ops")[0]
            .send_resolved == is_told);
    const auto request = request_in(channels, shipment_of({note_of("web-2")}));
    CHECK(request.url.ends_with(has_threads ? "/chat.update" : "/chat.postMessage"));
  };
  f("app_token: x", true, true);
  f("app_token: x, send_resolved: false", false, false);
  f("app_token: x, message_strategy: new", true, false);
  f("app_token: x, message_strategy: update", true, true);
  f("app_token: x, message_strategy: thread, threaded_options: {resolve_emoji: x}", true, true);
  f("app_token: x, update_message: true", true, true);
  f("app_token: x, update_message: false", true, false);
  f("api_url: 'https://slack.com/api/chat.postMessage', http_config: {authorization: {credentials: x}}", true,
    true);
  CHECK_FALSE(test::endpoints(kPlain).at(0).send_resolved);
}

TEST_CASE("Slack: the token of all is for those that have no other way") {
  const std::string global =
      "global: {slack_app_token: of-all, slack_app_url: 'http://127.0.0.1/chat.postMessage'}";
  const auto f = [&](const std::string& keys, const char* url, const char* token) {
    INFO(keys);
    const auto request = test::endpoints("slack_configs: [{channel: '#ops', " + keys + "}]", global)
                             .at(0)
                             .render(shipment_of({note_of("web-1")}), test::kNow);
    CHECK(request.url == url);
    CHECK(headers_with(request, "Authorization") ==
          (*token == 0 ? std::vector<std::string>{}
                       : std::vector<std::string>{fmt::format("Authorization: Bearer {}", token)}));
  };
  f("title: T", "http://127.0.0.1/chat.postMessage", "of-all");
  f("app_token: own", "http://127.0.0.1/chat.postMessage", "own");
  f("app_token: own, app_url: 'http://localhost/chat.postMessage'", "http://localhost/chat.postMessage",
    "own");
  f("api_url: 'https://hooks.example.org/x'", "https://hooks.example.org/x", "");
  f("http_config: {tls_config: {}}", "http://127.0.0.1/chat.postMessage", "of-all");
}

TEST_CASE("Slack: what a bot lacks, and what a webhook cannot, is named with its place") {
  const auto f = [](const std::string& keys, const char* expected) {
    const std::string found = slack_errors("slack_configs: [{" + keys + "}]");
    INFO(keys << "\n" << found);
    CHECK(has(found, expected));
  };
  f("app_token: x", "receivers[0].slack_configs[0].channel: missing: a bot writes to the channel it is told");
  f("app_token_file: /nowhere, channel: x", "slack_configs[0].app_token_file: /nowhere");
  f("app_token: x, channel: x, app_url: 'https://slack.com/api'",
    "slack_configs[0].app_url: must be where messages are posted");
  f("api_url: 'https://slack.com/api/chat.postMessage', channel: x",
    "slack_configs[0].api_url: is Slack's API, which wants a bot's token");
  f("api_url: 'https://hooks.example.org/x', update_message: true",
    "slack_configs[0].update_message: a webhook's message cannot be updated");
  f("api_url: 'https://hooks.example.org/x', message_strategy: thread",
    "slack_configs[0].message_strategy: a webhook's message cannot be updated");
}

}  // namespace vigil::channels
