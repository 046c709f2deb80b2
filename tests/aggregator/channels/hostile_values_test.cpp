// Hostile labels and annotations through every kind of receiver, with the texts each has by itself. What
// comes out is read back: it has the structure that a harmless alert gives, nothing of the values is markup,
// and they are what went in.
#include "aggregator/notify/endpoint.h"
#include "common/text/utf8.h"
#include "tests/aggregator/channels/mail.h"
#include "tests/aggregator/channels/messages.h"
#include "tests/aggregator/channels/read_back.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>

namespace vigil::channels {
namespace {

using notify::Kind;
using notify::Notification;
using notify::Request;
using test::has;
using test::note_of;
using test::shipment_of;
using test::text_at;

/// What somebody might put into a label to get out of it.
const std::vector<std::string>& fragments() {
  static const std::vector<std::string> all = {"\r\n",
                                               "\n",
                                               "\r",
                                               "\t",
                                               std::string(1, '\0'),
                                               "\x01",
                                               "\x1b[2J",
                                               "\x7f",
                                               "\"",
                                               "'",
                                               "\\",
                                               "`",
                                               "```",
                                               "/",
                                               "<script>alert(1)</script>",
                                               "<img src=x onerror=alert(1)>",
                                               "</td></tr></table>",
                                               "<b>",
                                               "<!--",
                                               "]]>",
                                               "<!channel>",
                                               "<!here|here>",
                                               "<@U123>",
                                               "<#C123>",
                                               "<https://evil.example|click>",
                                               "<mailto:a@b.c|x>",
                                               "&amp;",
                                               "&lt;!channel&gt;",
                                               "&#60;b&#62;",
                                               "&",
                                               "@everyone",
                                               "@here",
                                               "@channel",
                                               "**bold**",
                                               "__under__",
                                               "~~strike~~",
                                               "||spoiler||",
                                               "[click](https://evil.example)",
                                               "![x](https://evil.example/x.png)",
                                               "](https://evil.example)",
                                               "# heading",
                                               "> quote",
                                               "- item",
                                               "* item",
                                               "1. item",
                                               "| a | b |",
                                               "<at>everyone</at>",
                                               ":fire:",
                                               "x\n:large_green_circle: *Resolved: HighCpu on db-1*",
                                               "x\n> q",
                                               "_it_ ~off~ `code`",
                                               "\xE2\x80\xAE",
                                               "\xE2\x80\x8F",
                                               "\xE2\x81\xA6",
                                               "\xEF\xBB\xBF",
                                               "\xE2\x80\xA8",
                                               "\xC2\x85",
                                               "\xFF",
                                               "\xC3",
                                               "\xED\xA0\x80",
                                               "\xC0\x80",
                                               "\xF0\x9F\x98",
                                               "\xF5\x80\x80\x80",
                                               "\xC3\xBC\xE2\x98\x83\xF0\x9F\x98\x80",
                                               "{{ .Status }}",
                                               "{{ template \"x\" . }}",
                                               "{{ range .Alerts }}",
                                               "{{",
                                               "}}",
                                               "{{/*",
                                               "${x}",
                                               "%s%n",
                                               "{\"a\":1}",
                                               "\"}],\"x\":[{\"",
                                               "\\u0000",
                                               "\\\"",
                                               "null",
                                               "\r\n.\r\n",
                                               ".",
                                               "\r\nQUIT\r\n",
                                               "\r\nBcc: all@example.org\r\n",
                                               "\r\n\r\n<p>",
                                               "=?UTF-8?B?eA==?=",
                                               "\r\n--=_vigil-",
                                               "=3D",
                                               "%0d%0a",
                                               "%26to=1",
                                               "&to=1",
                                               "+",
                                               ";",
                                               ",",
                                               "#x",
                                               "?y=z",
                                               "$(id)",
                                               "`id`",
                                               "| id",
                                               "javascript:alert(1)",
                                               "data:text/html,x",
                                               "//evil.example",
                                               "plain words"};
  return all;
}

/// One text for each place of an alert.
struct Values {
  std::string alert, severity, instance, team, summary, description, value, runbook, reason, evidence;
};

Values same_everywhere(const std::string& text) {
  return {text, text, text, text, text, text, text, text, text, text};
}

Values harmless() {
  return {"plain1", "plain2", "plain3", "plain4", "plain5",
          "plain6", "plain7", "plain8", "plain9", "plain10"};
}

Values random_values(std::mt19937_64& random) {
  const auto text = [&random] {
    std::string out;
    for (std::size_t count = 1 + random() % 5; count > 0; --count) {
      out += fragments()[random() % fragments().size()];
      if (random() % 3 == 0) out += 'v';
    }
    return out;
  };
  return {text(), text(), text(), text(), text(), text(), text(), text(), text(), text()};
}

Notification with(const Values& values, const std::string& host, Kind kind = Kind::firing) {
  Notification note = note_of(host, kind);
  note.alert = values.alert;
  note.severity = values.severity;
  note.instance = host + values.instance;
  note.labels = Labels{{"alertname", values.alert},
                       {"instance", note.instance},
                       {"severity", values.severity},
                       {"team", values.team}};
  note.annotations = Labels{{"summary", values.summary},
                            {"description", values.description},
                            {"value", values.value},
                            {"runbook_url", values.runbook}};
  if (kind == Kind::resolved) note.reason = values.reason;
  note.evidence = {{std::string(notify::kActionsTitle), {{values.evidence, values.evidence}}},
                   {values.evidence, {{values.evidence, values.evidence}}}};
  return note;
}

/// What is said of them differs.
enum class Company : std::uint8_t {
  alone,         // one that fires
  with_another,  // and one that is over
  occasion       // of what is no alert: a maintenance
};

std::vector<Notification> alerts_of(const Values& values, Company how) {
  std::vector<Notification> out{with(values, "a")};
  if (how == Company::with_another) out.push_back(with(values, "b", Kind::resolved));
  if (how == Company::occasion) {
    out[0].occasion = values.reason;
    out[0].title = values.value;
  }
  return out;
}

bool is_characters(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// As every channel has it: bytes that are no characters, and NUL, are replaced.
std::string cleaned(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = text.front() == 0 ? 0 : character_length(text);
    out += length == 0 ? "\xEF\xBF\xBD" : std::string(text.substr(0, length));
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

/// As a person reads it in Slack: on one line, with characters that look like those of its markup.
std::string in_slack(std::string_view text) {
  std::string out = cleaned(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  constexpr std::pair<std::string_view, std::string_view> kAlike[] = {
      {"\xE2\x88\x97", "*"}, {"\xE2\x88\xBC", "~"}, {"\xCB\x8D", "_"}, {"`", "'"},
      {"\xE2\x81\xA0", ""},  {"\xE2\x80\xA8", " "}, {"\xC2\x85", " "}};
  for (const auto& [from, to] : kAlike) {
    for (std::size_t at = out.find(from); at != std::string::npos; at = out.find(from, at + to.size()))
      out.replace(at, from.size(), to);
  }
  return out;
}

/// As mail has it, whose lines end in CR and LF.
std::string in_mail(std::string_view text) {
  std::string out = cleaned(text);
  std::erase(out, '\r');
  return out;
}

/// As one line has it: control characters are blanks.
std::string in_line(std::string_view text) {
  std::string out = cleaned(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return out;
}

std::vector<std::string> names_of(const std::vector<std::string>& lines, char end) {
  std::vector<std::string> out;
  for (const std::string& line : lines) out.push_back(line.substr(0, line.find(end)));
  return out;
}

boost::json::value json_of(std::string_view body) {
  boost::json::error_code error;
  auto parsed = boost::json::parse(boost::json::string_view(body.data(), body.size()), error);
  REQUIRE_FALSE(error);  // its parser takes UTF-8 only
  return parsed;
}

/// All texts of a JSON value that Slack reads as its markup.
void each_mrkdwn(const boost::json::value& value, const std::function<void(const std::string&)>& visit) {
  if (const auto* array = value.if_array()) {
    for (const auto& item : *array) each_mrkdwn(item, visit);
  }
  const auto* object = value.if_object();
  if (object == nullptr) return;
  for (const auto& [key, member] : *object) {
    constexpr std::string_view kTexts[] = {"text", "title", "fallback", "pretext", "footer", "value"};
    const bool is_text =
        std::find(std::begin(kTexts), std::end(kTexts), std::string_view(key)) != std::end(kTexts);
    if (is_text && member.is_string()) visit(std::string(member.get_string()));
    each_mrkdwn(member, visit);
  }
}

/// What a message of Slack's shows; only vigil's own links and dates are more than text.
std::string seen_in_slack(const boost::json::value& body) {
  std::string out;
  each_mrkdwn(body, [&out](const std::string& text) {
    const test::Markup read = test::read_mrkdwn(text);
    for (const std::string& active : read.active) {
      INFO(active);
      CHECK((active.starts_with("<!date^1") || active.starts_with("<https://vigil.example/")));
      CHECK(active.ends_with('>'));
    }
    out += read.visible + '\n';
  });
  return out;
}

/// A kind of receiver: what is special to it, besides JSON and headers.
struct HostileCase {
  std::string name;
  notify::Endpoint endpoint;
  std::function<void(const Request& hostile, const Request& plain, const Values& values)> check;
};

void check_mail(const Request& hostile, const Request& plain, const Values& values) {
  const test::Mail mail = test::read_mail(hostile.body);
  const test::Mail other = test::read_mail(plain.body);
  CHECK(hostile.from == plain.from);
  CHECK(hostile.to == plain.to);
  std::set<std::string> names;
  for (const auto& [name, value] : mail.headers) {
    names.insert(name);
    CHECK(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    if (name != "Subject" && name != "Content-Type") CHECK(value == other.headers.at(name));
  }
  CHECK(names.size() == other.headers.size());
  REQUIRE(mail.parts.size() == 2);
  CHECK_FALSE(has(hostile.body, "\r\n."));
  CHECK(std::all_of(hostile.body.begin(), hostile.body.end(), [](char c) { return c > 0; }));
  const test::Markup html = test::read_html(mail.parts.at("text/html"));
  CHECK(html.active == test::read_html(other.parts.at("text/html")).active);
  CHECK(has(html.visible, in_mail(values.summary)));
  CHECK(has(html.visible, in_mail(values.description)));
  CHECK(has(mail.parts.at("text/plain"), in_mail(values.summary)));
  CHECK(has(mail.parts.at("text/plain"), in_line(values.evidence)));
}

void check_markdown(const std::string& hostile, const std::string& plain, const std::string& expected) {
  const test::Markup read = test::read_markdown(hostile);
  INFO(hostile);
  CHECK(read.active == test::read_markdown(plain).active);
  CHECK(has(read.visible, cleaned(expected)));
}

void check_form(std::string_view hostile, std::string_view plain, const Values& values) {
  const auto form = test::read_form(hostile);
  const auto other = test::read_form(plain);
  REQUIRE(form);
  REQUIRE(other);
  REQUIRE(form->size() == other->size());
  for (const auto& [name, value] : *form) CHECK(other->count(name) == 1);
  CHECK(form->at("to") == "+491");
  CHECK(has(form->at("text"), cleaned(values.summary)));
}

/// Each text's markup.
std::string marks_in_slack(const boost::json::value& body) {
  std::string out;
  each_mrkdwn(body, [&out](const std::string& text) { out += test::mrkdwn_marks(text) + '|'; });
  return out;
}

/// Lines of several are quoted: without that.
std::string without_quotes(std::string_view seen) {
  std::string out;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const bool begins_line = i == 0 || seen[i - 1] == '\n';
    if (!begins_line || seen[i] != '>') out += seen[i];
  }
  return out;
}

void check_slack(const Request& hostile, const Request& plain, const Values& values) {
  const std::string seen = without_quotes(seen_in_slack(json_of(hostile.body)));
  CHECK(has(in_slack(seen), in_slack(values.summary)));
  const std::string marks = marks_in_slack(json_of(hostile.body));
  const std::string expected = marks_in_slack(json_of(plain.body));
  INFO(marks << "\ninstead of\n" << expected);
  // Fewer where a value is blank: nothing is bold then.
  for (const char mark : std::string_view("*_~`:<\n"))
    CHECK(std::count(marks.begin(), marks.end(), mark) <= std::count(expected.begin(), expected.end(), mark));
}

/// Of alertmanager.yml.
std::vector<HostileCase> group_cases() {
  std::vector<HostileCase> out;
  const auto add = [&out](const std::string& keys, auto check) {
    out.push_back({keys, test::endpoints(keys).at(0), check});
  };
  add("slack_configs: [{api_url: 'https://a.example'}]", check_slack);
  add("slack_configs: [{app_token: t, channel: '#ops'}]", check_slack);
  add(R"(slack_configs: [{api_url: 'https://a.example', title: '{{ template "slack.default.title" . }}'}])",
      check_slack);
  const auto check_labels = [](const Request& hostile, const Request& /*plain*/, const Values& values) {
    const auto body = json_of(hostile.body);
    CHECK(text_at(body, "/alerts/0/labels/team") == cleaned(values.team));
    CHECK(text_at(body, "/alerts/0/annotations/summary") == cleaned(values.summary));
    CHECK(text_at(body, "/commonLabels/alertname") == cleaned(values.alert));
  };
  add("webhook_configs: [{url: 'http://127.0.0.1/'}]", check_labels);
  add(R"(webhook_configs: [{url: 'http://127.0.0.1/', payload: '{"team": {{ toJson .CommonLabels.team }}, "all": {{ toJson .CommonAnnotations }}, "of": [{{ range $i, $a := .Alerts }}{{ if $i }}, {{ end }}{{ toJson $a.Labels }}{{ end }}]}'}])",
      [](const Request& hostile, const Request& /*plain*/, const Values& values) {
        const auto body = json_of(hostile.body);
        CHECK(text_at(body, "/team") == cleaned(values.team));
        CHECK(text_at(body, "/all/summary") == cleaned(values.summary));
        CHECK(text_at(body, "/of/0/severity") == cleaned(values.severity));
      });
  add("command_configs: [{command: [/bin/true, '{{ .CommonLabels.team }}', --status]}]",
      [check_labels](const Request& hostile, const Request& plain, const Values& values) {
        check_labels(hostile, plain, values);
        CHECK(hostile.command == plain.command);
        CHECK(names_of(hostile.environment, '=') == names_of(plain.environment, '='));
        for (const std::string& line : hostile.environment)
          CHECK(std::none_of(line.begin(), line.end(),
                             [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }));
      });
  add("pagerduty_configs: [{routing_key: k}]",
      [](const Request& hostile, const Request& plain, const Values& values) {
        const auto body = json_of(hostile.body);
        CHECK(text_at(body, "/payload/severity") == "warning");
        CHECK(text_at(body, "/dedup_key") == text_at(json_of(plain.body), "/dedup_key"));
        CHECK(has(text_at(body, "/payload/custom_details/firing"), cleaned(values.summary)));
        CHECK(has(text_at(body, "/payload/custom_details/firing"), in_line(values.evidence)));
      });
  add("discord_configs: [{webhook_url: 'https://a.example'}]",
      [](const Request& hostile, const Request& plain, const Values& values) {
        const auto body = json_of(hostile.body);
        const auto other = json_of(plain.body);
        check_markdown(text_at(body, "/embeds/0/description"), text_at(other, "/embeds/0/description"),
                       values.summary);
        check_markdown(text_at(body, "/embeds/0/description"), text_at(other, "/embeds/0/description"),
                       in_line(values.evidence));
        check_markdown(text_at(body, "/embeds/0/title"), text_at(other, "/embeds/0/title"), "");
      });
  add("msteams_configs: [{webhook_url: 'https://a.example'}]",
      [](const Request& hostile, const Request& plain, const Values& values) {
        check_markdown(text_at(json_of(hostile.body), "/text"), text_at(json_of(plain.body), "/text"),
                       values.summary);
      });
  add("msteamsv2_configs: [{webhook_url: 'https://a.example'}]",
      [](const Request& hostile, const Request& plain, const Values& values) {
        const auto body = json_of(hostile.body);
        const auto other = json_of(plain.body);
        const char* text = "/attachments/0/content/body/1/text";
        const char* title = "/attachments/0/content/body/0/text";
        check_markdown(text_at(body, text), text_at(other, text), values.summary);
        check_markdown(text_at(body, title), text_at(other, title), "");
      });
  add("telegram_configs: [{bot_token: '1:x', chat_id: 1}]",
      [](const Request& hostile, const Request& plain, const Values& values) {
        const auto body = json_of(hostile.body);
        REQUIRE(text_at(body, "/parse_mode") == "HTML");
        const test::Markup read = test::read_html(text_at(body, "/text"));
        CHECK(read.active == test::read_html(text_at(json_of(plain.body), "/text")).active);
        CHECK(has(read.visible, cleaned(values.summary)));
        CHECK(has(read.visible, in_line(values.evidence)));
      });
  const auto check_plain = [](const char* pointer) {
    return [pointer](const Request& hostile, const Request& /*plain*/, const Values& values) {
      CHECK(has(text_at(json_of(hostile.body), pointer), cleaned(values.summary)));
    };
  };
  add("telegram_configs: [{bot_token: '1:x', chat_id: 1, parse_mode: MarkdownV2}]", check_plain("/text"));
  add("ntfy_configs: [{topic: ops}]",
      [](const Request& hostile, const Request& /*plain*/, const Values& values) {
        const std::string message = text_at(json_of(hostile.body), "/message");
        CHECK(has(message, cleaned(values.summary)));
        CHECK(has(message, in_line(values.evidence)));
      });
  const std::string sms = "sms_configs: [{url: 'https://a.example/', to: ['+491'], max_length: 10000";
  add(sms + ", content_type: application/json}]", check_plain("/text"));
  add(sms + "}]", [](const Request& hostile, const Request& plain, const Values& values) {
    check_form(hostile.body, plain.body, values);
  });
  add(sms + ", method: GET}]", [](const Request& hostile, const Request& plain, const Values& values) {
    const std::string begin = "https://a.example/?";
    REQUIRE(hostile.url.starts_with(begin));
    check_form(std::string_view(hostile.url).substr(begin.size()),
               std::string_view(plain.url).substr(begin.size()), values);
  });
  add("alertmanager_configs: [{url: 'http://127.0.0.1:9093'}]",
      [](const Request& hostile, const Request& /*plain*/, const Values& values) {
        const auto body = json_of(hostile.body);
        CHECK(text_at(body, "/0/labels/team") == cleaned(values.team));
        CHECK(text_at(body, "/0/annotations/description") == cleaned(values.description));
      });
  add("email_configs: [{to: o@example.org, from: v@example.org, smarthost: 'localhost:25'}]", check_mail);
  return out;
}

/// Of vigil's own configuration. What is told there is well-formed already: agents send UTF-8, and texts make
/// it.
std::vector<HostileCase> own_cases() {
  const test::TempFile token("token", "xoxb-1\n");
  REQUIRE(::chmod(token.path().c_str(), 0600) == 0);
  std::vector<HostileCase> out;
  const auto add = [&out](const std::string& keys, auto check) {
    notify::NotificationsConfig config;
    REQUIRE(config::load_text("receivers: [{name: ops, " + keys + "}]", "vigil.yml", config));
    auto endpoint = notify::make_endpoint(config.receivers.at(0));
    REQUIRE(endpoint);
    out.push_back({keys, std::move(*endpoint), check});
  };
  add("slack: {webhook_url: 'https://a.example'}", check_slack);
  add(fmt::format("slack: {{bot_token_file: '{}', channel: '#ops'}}", token.path()), check_slack);
  add("webhook: {url: 'http://127.0.0.1/'}",
      [](const Request& hostile, const Request& /*plain*/, const Values& values) {
        const auto body = json_of(hostile.body);
        CHECK(text_at(body, "/alerts/0/labels/team") == values.team);
        CHECK(text_at(body, "/alerts/0/annotations/summary") == values.summary);
        CHECK(text_at(body, "/alert") == values.alert);
      });
  add("email: {smtp: 'localhost:25', from: v@example.org, to: [o@example.org]}", check_mail);
  return out;
}

/// What holds for all kinds.
void check_whole(const Request& hostile, const Request& plain) {
  CHECK(hostile.protocol == plain.protocol);
  CHECK(hostile.is_get == plain.is_get);
  if (!hostile.is_get) CHECK(hostile.url == plain.url);
  CHECK(hostile.url.find_first_of(std::string_view(" \r\n\0<>\"", 7)) == std::string::npos);
  CHECK(names_of(hostile.headers, ':') == names_of(plain.headers, ':'));
  for (const std::string& header : hostile.headers)
    CHECK(header.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  CHECK(is_characters(hostile.body));
  if (hostile.body.starts_with('{') || hostile.body.starts_with('['))
    CHECK(test::shape_of(json_of(hostile.body)) == test::shape_of(json_of(plain.body)));
}

/// `in_groups`: as alertmanager.yml has it; otherwise by itself.
Request render(const HostileCase& kind, const Values& values, Company how, bool in_groups) {
  auto shipment = shipment_of(alerts_of(values, how));
  if (!in_groups) {
    shipment.rows[0].note = shipment.rows[0].group->alerts[0];
    shipment.rows[0].group.reset();
  }
  return kind.endpoint.render(shipment, test::kNow);
}

void run(const HostileCase& kind, const Values& values, Company how, bool in_groups) {
  static std::map<std::string, Request> harmless_requests;
  const std::string name = fmt::format("{} {}", kind.name, static_cast<int>(how));
  INFO(name);
  if (!harmless_requests.contains(name)) harmless_requests[name] = render(kind, harmless(), how, in_groups);
  const Request& plain = harmless_requests.at(name);
  const Request hostile = render(kind, values, how, in_groups);
  check_whole(hostile, plain);
  kind.check(hostile, plain, values);
}

Values well_formed_all(Values values) {
  for (std::string* text :
       {&values.alert, &values.severity, &values.instance, &values.team, &values.summary, &values.description,
        &values.value, &values.runbook, &values.reason, &values.evidence})
    *text = cleaned(*text);
  return values;
}

/// The values, with every kind of receiver.
void run_all(const Values& values) {
  static const std::vector<HostileCase> groups = group_cases();
  static const std::vector<HostileCase> own = own_cases();
  for (const HostileCase& kind : groups) {
    for (const Company how : {Company::alone, Company::with_another, Company::occasion})
      run(kind, values, how, true);
  }
  for (const HostileCase& kind : own) {
    for (const Company how : {Company::alone, Company::occasion})
      run(kind, well_formed_all(values), how, false);
  }
}

}  // namespace

TEST_CASE("each hostile text by itself stays a text with every kind of receiver") {
  for (const std::string& fragment : fragments()) {
    INFO(fragment);
    run_all(same_everywhere(fragment));
  }
}

TEST_CASE("hostile texts at random stay texts with every kind of receiver") {
  constexpr unsigned kSeeds = 40;
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    run_all(random_values(random));
  }
}

TEST_CASE("hostile texts that are long are cut, and what is left is inert") {
  static const std::vector<HostileCase> groups = group_cases();
  for (const char* fragment :
       {"<!channel>", "&amp;", "</td>", "**b**[x](https://e)", "\xC3\xBC", "\xFF", "\r\n", "`"}) {
    std::string text;
    while (text.size() < 5'000) text += fragment;
    const Values values = same_everywhere(text);
    for (const HostileCase& kind : groups) {
      INFO(fragment << " " << kind.name);
      const Request request =
          kind.endpoint.render(shipment_of(alerts_of(values, Company::with_another)), test::kNow);
      CHECK(is_characters(request.body));
      for (const std::string& header : request.headers)
        CHECK(header.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
      if (request.body.starts_with('{')) {
        const auto body = json_of(request.body);
        if (kind.endpoint.kind == "slack") static_cast<void>(seen_in_slack(body));
      }
    }
  }
}

TEST_CASE("a link to a runbook ends where it ends, whatever a label made of it") {
  auto note = note_of("web-1");
  note.annotations.set("runbook_url", "https://wiki.example/a)[click](https://evil.example");
  for (const char* channel : {"discord_configs: [{webhook_url: 'https://a.example'}]",
                              "msteams_configs: [{webhook_url: 'https://a.example'}]"}) {
    const auto body = json_of(test::request_of(channel, shipment_of({note})).body);
    const std::string text = text_at(body, has(channel, "discord") ? "/embeds/0/description" : "/text");
    INFO(text);
    CHECK(has(text, "([runbook](https://wiki.example/a%29[click]%28https://evil.example))"));
  }
}

TEST_CASE("hostile names of labels stay names") {
  for (const std::string& fragment : fragments()) {
    const std::string name = cleaned(fragment) + "x";
    INFO(name);
    Notification note = note_of("a");
    note.labels.set(name, "v");
    const auto body =
        json_of(test::request_of("webhook_configs: [{url: 'http://127.0.0.1/'}]", shipment_of({note})).body);
    CHECK(body.at("alerts").at(0).at("labels").as_object().size() == 5);
    CHECK(body.at("alerts").at(0).at("labels").as_object().at(name) == "v");
    static_cast<void>(seen_in_slack(json_of(
        test::request_of("slack_configs: [{api_url: 'https://a.example'}]", shipment_of({note})).body)));
  }
}

}  // namespace vigil::channels
