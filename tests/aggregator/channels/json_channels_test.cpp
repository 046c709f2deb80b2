#include "common/tls/token.h"
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

notify::Shipment two() {
  return shipment_of({note_of("web-1"), note_of("web-2", Kind::resolved)});
}

notify::Shipment many(int count) {
  std::vector<notify::Notification> alerts;
  for (int i = 0; i < count; ++i) {
    alerts.push_back(note_of(fmt::format("web-{}", i)));
    alerts.back().annotations.set("summary", fmt::format("{}ü☃😀", std::string(400, 'x')));
  }
  return shipment_of(std::move(alerts));
}

/// As services count: UTF-16.
std::size_t units(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    count += byte >= 0xF0 ? 2 : (byte & 0xC0) == 0x80 ? 0 : 1;
  }
  return count;
}

}  // namespace

TEST_CASE("Webhook: Alertmanager's JSON, version 4") {
  const auto body = body_of(request_of("webhook_configs: [{url: 'http://127.0.0.1/'}]", two()));
  const boost::json::value expected = boost::json::parse(R"({
    "receiver": "ops", "status": "firing",
    "alerts": [
      {"status": "firing",
       "labels": {"alertname": "HighCpu", "instance": "web-1", "severity": "critical", "team": "web"},
       "annotations": {"description": "Average of all cores over 5 minutes.", "summary": "CPU of web-1 is 93% busy", "value": "93.1%"},
       "startsAt": "2026-11-21T14:00:05Z", "endsAt": "0001-01-01T00:00:00Z",
       "generatorURL": "https://vigil.example/alerts/00000000000web-1", "fingerprint": "00000000000web-1"},
      {"status": "resolved",
       "labels": {"alertname": "HighCpu", "instance": "web-2", "severity": "critical", "team": "web"},
       "annotations": {"description": "Average of all cores over 5 minutes.", "summary": "CPU of web-2 is 93% busy", "value": "93.1%"},
       "startsAt": "2026-11-21T14:00:05Z", "endsAt": "2026-11-21T14:10:10Z",
       "generatorURL": "https://vigil.example/alerts/00000000000web-2", "fingerprint": "00000000000web-2"}],
    "groupLabels": {"alertname": "HighCpu"},
    "commonLabels": {"alertname": "HighCpu", "severity": "critical", "team": "web"},
    "commonAnnotations": {"description": "Average of all cores over 5 minutes.", "value": "93.1%"},
    "externalURL": "https://vigil.example/", "version": "4",
    "groupKey": "{}/{team=\"web\"}:{alertname=\"HighCpu\"}", "truncatedAlerts": 0})");
  CHECK(boost::json::value(body) == expected);
}

TEST_CASE("Webhook: max_alerts leaves alerts out and says how many") {
  const auto body =
      body_of(request_of("webhook_configs: [{url: 'http://127.0.0.1/', max_alerts: 2}]", many(5)));
  CHECK(body.at("alerts").as_array().size() == 2);
  CHECK(body.at("truncatedAlerts") == 3);
}

TEST_CASE("Webhook: a payload that cannot be written gives way to the JSON, and is told of") {
  const auto request = [](const std::string& payload) {
    return request_of("webhook_configs: [{url: 'http://127.0.0.1/', payload: '" + payload + "'}]", two());
  };
  const auto failed = request("{{ (index .Alerts 7).Title }}");
  CHECK(body_of(failed).at("version") == "4");
  CHECK(has(failed.fault, "Alertmanager's JSON was sent instead: vigil: the text of payload could not be"));
  const auto fine = request(R"({"who": {{ toJson .CommonLabels.team }}})");
  CHECK(fine.body == R"({"who": "web"})");
  CHECK(fine.fault.empty());
}

