#include "aggregator/channels/plain_text.h"
#include "common/text/utf8.h"
#include "tests/aggregator/channels/mail.h"
#include "tests/aggregator/channels/messages.h"

namespace vigil::channels {
namespace {

using test::body_of;
using test::has;
using test::note_of;
using test::shipment_of;

/// Every trap at once, in every text that comes from outside.
const std::string kTrap = std::string(
                              "\"'\\ \r\nBcc: all@example.org\r\n\r\n.\r\nQUIT\r\n <script>alert(1)</script> "
                              "<!channel> @everyone {{ .Status }} </td> \xC3") +
                          '\0' + "\xF0\x9F\x98";

notify::Notification hostile(const std::string& host) {
  notify::Notification note = note_of(host);
  note.alert = kTrap;
  note.severity = kTrap;
  note.instance = host + kTrap;
  note.link = "javascript:alert(1)";
  for (const char* name : {"alertname", "instance", "team", "severity"}) note.labels.set(name, kTrap);
  for (const char* name : {"summary", "description", "value", "runbook_url"})
    note.annotations.set(name, kTrap);
  note.reason = kTrap;
  note.evidence = {{kTrap, {{kTrap, kTrap}}}};
  return note;
}

notify::Shipment shipment() {
  auto made = shipment_of({hostile("a"), hostile("b")});
  made.rows[0].group->key = kTrap;
  made.rows[0].group->labels = Labels{{"alertname", kTrap}};
  made.rows[0].note.key = "k" + kTrap;
  return made;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// The parts of channels where labels come to stand.
const char* const kChannels[] = {
    "slack_configs: [{api_url: 'https://a.example'}]",
    "slack_configs: [{api_url: 'https://a.example', title: '{{ .CommonLabels.team }}', username: '{{ "
    ".CommonLabels.team }}', channel: '{{ .CommonLabels.team }}'}]",
    "webhook_configs: [{url: 'http://127.0.0.1/'}]",
    "pagerduty_configs: [{routing_key: k, details: {x: '{{ .CommonLabels.team }}'}, links: [{href: '{{ "
    ".CommonLabels.team }}'}]}]",
    "discord_configs: [{webhook_url: 'https://a.example', username: '{{ .CommonLabels.team }}'}]",
    "telegram_configs: [{bot_token: '1:x', chat_id: 1}]",
    "telegram_configs: [{bot_token: '1:x', chat_id: 1, parse_mode: Markdown}]",
    "msteams_configs: [{webhook_url: 'https://a.example'}]",
    "msteamsv2_configs: [{webhook_url: 'https://a.example'}]",
    "ntfy_configs: [{topic: ops}]",
    "ntfy_configs: [{topic: ops, title: '{{ .CommonLabels.team }}', tags: ['{{ .CommonLabels.team }}'], "
    "priority: '{{ .CommonLabels.team }}', click: '{{ .CommonLabels.team }}'}]",
    "sms_configs: [{url: 'https://a.example', to: ['1'], content_type: application/json, fields: {x: '{{ "
    ".Text }}'}}]",
    "command_configs: [{command: [/bin/true]}]"};

}  // namespace

TEST_CASE("nothing from outside breaks JSON or becomes a header") {
  for (const char* channel : kChannels) {
    INFO(channel);
    for (const auto& [name, several] :
         {std::pair("several", shipment()), std::pair("one", shipment_of({hostile("a")}))}) {
      INFO(name);
      const notify::Request request = test::request_of(channel, several);
      body_of(request);
      CHECK(is_utf8(request.body));
      CHECK_FALSE(has(request.body, "\\u0000"));
      for (const std::string& header : request.headers)
        CHECK(header.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
      CHECK(request.url.find_first_of(" \r\n<") == std::string::npos);
    }
  }
}

TEST_CASE("a group without alerts is still a message of each kind") {
  auto empty = shipment();
  empty.rows[0].group->alerts.clear();
  for (const char* channel : kChannels) {
    INFO(channel);
    body_of(test::request_of(channel, empty));
  }
  CHECK_FALSE(test::request_of("email_configs: [{to: 'o@example.org', from: v@example.org, smarthost: "
                               "'localhost:25'}]",
                               empty)
                  .body.empty());
  CHECK(test::request_of("alertmanager_configs: [{url: 'http://127.0.0.1/'}]", empty).body == "[]");
}

TEST_CASE("nothing from outside mentions people in Slack where vigil places it") {
  for (const char* channel : {"slack_configs: [{api_url: 'https://a.example'}]",
                              "slack_configs: [{api_url: 'https://a.example', title: T}]"}) {
    for (const auto& each : {shipment(), shipment_of({hostile("a")})}) {
      const std::string body = test::request_of(channel, each).body;
      INFO(body);
      CHECK_FALSE(has(body, "<!channel>"));
      CHECK_FALSE(has(body, "<script>"));
    }
  }
}

TEST_CASE("nothing from outside becomes markup in Telegram") {
  auto note = hostile("a");
  note.annotations.set("summary", "<b>x</b> & <a href=\"https://evil.example\">");
  const auto body = body_of(test::request_of(kChannels[5], shipment_of({note})));
  const std::string text = test::text_at(body, "/text");
  INFO(text);
  CHECK(has(text, "&lt;b&gt;x&lt;/b&gt; &amp; &lt;a href=&#34;https://evil.example&#34;&gt;"));
  CHECK_FALSE(has(text, "javascript:"));
}

TEST_CASE("nothing from outside becomes a header, a command or markup of mail") {
  for (const char* more :
       {"",
        ", headers: {Subject: '{{ .CommonLabels.team }}', X-T: '{{ .CommonLabels.team }}', To: '{{ "
        ".CommonLabels.team }}', From: '{{ .CommonLabels.team }}'}, html: '<a href=\"{{ "
        ".CommonLabels.team }}\">{{ .CommonLabels.team }}</a>'",
        ", text: '{{ .CommonLabels.team }}'"}) {
    INFO(more);
    const notify::Request request =
        test::request_of(std::string("email_configs: [{to: 'o@example.org, {{ .CommonLabels.team }}', from: "
                                     "v@example.org, smarthost: 'localhost:25'") +
                             more + "}]",
                         shipment());
    CHECK(request.from == "v@example.org");
    // What of the trap looks like an address by itself is none: it has blanks around it.
    for (const std::string& to : request.to) CHECK(to.find_first_of(" \r\n<>") == std::string::npos);
    const test::Mail mail = test::read_mail(request.body);
    CHECK(mail.headers.count("Bcc") == 0);
    for (const auto& [name, value] : mail.headers)
      CHECK(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    CHECK_FALSE(has(request.body, "\r\n.\r\n"));
    for (const char c : request.body) CHECK_FALSE(c == '\0');
    CHECK_FALSE(has(mail.parts.at("text/html"), "<script>"));
    CHECK_FALSE(has(mail.parts.at("text/html"), "javascript:"));
    CHECK(is_utf8(mail.parts.at("text/html")));
    CHECK(is_utf8(mail.parts.at("text/plain")));
  }
}

TEST_CASE("text is cut between characters, by what a service counts") {
  CHECK(cut_units("äöü", 3) == "äöü");
  CHECK(cut_units("äöüß", 3) == "äö…");
  CHECK(cut_units("😀😀", 4) == "😀😀");
  CHECK(cut_units("😀😀a", 4) == "😀…");
  CHECK(length_in_units("a😀") == 3);
}

TEST_CASE("HTML reads as text") {
  CHECK(without_markup("<b>a</b> &lt;b&gt; &#34;&amp; & b") == "a <b> \"& & b");
}

}  // namespace vigil::channels
