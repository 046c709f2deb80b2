#include "tests/aggregator/channels/messages.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <set>

namespace vigil::channels {
namespace {

using test::has;
using test::note_of;
using test::request_of;
using test::shipment_of;

bool has_header(const notify::Request& request, std::string_view header) {
  return std::find(request.headers.begin(), request.headers.end(), header) != request.headers.end();
}

/// The errors; "" when there are none.
std::string errors(const std::string& channels) {
  const auto made = test::try_endpoints(channels);
  return made ? "" : made.error().message;
}

/// A file of this owner alone.
void write_secret(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
  ::chmod(path.c_str(), 0600);
}

}  // namespace

TEST_CASE("each channel of a receiver becomes an endpoint of its own") {
  const std::string text =
      R"(slack_configs: [{api_url: 'https://a.example'}, {api_url: 'https://b.example', send_resolved: true}]
  email_configs: [{to: a@example.org, from: b@example.org, smarthost: 'mail.example.org:25'}]
  webhook_configs: [{url: 'http://127.0.0.1/'}]
  pagerduty_configs: [{service_key: old}, {routing_key: k}]
  discord_configs: [{webhook_url: 'https://a.example'}]
  telegram_configs: [{bot_token: '1:x', chat_id: 1}]
  msteams_configs: [{webhook_url: 'https://a.example'}]
  msteamsv2_configs: [{webhook_url: 'https://a.example'}])";
  std::string told;
  std::set<std::string> paces;
  for (const notify::Endpoint& endpoint : test::endpoints(text)) {
    CHECK(endpoint.takes_groups);
    paces.insert(fmt::format("{} {}/{}", endpoint.kind, endpoint.burst, endpoint.every.count()));
    told += fmt::format("{} {} {}\n", endpoint.name, endpoint.kind, endpoint.send_resolved);
  }
  CHECK(told ==
        "ops/slack[0] slack false\nops/slack[1] slack true\nops/email[0] email false\n"
        "ops/webhook[0] webhook true\nops/pagerduty[1] pagerduty true\nops/discord[0] discord true\n"
        "ops/telegram[0] telegram true\nops/msteams[0] msteams true\nops/msteamsv2[0] msteamsv2 true\n");
  CHECK(paces == std::set<std::string>{"slack 5/1000", "email 0/1000", "webhook 0/1000", "pagerduty 60/1000",
                                       "discord 3/1000", "telegram 1/1000", "msteams 3/1000",
                                       "msteamsv2 3/1000"});
  const auto to_group = test::endpoints("telegram_configs: [{bot_token: '1:x', chat_id: -5}]").at(0);
  CHECK(to_group.burst == 5);  // with one in four seconds twenty within the first minute
  CHECK(to_group.every == std::chrono::seconds(4));
  const auto channels = channels_of(
      routing::configuration("route: {receiver: ops}\nreceivers:\n- name: none\n- name: ops\n  " + text));
  CHECK(channels.at("none").empty());
  REQUIRE(channels.at("ops").size() == 9);
  CHECK(channels.at("ops")[1].name == "slack[1]");
  CHECK(channels.at("ops")[1].send_resolved);
  CHECK(endpoint_name("ops", channels.at("ops")[4].name) == "ops/pagerduty[1]");
}

TEST_CASE("requests identify themselves as http_config says") {
  const test::TempDir dir;
  write_secret(dir.file("password"), "s3cret\n");
  write_secret(dir.file("header"), "from file\n");
  const auto request = request_of(fmt::format(R"(webhook_configs:
    - url: 'http://127.0.0.1/'
      timeout: 3s
      http_config:
        basic_auth: {{username: am, password_file: '{}'}}
        http_headers: {{X-A: {{values: [one, two], secrets: [three], files: ['{}']}}}})",
                                              dir.file("password"), dir.file("header")),
                                  shipment_of({note_of("a")}));
  CHECK(has_header(request, "Authorization: Basic YW06czNjcmV0"));
  for (const char* value : {"one", "two", "three", "from file"})
    CHECK(has_header(request, fmt::format("X-A: {}", value)));
  CHECK(has_header(request, "Content-Type: application/json"));
  CHECK(has_header(request, "Idempotency-Key: 0123456789abcdef-1-7"));
  CHECK(has(request.headers[1], "User-Agent: vigil/"));
  CHECK(request.timeout == std::chrono::seconds(3));

  const auto bearer = request_of(
      "webhook_configs: [{url: 'http://127.0.0.1/', http_config: {authorization: {credentials: t}}}]",
      shipment_of({note_of("a")}));
  CHECK(has_header(bearer, "Authorization: Bearer t"));
}

TEST_CASE("secrets are read from files") {
  const test::TempDir dir;
  write_secret(dir.file("url"), "https://hooks.example.org/secret\n");
  CHECK(request_of(fmt::format("slack_configs: [{{api_url_file: '{}'}}]", dir.file("url")),
                   shipment_of({note_of("a")}))
            .url == "https://hooks.example.org/secret");
}

TEST_CASE("mistakes are named with their places, all at once") {
  const std::string found = errors(
      R"(slack_configs: [{api_url: 'ftp://a', title: '{{ .Status', fields: [{title: a, value: '{{ nope }}'}]}]
  discord_configs: [{webhook_url_file: /nowhere/discord}]
  telegram_configs: [{bot_token: '1/../x', chat_id: 1, message: '{{ template "nope" . }}'}]
  webhook_configs: [{url: 'http://a/', http_config: {http_headers: {'X A': {values: [b]}}, tls_config: {ca_file: /nowhere/ca.pem}}}]
  email_configs: [{to: 'ops', from: am@example.org, smarthost: 'mail:25', headers: {Date: x, Subject: "a\nb", X-A: '{{ nope }}'}}])");
  INFO(found);
  const auto f = [&found](const char* part) {
    INFO(part);
    CHECK(has(found, part));
  };
  f("/etc/am/alertmanager.yml:5:29: receivers[0].slack_configs[0].api_url: the URL must begin with https://");
  f("receivers[0].slack_configs[0].title: unclosed action");
  f("receivers[0].slack_configs[0].fields[0].value: function \"nope\" not defined");
  f("receivers[0].discord_configs[0].webhook_url_file: ");
  f("receivers[0].telegram_configs[0].bot_token: is no bot's token");
  f("receivers[0].telegram_configs[0].message: template \"nope\" not defined");
  f("http_config.http_headers.X A: 'X A' is not a valid header");
  f("receivers[0].webhook_configs[0].http_config.tls_config.ca_file: ");
  f("receivers[0].email_configs[0].to: 'ops' is not an address");
  f("receivers[0].email_configs[0].headers.Date: cannot be set: vigil writes this header itself");
  f("receivers[0].email_configs[0].headers.Subject: must be one line");
  f("receivers[0].email_configs[0].headers.X-A: function \"nope\" not defined");
}

TEST_CASE("a password is sent only where nobody listens") {
  const char* mail =
      "email_configs: [{{to: a@b, from: a@b, smarthost: '{}', require_tls: {}, auth_username: a, "
      "auth_password: b}}]";
  CHECK(has(errors(fmt::format(fmt::runtime(mail), "mail.example.org:25", false)),
            "require_tls: a password is sent"));
  CHECK(errors(fmt::format(fmt::runtime(mail), "mail.example.org:25", true)).empty());
  CHECK(errors(fmt::format(fmt::runtime(mail), "mail.example.org:465", false)).empty());
  CHECK(errors(fmt::format(fmt::runtime(mail), "127.0.0.1:25", false)).empty());
}

}  // namespace vigil::channels