TEST_CASE("PagerDuty: a group is one event, which its end resolves") {
  const char* channel = R"(pagerduty_configs:
    - routing_key: k
      severity: '{{ .CommonLabels.severity }}'
      class: c
      component: '{{ .CommonLabels.team }}'
      group: g
      details: {team: '{{ .CommonLabels.team }}', num_firing: none}
      links: [{href: 'https://example.org/x', text: Wiki}, {href: '{{ .CommonLabels.nothing }}'}]
      images: [{src: 'https://example.org/a.png', alt: Graph}])";
  const auto request = request_of(channel, two());
  CHECK(request.url == "https://events.pagerduty.com/v2/enqueue");
  const auto body = body_of(request);
  CHECK(body.at("routing_key") == "k");
  CHECK(body.at("event_action") == "trigger");
  CHECK(text_at(body, "/dedup_key") == tls::digest_of(R"({}/{team="web"}:{alertname="HighCpu"})"));
  CHECK(text_at(body, "/payload/summary") == "HighCpu: 1 alert and 1 over");
  CHECK(text_at(body, "/payload/source") == "vigil");
  CHECK(text_at(body, "/payload/severity") == "critical");
  CHECK(text_at(body, "/payload/timestamp") == "2026-11-21T14:00:05Z");
  CHECK(text_at(body, "/payload/class") == "c");
  CHECK(text_at(body, "/payload/component") == "web");
  CHECK(text_at(body, "/payload/group") == "g");
  CHECK(text_at(body, "/payload/custom_details/team") == "web");
  CHECK(text_at(body, "/payload/custom_details/num_firing") == "none");
  CHECK(text_at(body, "/payload/custom_details/num_resolved") == "1");
  CHECK(has(text_at(body, "/payload/custom_details/firing"), "Critical: HighCpu on web-1"));
  CHECK(text_at(body, "/client") == "vigil");
  CHECK(text_at(body, "/client_url") == "https://vigil.example/");
  CHECK(text_at(body, "/links") == R"([{"href":"https://example.org/x","text":"Wiki"}])");
  CHECK(text_at(body, "/images") == R"([{"src":"https://example.org/a.png","alt":"Graph"}])");

  const auto end = body_of(request_of(channel, shipment_of({note_of("web-1", Kind::resolved)})));
  CHECK(end.at("event_action") == "resolve");
  CHECK(end.at("dedup_key") == body.at("dedup_key"));
}

TEST_CASE("PagerDuty: one word of four is the severity, whatever is said") {
  const auto severity = [](const char* said) {
    return text_at(body_of(request_of(
                       fmt::format("pagerduty_configs: [{{routing_key: k, severity: '{}'}}]", said), two())),
                   "/payload/severity");
  };
  CHECK(severity("error") == "error");
  CHECK(severity("page") == "critical");
  CHECK(severity("ticket") == "warning");
  CHECK(severity("") == "critical");  // the worst of the group
}

TEST_CASE("PagerDuty: an event that is too large loses its details, not its summary") {
  const char* channel =
      R"(pagerduty_configs: [{routing_key: k, description: '{{ (index .Alerts 0).Summary }}', details: {all: '{{ range .Alerts }}{{ .Summary }}{{ end }}'}}])";
  const auto request = request_of(channel, many(1500));
  CHECK(request.body.size() < 512'000);
  const auto body = body_of(request);
  CHECK(has(text_at(body, "/payload/custom_details/error"), "left out"));
  CHECK(has(text_at(body, "/payload/summary"), "xxx"));
}

TEST_CASE("Discord: an embed within Discord's limits") {
  const auto body =
      body_of(request_of("discord_configs: [{webhook_url: 'https://a.example', content: hi, username: "
                         "v, avatar_url: 'https://a.example/a.png'}]",
                         two()));
  CHECK(text_at(body, "/content") == "hi");
  CHECK(text_at(body, "/username") == "v");
  CHECK(text_at(body, "/avatar_url") == "https://a.example/a.png");
  CHECK(text_at(body, "/embeds/0/title") == "[FIRING:1] HighCpu: 1 alert and 1 over");
  CHECK(text_at(body, "/embeds/0/color") == std::to_string(0xd32f2f));
  CHECK(text_at(body, "/embeds/0/description") ==
        "**Critical: HighCpu on web\\-1**\nCPU of web\\-1 is 93% busy\n"
        "Value 93.1%, since 2026-11-21 13:58 UTC ([open](https://vigil.example/alerts/00000000000web-1))\n"
        "Top processes by CPU:\n"
        "\\- postgres \\(pid 4711, db\\)  71% of a core\n\\- nginx \\(pid 12\\)  9.5% of a core\n\n"
        "**Resolved: HighCpu on web\\-2**\nOver after 12m 5s. It was: CPU of web\\-2 is 93% busy\n"
        "Last value 93.1% ([open](https://vigil.example/alerts/00000000000web-2))\n\n");
  const auto long_body =
      body_of(request_of("discord_configs: [{webhook_url: 'https://a.example', title: "
                         "'{{ range .Alerts }}{{ .Summary }}{{ end }}', message: '{{ range "
                         ".Alerts }}{{ .Summary }}{{ end }}'}]",
                         many(30)));
  CHECK(units(text_at(long_body, "/embeds/0/title")) == 256);
  CHECK(units(text_at(long_body, "/embeds/0/description")) == 4096);
}

TEST_CASE("Telegram: HTML to a chat") {
  const auto request = request_of(
      "telegram_configs: [{bot_token: '123:a-B_c', chat_id: -100, message_thread_id: 5, "
      "disable_notifications: true}]",
      two());
  CHECK(request.url == "https://api.telegram.org/bot123:a-B_c/sendMessage");
  const auto body = body_of(request);
  CHECK(body.at("chat_id") == -100);
  CHECK(body.at("message_thread_id") == 5);
  CHECK(body.at("disable_notification") == true);
  CHECK(body.at("parse_mode") == "HTML");
  CHECK(text_at(body, "/text") ==
        "<b>[FIRING:1] HighCpu: 1 alert and 1 over</b>\n"
        "\n<b>Critical: HighCpu on web-1</b>\nCPU of web-1 is 93% busy\n"
        "Value 93.1%, since 2026-11-21 13:58 UTC\n"
        "<a href=\"https://vigil.example/alerts/00000000000web-1\">Open</a>  \n"
        "Top processes by CPU:\n  postgres (pid 4711, db)  71% of a core\n  nginx (pid 12)  9.5% of a core\n"
        "\n<b>Resolved: HighCpu on web-2</b>\nOver after 12m 5s. It was: CPU of web-2 is 93% busy\n"
        "Last value 93.1%\n"
        "<a href=\"https://vigil.example/alerts/00000000000web-2\">Open</a>  \n");
}

TEST_CASE("Telegram: what is too long goes as plain text") {
  const auto body = body_of(request_of("telegram_configs: [{bot_token: '1:x', chat_id: 1}]", many(19)));
  CHECK(units(text_at(body, "/text")) == 4096);
  CHECK_FALSE(body.contains("parse_mode"));
  CHECK_FALSE(has(text_at(body, "/text"), "<b>"));
  CHECK(has(text_at(body, "/text"), "[FIRING:19] HighCpu: 19 alerts"));
}

TEST_CASE("Telegram: in Markdown only a channel's own text is sent") {
  const auto own = body_of(
      request_of("telegram_configs: [{bot_token: '1:x', chat_id: 1, parse_mode: MarkdownV2}]", two()));
  CHECK_FALSE(own.contains("parse_mode"));
  const auto said =
      body_of(request_of("telegram_configs: [{bot_token: '1:x', chat_id: 1, parse_mode: MarkdownV2, message: "
                         "'*{{ .Status }}*'}]",
                         two()));
  CHECK(said.at("parse_mode") == "MarkdownV2");
  CHECK(said.at("text") == "*firing*");
}

TEST_CASE("Teams: the card of connectors") {
  const auto body = body_of(request_of("msteams_configs: [{webhook_url: 'https://a.example'}]", two()));
  CHECK(text_at(body, "/@type") == "MessageCard");
  CHECK(text_at(body, "/title") == "[FIRING:1] HighCpu: 1 alert and 1 over");
  CHECK(text_at(body, "/summary") == "[FIRING:1] HighCpu: 1 alert and 1 over");
  CHECK(text_at(body, "/themeColor") == "d32f2f");
  CHECK(has(text_at(body, "/text"), "**Critical: HighCpu on web\\-1**"));
  CHECK(text_at(body, "/potentialAction/0/targets/0/uri") == "https://vigil.example/");
}

TEST_CASE("Teams: the adaptive card of workflows") {
  const auto body = body_of(request_of("msteamsv2_configs: [{webhook_url: 'https://a.example', title: T}]",
                                       shipment_of({note_of("web-1", Kind::resolved)})));
  CHECK(text_at(body, "/type") == "message");
  CHECK(text_at(body, "/attachments/0/contentType") == "application/vnd.microsoft.card.adaptive");
  CHECK(text_at(body, "/attachments/0/content/type") == "AdaptiveCard");
  CHECK(text_at(body, "/attachments/0/content/body/0/text") == "T");
  CHECK(text_at(body, "/attachments/0/content/body/0/color") == "good");
  CHECK(has(text_at(body, "/attachments/0/content/body/1/text"), "Over after 12m 5s"));
  CHECK(text_at(body, "/attachments/0/content/actions/0/url") ==
        "https://vigil.example/alerts/00000000000web-1");
  CHECK(request_of("msteamsv2_configs: [{webhook_url: 'https://a.example'}]", many(60)).body.size() < 28'000);
}

TEST_CASE("a backlog goes out as one message") {
  notify::Shipment shipment = two();
  shipment.rows.push_back(test::group_row(test::group_of({note_of("web-3")}), "0123456789abcdef-2-7"));
  const auto request = request_of("webhook_configs: [{url: 'http://127.0.0.1/'}]", shipment);
  const auto body = body_of(request);
  REQUIRE(body.at("alerts").as_array().size() == 2);
  CHECK(text_at(body, "/alerts/0/labels/instance") == "web-3");
  CHECK(text_at(body, "/alerts/1/labels/instance") == "web-2");
  CHECK(request.headers[2] == "Idempotency-Key: " + shipment.key());
}

TEST_CASE("SHA-256 is the known one") {
  CHECK(tls::digest_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace vigil::channels
