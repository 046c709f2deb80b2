#include "aggregator/channels/words.h"

#include "tests/aggregator/channels/messages.h"
#include "tests/support/temp_file.h"

#include <fstream>

namespace vigil::channels {
namespace {

using test::body_of;
using test::has;
using test::note_of;
using test::shipment_of;
using test::text_at;

constexpr const char* kDiscord = "discord_configs: [{webhook_url: 'https://discord.example/x'}]";

std::string templates(const std::string& path) {
  return fmt::format("templates: ['{}']", path);
}

void write(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("template files give texts names, and the defaults other words") {
  const test::TempDir dir;
  write(dir.file("a.tmpl"), R"({{ define "mine" }}mine of {{ .Receiver }}{{ end }}
    {{ define "discord.default.title" }}first{{ end }})");
  write(dir.file("b.tmpl"),
        R"(outside {{ define "discord.default.title" }}{{ template "mine" . }}{{ end }})");
  write(dir.file("c.txt"), "{{ broken");
  const auto body = body_of(test::endpoints(kDiscord, templates(dir.file("*.tmpl")))
                                .at(0)
                                .render(shipment_of({note_of("a")}), test::kNow));
  CHECK(text_at(body, "/embeds/0/title") == "mine of ops");
}

TEST_CASE("a subject of somebody's own is the title of cards, too") {
  const test::TempFile file("a.tmpl",
                            R"({{ define "__subject" }}mine on {{ .CommonLabels.instance }}{{ end }})");
  const auto body = body_of(test::endpoints(kDiscord, templates(file.path()))
                                .at(0)
                                .render(shipment_of({note_of("web-1")}), test::kNow));
  CHECK(text_at(body, "/embeds/0/title") == "mine on web-1");
}

TEST_CASE("Slack's own look gives way to template files that say how it shall be") {
  const test::TempFile file("a.tmpl", R"({{ define "slack.default.title" }}mine{{ end }})");
  const auto body =
      body_of(test::endpoints("slack_configs: [{api_url: 'https://a.example'}]", templates(file.path()))
                  .at(0)
                  .render(shipment_of({note_of("a")}), test::kNow));
  CHECK(text_at(body, "/attachments/0/title") == "mine");
}

TEST_CASE("what is wrong in template files is named with the file, all at once") {
  const test::TempDir dir;
  write(dir.file("a.tmpl"), "{{ define \"x\" }}\n a {{ humanise 1 }}{{ end }}");
  write(dir.file("b.tmpl"), R"({{ define "y" }})");
  const auto made = test::try_endpoints(
      kDiscord, fmt::format("templates: ['{}', '{}']", dir.file("*.tmpl"), dir.file("missing")));
  REQUIRE_FALSE(made);
  const std::string& message = made.error().message;
  INFO(message);
  CHECK(has(message, dir.file("a.tmpl") + ":2:4: function \"humanise\" not defined"));
  CHECK(has(message, dir.file("b.tmpl") + ":1:1: template \"y\" has no {{ end }}"));
  CHECK(has(message, dir.file("missing") + ": there is no such template file"));
}

TEST_CASE("a pattern that no file fits is no mistake") {
  const test::TempDir dir;
  CHECK(test::try_endpoints(kDiscord, templates(dir.file("*.tmpl"))));
}

TEST_CASE("a text that fails gives way to vigil's own, and the message says so") {
  const auto f = [](const char* channel, const char* pointer, const char* own, const char* note) {
    INFO(channel);
    const auto body = body_of(test::request_of(channel, shipment_of({note_of("web-1")})));
    const std::string text = text_at(body, pointer);
    INFO(text);
    CHECK(has(text, own));
    CHECK(has(text, note));
  };
  f("slack_configs: [{api_url: 'https://a.example', text: '{{ .Nothing }}'}]", "/attachments/0/text",
    "CPU of web-1 is 93% busy",
    "\nvigil: the text of text could not be written: can't evaluate field Nothing in type Data");
  f("discord_configs: [{webhook_url: 'https://a.example', title: '{{ index .Alerts 7 }}'}]",
    "/embeds/0/description", "is 93% busy", "index out of range");
  f("telegram_configs: [{bot_token: '1:x', chat_id: 1, message: '{{ .Nothing }}'}]", "/text",
    "<b>Critical: HighCpu on web-1</b>", "the text of message could not be written: can&#39;t evaluate");
  f("telegram_configs: [{bot_token: '1:x', chat_id: 1, message: '{{ .Nothing }}', parse_mode: MarkdownV2}]",
    "/text", "Critical: HighCpu on web-1", "could not be written");
  f("msteams_configs: [{webhook_url: 'https://a.example', text: '{{ .Nothing }}'}]", "/text", "is 93% busy",
    "could not be written");
  f("msteamsv2_configs: [{webhook_url: 'https://a.example', title: '{{ .Nothing }}'}]",
    "/attachments/0/content/body/1/text", "is 93% busy", "the text of title could not be written");
  f("pagerduty_configs: [{routing_key: k, description: '{{ .Nothing }}'}]", "/payload/custom_details/vigil",
    "the text of description", "could not be written");
}

TEST_CASE("a template that calls itself for ever ends, and the alert is told of") {
  const test::TempFile file(
      "a.tmpl", R"({{ define "discord.default.title" }}{{ template "discord.default.title" . }}{{ end }})");
  const auto body = body_of(test::endpoints(kDiscord, templates(file.path()))
                                .at(0)
                                .render(shipment_of({note_of("web-1")}), test::kNow));
  CHECK(text_at(body, "/embeds/0/title") == "[FIRING:1] HighCpu on web\\-1");
  CHECK(has(text_at(body, "/embeds/0/description"), "the text of title could not be written"));
}

TEST_CASE("default texts are parsed and fit for each kind of group") {
  const Library library;
  for (const auto kind : {notify::Kind::firing, notify::Kind::resolved}) {
    for (const int count : {1, 2, 60}) {
      std::vector<notify::Notification> alerts;
      for (int i = 0; i < count; ++i) alerts.push_back(note_of(fmt::format("web-{}", i), kind));
      const notify::Shipment shipment = shipment_of(alerts);
      const Told told(shipment, test::kNow, "");
      Writer writer(told);
      config::Problems problems;
      for (const char* name :
           {"__subject", "__description", "slack.default.title", "slack.default.text",
            "slack.default.fallback", "email.default.subject", "email.default.html", "email.default.text",
            "pagerduty.default.description", "discord.default.title", "discord.default.message",
            "telegram.default.message", "msteams.default.title", "msteams.default.text",
            "msteams.default.summary", "msteamsv2.default.title", "msteamsv2.default.text"}) {
        INFO(name);
        const std::string call = fmt::format("{{{{ template \"{}\" . }}}}", name);
        const std::string text = writer.html(library.wording({}, "x", std::nullopt, call, problems));
        CHECK_FALSE(text.empty());
        CHECK_FALSE(has(text, "no value"));
      }
      CHECK(problems.result());
      CHECK(writer.notes().empty());
    }
  }
}

}  // namespace vigil::channels
