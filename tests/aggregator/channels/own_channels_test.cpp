// Kinds of channels that Alertmanager does not have.
#include "tests/aggregator/channels/messages.h"
#include "tests/aggregator/channels/read_back.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <map>

namespace vigil::channels {
namespace {

using notify::Kind;
using test::body_of;
using test::has;
using test::note_of;
using test::request_of;
using test::shipment_of;
using test::text_at;

notify::Shipment one_and_one_over() {
  return shipment_of({note_of("web-1"), note_of("web-2", Kind::resolved)});
}

notify::Shipment with_team(const std::string& team) {
  auto note = note_of("web-1");
  note.labels.set("team", team);
  return shipment_of({note});
}

notify::Shipment with_severity(const std::string& severity, Kind kind = Kind::firing) {
  auto note = note_of("web-1", kind);
  note.severity = severity;
  return shipment_of({note});
}

bool is_there(const notify::Request& request, std::string_view header) {
  return std::find(request.headers.begin(), request.headers.end(), header) != request.headers.end();
}

/// Of a form that must be one.
std::map<std::string, std::string> fields_of(std::string_view form) {
  auto fields = test::read_form(form);
  REQUIRE(fields);
  return std::move(*fields);
}

std::string errors_in(const std::string& channels) {
  const auto made = test::try_endpoints(channels);
  return made ? "" : made.error().message;
}

/// "NAME=value" as a mapping.
std::map<std::string, std::string> variables(const notify::Request& request) {
  std::map<std::string, std::string> out;
  for (const std::string& line : request.environment)
    out[line.substr(0, line.find('='))] = line.substr(line.find('=') + 1);
  return out;
}

const std::string kNasty = "\"'&to=%2b+49\r\n{},=\\<>; \xC3" + std::string(1, '\0') + "ü";
const std::string kNastyClean = "\"'&to=%2b+49\r\n{},=\\<>; \uFFFD\uFFFDü";

constexpr const char* kNtfy = "ntfy_configs: [{topic: ops}]";

}  // namespace

TEST_CASE("ntfy: a message as JSON to the root of the server") {
  const auto request = request_of(kNtfy, one_and_one_over());
  CHECK(request.url == "https://ntfy.sh");
  CHECK(is_there(request, "Idempotency-Key: 0123456789abcdef-1-7"));
  const auto body = body_of(request);
  CHECK(text_at(body, "/topic") == "ops");
  CHECK(text_at(body, "/title") == "[FIRING:1] HighCpu: 1 alert and 1 over");
  CHECK(has(text_at(body, "/message"), "CPU of web-1 is 93% busy"));
  CHECK(has(text_at(body, "/message"), "Resolved: HighCpu on web-2"));
  CHECK(body.at("priority") == 5);
  CHECK(text_at(body, "/tags") == R"(["rotating_light"])");
  CHECK(text_at(body, "/click") == test::kDashboard);
}

TEST_CASE("ntfy: the priority is what is said, else what the severity asks for") {
  const auto priority = [](const std::string& channel, const notify::Shipment& shipment) {
    return body_of(request_of(channel, shipment)).at("priority").to_number<int>();
  };
  CHECK(priority(kNtfy, with_severity("critical")) == 5);
  CHECK(priority(kNtfy, with_severity("warning")) == 4);
  CHECK(priority(kNtfy, with_severity("info")) == 3);
  CHECK(priority(kNtfy, with_severity("critical", Kind::resolved)) == 3);
  const auto said = [](const char* text) {
    return fmt::format("ntfy_configs: [{{topic: ops, priority: '{}'}}]", text);
  };
  CHECK(priority(said("low"), with_severity("critical")) == 2);
  CHECK(priority(said(R"({{ if eq .CommonLabels.team "web" }}1{{ end }})"), with_severity("critical")) == 1);
  CHECK(priority(said("{{ .CommonLabels.team }}"), with_severity("critical")) == 5);
}

TEST_CASE("ntfy: own texts, tags and a token") {
  const auto request = request_of(R"(ntfy_configs:
    - url: https://ntfy.example.org/
      topic: ops-1
      token: tk_1
      title: 'T {{ .CommonLabels.team }}'
      message: M
      tags: [skull, '{{ .CommonLabels.team }}', '{{ .CommonLabels.nothing }}']
      click: 'javascript:alert(1)')",
                                  with_team("a,b\nc"));
  CHECK(is_there(request, "Authorization: Bearer tk_1"));
  const auto body = body_of(request);
  CHECK(text_at(body, "/title") == "T a,b c");
  CHECK(text_at(body, "/message") == "M");
  CHECK(text_at(body, "/tags") == R"(["skull","a b c"])");
  CHECK_FALSE(body.contains("click"));
}

TEST_CASE("ntfy: texts are cut to what it takes") {
  auto note = note_of("web-1");
  note.annotations.set("summary", std::string(3'000, 'x') + std::string(10'000, '\xFF'));
  note.labels.set("team", std::string(10'000, 'y'));
  const auto body = body_of(
      request_of("ntfy_configs: [{topic: ops, title: '{{ .CommonLabels.team }}'}]", shipment_of({note})));
  CHECK(text_at(body, "/message").size() <= 4'096);
  CHECK(text_at(body, "/title").size() <= 250);
}

TEST_CASE("text messages: each number is a channel of its own") {
  const std::string channel =
      "sms_configs: [{url: 'https://sms.example/send', from: vigil, to: ['+491', '+492']}, {url: "
      "'https://sms.example/', to: ['3']}]";
  const auto made = test::endpoints(channel);
  REQUIRE(made.size() == 3);
  CHECK(made[0].name == "ops/sms[0].to[0]");
  CHECK(made[1].name == "ops/sms[0].to[1]");
  CHECK(made[2].name == "ops/sms[1].to[0]");
  const auto request = made[1].render(shipment_of({note_of("web-1")}), test::kNow);
  CHECK(request.url == "https://sms.example/send");
  CHECK(is_there(request, "Content-Type: application/x-www-form-urlencoded"));
  CHECK(is_there(request, "Idempotency-Key: 0123456789abcdef-1-7"));
  const std::map<std::string, std::string> expected = {
      {"to", "+492"}, {"from", "vigil"}, {"text", "[FIRING:1] HighCpu on web-1\nCPU of web-1 is 93% busy"}};
  CHECK(fields_of(request.body) == expected);
  const auto channels =
      channels_of(routing::configuration("route: {receiver: ops}\nreceivers:\n- name: ops\n  " + channel));
  REQUIRE(channels.at("ops").size() == 3);
  CHECK(channels.at("ops")[1].name == "sms[0].to[1]");
}

TEST_CASE("text messages: no label leaves its field") {
  for (const std::string& team : {kNasty, std::string(10'000, '&')}) {
    const std::string fields = ", fields: {to: '{{ .To }}', 'x[y]': '{{ .CommonLabels.team }}', k: v}";
    const auto form = fields_of(
        request_of("sms_configs: [{url: 'https://a.example', to: ['1']" + fields + "}]", with_team(team))
            .body);
    REQUIRE(form.size() == 3);
    CHECK(form.at("to") == "1");
    CHECK(form.at("x[y]") == (team == kNasty ? kNastyClean : team));
    const auto json = request_of(
        "sms_configs: [{url: 'https://a.example', to: ['1'], content_type: application/json" + fields + "}]",
        with_team(team));
    CHECK(is_there(json, "Content-Type: application/json"));
    CHECK(body_of(json).size() == 3);
    CHECK(text_at(body_of(json), "/x[y]") == form.at("x[y]"));
    const auto get =
        request_of("sms_configs: [{url: 'https://a.example/?key=1', to: ['1'], method: GET" + fields + "}]",
                   with_team(team));
    CHECK(get.is_get);
    CHECK(get.body.empty());
    REQUIRE(get.url.starts_with("https://a.example/?key=1&"));
    CHECK(fields_of(get.url.substr(get.url.find('?') + 1)).size() == 4);
  }
}

TEST_CASE("text messages: a text is cut between characters, with dots of the phones' alphabet") {
  const auto text = [](const std::string& team, int length) {
    return fields_of(
               request_of(fmt::format("sms_configs: [{{url: 'https://a.example', to: ['1'], max_length: "
                                      "{}, text: '{{{{ .CommonLabels.team }}}}'}}]",
                                      length),
                          with_team(team))
                   .body)
        .at("text");
  };
  CHECK(text(std::string(20, 'x'), 20) == std::string(20, 'x'));
  CHECK(text(std::string(21, 'x'), 20) == std::string(17, 'x') + "...");
  CHECK(text(std::string(16, 'x') + "😀😀😀", 20) == std::string(16, 'x') + "...");
  CHECK(text(std::string(10'000, '\xFF'), 320).size() == 317 * 3 + 3);
}

TEST_CASE("a receiver of text messages alone is told of critical alerts alone") {
  const auto critical_only = [](const std::string& keys) {
    return channels_of(
               routing::configuration("route: {receiver: ops}\nreceivers:\n- {name: ops, " + keys + "}\n"))
        .at("ops")
        .at(0)
        .critical_only;
  };
  const std::string sms = "sms_configs: [{url: 'https://a.example', to: ['1']}]";
  CHECK(critical_only(sms));
  CHECK_FALSE(critical_only(sms + ", critical_only: false"));
  CHECK_FALSE(critical_only(sms + ", ntfy_configs: [{topic: a}]"));
  CHECK(critical_only(sms + ", ntfy_configs: [{topic: a}], critical_only: true"));
  CHECK_FALSE(critical_only("ntfy_configs: [{topic: a}]"));
}

TEST_CASE("another Alertmanager is told of alerts as its API has them") {
  auto over = note_of("web-2", Kind::resolved);
  over.labels.set("empty", "");
  over.link = "no link";
  const auto channel = test::endpoints(
      "alertmanager_configs: [{url: 'http://127.0.0.1:9093/am/', valid_for: 1h, http_config: {bearer_token: "
      "t}}]");
  const auto request =
      channel.at(0).render(shipment_of({note_of("web-1"), over}), over.resolved_at_ms + 80'000);
  CHECK(request.url == "http://127.0.0.1:9093/am/api/v2/alerts");
  CHECK(is_there(request, "Authorization: Bearer t"));
  CHECK(boost::json::parse(request.body) == boost::json::parse(R"([
    {"labels": {"alertname": "HighCpu", "instance": "web-1", "severity": "critical", "team": "web"},
     "annotations": {"description": "Average of all cores over 5 minutes.", "summary": "CPU of web-1 is 93% busy", "value": "93.1%"},
     "startsAt": "2026-11-21T14:00:05Z", "endsAt": "2026-11-21T15:11:30Z",
     "generatorURL": "https://vigil.example/alerts/00000000000web-1"},
    {"labels": {"alertname": "HighCpu", "instance": "web-2", "severity": "critical", "team": "web"},
     "annotations": {"description": "Average of all cores over 5 minutes.", "summary": "CPU of web-2 is 93% busy", "value": "93.1%"},
     "startsAt": "2026-11-21T14:00:05Z", "endsAt": "2026-11-21T14:10:10Z"}])"));
  // Two clocks that differ by less than a minute: an end in the other one's future would be none.
  const auto soon =
      boost::json::parse(channel.at(0).render(shipment_of({over}), over.resolved_at_ms + 1'000).body);
  CHECK(text_at(soon, "/0/endsAt") == "2026-11-21T14:09:11Z");
  CHECK(text_at(soon, "/0/startsAt") == "2026-11-21T14:00:05Z");
  auto brief = over;
  brief.fired_at_ms = brief.resolved_at_ms;
  const auto at_once =
      boost::json::parse(channel.at(0).render(shipment_of({brief}), brief.resolved_at_ms).body);
  CHECK(text_at(at_once, "/0/endsAt") == "2026-11-21T14:09:10Z");
  CHECK(text_at(at_once, "/0/startsAt") == "2026-11-21T14:09:10Z");
  const auto channels = channels_of(routing::configuration(
      "route: {receiver: ops}\nreceivers: [{name: ops, alertmanager_configs: [{url: 'http://a'}]}]"));
  CHECK(channels.at("ops").at(0).remind == std::chrono::hours(6));
}

TEST_CASE("a webhook may have a body of its own, and one that fails gives way to Alertmanager's") {
  const auto shipment = with_team("a\"b\n<c>");
  const auto own = request_of(
      R"(webhook_configs: [{url: 'http://a', payload: '{"who": {{ toJson .CommonLabels.team }}, "n": {{ len .Alerts }}}'}])",
      shipment);
  CHECK(text_at(body_of(own), "/who") == "a\"b\n<c>");
  CHECK(is_there(own, "Content-Type: application/json"));
  const auto plain = request_of("webhook_configs: [{url: 'http://a', payload: '{{ .Status }}!'}]", shipment);
  CHECK(plain.body == "firing!");
  CHECK(is_there(plain, "Content-Type: text/plain; charset=utf-8"));
  const auto failing =
      request_of("webhook_configs: [{url: 'http://a', payload: '{{ index .Alerts 7 }}'}]", shipment);
  CHECK(text_at(body_of(failing), "/version") == "4");
}

TEST_CASE("a command has the webhook's JSON and a few words of its environment") {
  auto shipment = with_team(kNasty);
  shipment.rows[0].note.key = "k\n" + kNasty;
  shipment.rows[0].group->key = "{}:{a=\"\x01" + std::string(10'000, 'x') + "\"}";
  const auto request =
      request_of("command_configs: [{command: [/bin/true, '{{ .Status }}'], timeout: 5s}]", shipment);
  CHECK(request.protocol == notify::Protocol::command);
  CHECK(request.command == std::vector<std::string>{"/bin/true", "{{ .Status }}"});
  CHECK(request.timeout == std::chrono::seconds(5));
  CHECK(boost::json::value(body_of(request)) ==
        boost::json::value(body_of(request_of("webhook_configs: [{url: 'http://a'}]", shipment))));
  const auto set = variables(request);
  CHECK(set.size() == 8);
  CHECK(set.at("VIGIL_STATUS") == "firing");
  CHECK(set.at("VIGIL_SEVERITY") == "critical");
  CHECK(set.at("VIGIL_RECEIVER") == "ops");
  CHECK(set.at("VIGIL_GROUP_KEY").starts_with("{}:{a=\" xxx"));
  CHECK(set.at("VIGIL_GROUP_KEY").size() <= 4'096);
  for (const std::string& line : request.environment) {
    for (const char c : line) CHECK_FALSE((c >= 0 && c < ' '));
  }
}

TEST_CASE("mistakes in kinds of vigil's own are named with their places") {
  const test::TempDir dir;
  const std::string program = dir.file("open-to-all");
  std::ofstream(program) << "#!/bin/sh\n";
  ::chmod(program.c_str(), 0777);
  const auto f = [](const std::string& keys, const char* expected) {
    const std::string found = errors_in(keys);
    INFO(keys << "\n" << found);
    CHECK(has(found, expected));
    CHECK(found.find(expected) == found.rfind(expected));
  };
  f("ntfy_configs: [{topic: 'a/b'}]",
    "alertmanager.yml:5:26: receivers[0].ntfy_configs[0].topic: is no topic");
  f("ntfy_configs: [{topic_file: /nowhere}]", "receivers[0].ntfy_configs[0].topic_file: ");
  f("ntfy_configs: [{topic: a, tags: ['{{ nope }}']}]", "tags[0]: function \"nope\" not defined");
  f("sms_configs: [{url: 'ftp://a', to: ['1', '2', '3']}]", "sms_configs[0].url: the URL must begin");
  f("sms_configs: [{url: 'https://a/#x', to: ['1']}]", "url: must not have a fragment");
  f("alertmanager_configs: [{url: 'http://a/?x'}]", "url: must have no ?");
  f("command_configs: [{command: [/nowhere/x]}]",
    "command_configs[0].command[0]: /nowhere/x cannot be found");
  f("command_configs: [{command: [/tmp]}]", "/tmp is no file");
  f("command_configs: [{command: [/etc/passwd]}]", "may not be run");
  f("command_configs: [{command: ['" + program + "']}]", "may be changed by everybody");
}

TEST_CASE("no secret of vigil's own kinds stands in an error") {
  const test::TempDir dir;
  std::ofstream(dir.file("secret")) << "hunter2\nhunter2\n";
  ::chmod(dir.file("secret").c_str(), 0600);
  for (const char* keys :
       {"ntfy_configs: [{{topic_file: '{0}', token_file: '{0}'}}]",
        "sms_configs: [{{url_file: '{0}', to: ['1']}}]", "alertmanager_configs: [{{url_file: '{0}'}}]"}) {
    const std::string found = errors_in(fmt::format(fmt::runtime(keys), dir.file("secret")));
    CHECK_FALSE(found.empty());
    CHECK_FALSE(has(found, "hunter2"));
  }
}

}  // namespace vigil::channels
