// Every kind of receiver in every state: what its reader is told, without words that stand twice.
#include "aggregator/notify/channel_trial.h"
#include "tests/aggregator/channels/mail.h"
#include "tests/aggregator/channels/messages.h"
#include "tests/aggregator/channels/read_back.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace vigil::channels {
namespace {

using notify::Kind;
using notify::Notification;
using notify::Request;
using test::has;
using test::note_of;
using test::shipment_of;
using test::text_at;

constexpr const char* kSms =
    "sms_configs: [{url: 'https://a.example/', to: ['+491'], content_type: application/json}]";
constexpr const char* kReceivers[] = {
    "slack_configs: [{api_url: 'https://a.example'}]",
    R"(slack_configs: [{api_url: 'https://a.example', title: '{{ template "slack.default.title" . }}'}])",
    "email_configs: [{to: o@example.org, from: v@example.org, smarthost: 'localhost:25'}]",
    "pagerduty_configs: [{routing_key: k}]",
    "discord_configs: [{webhook_url: 'https://a.example'}]",
    "telegram_configs: [{bot_token: '1:x', chat_id: 1}]",
    "telegram_configs: [{bot_token: '1:x', chat_id: 1, parse_mode: MarkdownV2}]",
    "msteams_configs: [{webhook_url: 'https://a.example'}]",
    "msteamsv2_configs: [{webhook_url: 'https://a.example'}]",
    "ntfy_configs: [{topic: ops}]",
    kSms,
};

/// All texts of a JSON value, a line each.
void add_texts(const boost::json::value& value, std::string& out) {
  if (const auto* object = value.if_object()) {
    for (const auto& [key, member] : *object) add_texts(member, out);
  } else if (const auto* array = value.if_array()) {
    for (const auto& item : *array) add_texts(item, out);
  } else if (value.is_string()) {
    out += std::string(value.get_string()) + '\n';
  }
}

/// What a person sees of it, whatever the markup; Markdown's escapes are gone.
std::string seen(const Request& request) {
  if (request.protocol == notify::Protocol::smtp) {
    const test::Mail mail = test::read_mail(request.body);
    return mail.headers.at("Subject") + '\n' + mail.parts.at("text/plain") + '\n' +
           test::read_html(mail.parts.at("text/html")).visible;
  }
  std::string texts;
  add_texts(boost::json::parse(request.body), texts);
  std::erase(texts, '\\');
  return test::without_entities(texts);
}

/// Two of a kind in a row: "(no data) (no data)", "is is". Not across lines.
std::string doubled(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    // Words, and what stands in brackets as one of them.
    std::vector<std::string> words;
    bool is_inside = false;
    for (const char c : line) {
      if (c == ' ' && !is_inside) {
        words.emplace_back();
        continue;
      }
      if (words.empty()) words.emplace_back();
      words.back() += c;
      if (c == '(' || c == ')') is_inside = c == '(';
    }
    for (std::size_t i = 1; i < words.size(); ++i) {
      const bool is_word = words[i].size() > 1 && words[i].find_first_of("0123456789=") == std::string::npos;
      if (is_word && words[i] == words[i - 1]) return words[i - 1] + ' ' + words[i];
    }
  }
  return "";
}

struct State {
  const char* name;
  std::vector<Notification> alerts;
  std::vector<std::string> said;      // by every receiver
  std::vector<std::string> not_said;  // by any
};

Notification maintenance(Kind kind, const std::string& occasion, const std::string& title,
                         const std::string& summary) {
  Notification note = note_of("db-1", kind);
  note.alert = "Maintenance";
  note.severity = "info";
  note.labels = Labels{{"alertname", "Maintenance"}, {"maintenance", "6f0c0a83"}, {"severity", "info"}};
  note.annotations = Labels{{"summary", summary}, {"value", "2026-11-21 14:00 UTC to 2026-11-21 16:00 UTC"}};
  note.occasion = occasion;
  note.title = title;
  note.evidence.clear();
  note.link.clear();
  return note;
}

Notification with_summary(Notification note, const std::string& summary) {
  note.annotations.set("summary", summary);
  return note;
}

/// Of several that are alike but for a label.
Notification at(const std::string& mountpoint, const std::string& summary, Kind kind = Kind::firing) {
  Notification note = with_summary(note_of("web-1", kind), summary);
  note.labels.set("mountpoint", mountpoint);
  note.fingerprint += mountpoint;
  return note;
}
Notification over_at(const std::string& mountpoint) {
  return at(mountpoint, "CPU of web-1 is 93% busy", Kind::resolved);
}

/// A rule with this annotation alone.
Notification with_words(const std::string& annotation) {
  Notification note = at("/", "");
  note.annotations = Labels{{annotation, "/ of web-1 is full"}};
  return note;
}

std::vector<State> states() {
  notify::Endpoint endpoint;
  endpoint.name = "ops/x[0]";
  endpoint.takes_groups = true;
  const auto trial = [&endpoint](Kind kind) {
    return std::vector{notify::test_row(endpoint, kind, test::kNow).note};
  };
  const Notification fires = note_of("web-1");
  const Notification over = note_of("web-1", Kind::resolved);
  Notification gone = over;
  gone.reason = "its rule was removed";
  Notification gone_too = note_of("web-2", Kind::resolved);
  gone_too.reason = gone.reason;
  const std::string upgrade = "Database upgrade on db-1";
  return {
      {"firing", {fires}, {"HighCpu on web-1", "CPU of web-1 is 93% busy"}, {"Over after", "RESOLVED"}},
      {"again",
       {with_summary(fires, "Nobody acknowledged it for 15m. CPU of web-1 is 93% busy")},
       {"Nobody acknowledged it for 15m. CPU of web-1"},
       {"Over after"}},
      {"over",
       {over},
       {"HighCpu on web-1", "Over after 12m 5s. It was: CPU of web-1 is 93% busy", "93.1%"},
       {"Top processes by CPU:"}},
      {"over for a reason", {gone}, {"Over after 12m 5s", "its rule was removed"}, {}},
      {"two are over for a reason", {gone, gone_too}, {"its rule was removed"}, {}},
      {"one of three fires",
       {fires, over_at("/var"), over_at("/srv")},
       {"1 alert and 2 over", "It was: CPU of web-1 is 93% busy (mountpoint=/var)"},
       {"3 alerts"}},
      {"three of one text",
       {at("/", "DiskFull"), at("/var", "DiskFull"), at("/srv", "DiskFull")},
       {"DiskFull (mountpoint=/)", "DiskFull (mountpoint=/var)", "DiskFull (mountpoint=/srv)", "3 alerts"},
       {}},
      {"a description and no summary", {with_words("description")}, {"/ of web-1 is full"}, {}},
      {"a message and no summary", {with_words("message")}, {"/ of web-1 is full"}, {}},
      {"no words", {with_words("dashboard")}, {"HighCpu, mountpoint=/, team=web"}, {}},
      {"no data", {with_summary(fires, "CPU of web-1 is NaN% busy (no data)")}, {"(no data)"}, {}},
      {"flapping",
       {with_summary(fires, "CPU of web-1 is 93% busy (flapping: began and ended 6 times within 1h)")},
       {"(flapping: began"},
       {}},
      {"one of two is over", {fires, note_of("web-2", Kind::resolved)}, {"CPU of web-1 is 93% busy"}, {}},
      {"both are over",
       {over, note_of("web-2", Kind::resolved)},
       {"Over after 12m 5s. It was: CPU of web-1", "Over after 12m 5s. It was: CPU of web-2"},
       {"FIRING"}},
      {"a maintenance is announced",
       {maintenance(
           Kind::firing, "Maintenance announced", upgrade + " from 2026-11-21 14:00 UTC",
           "Database upgrade begins in 1h, at 2026-11-21 14:00 UTC\nFor instance=\"db-1\", by ada: CHG-1")},
       {"Maintenance announced", upgrade + " from", "begins in 1h"},
       {"the fleet", "Maintenance on", "Value ", "Info", "FIRING"}},
      {"a maintenance begins",
       {maintenance(Kind::firing, "Maintenance begins", upgrade + " until 2026-11-21 16:00 UTC",
                    "Database upgrade has begun, until 2026-11-21 16:00 UTC")},
       {"Maintenance begins", upgrade + " until 2026-11-21 16:00 UTC"},
       {"the fleet", "Maintenance on", "Info", "FIRING"}},
      {"a maintenance ends",
       {maintenance(Kind::resolved, "Maintenance ends", upgrade, "Database upgrade is over\nNothing fired.")},
       {"Maintenance ends", upgrade, "Database upgrade is over", "Nothing fired."},
       {"over Nothing fired", "the fleet", "Maintenance on", "Over after", "It was:", "Last value",
        "last value", "RESOLVED", "Lasted"}},
      {"a test", trial(Kind::firing), {"VigilTest", "This is a test of the receiver ops"}, {"the fleet"}},
      {"a test's end",
       trial(Kind::resolved),
       {"VigilTest", "This is a test of the receiver ops"},
       {"the fleet"}},
  };
}

}  // namespace

TEST_CASE("every kind of receiver tells every state in words that fit it") {
  std::ofstream kept;  // to be looked at
  if (const char* path = std::getenv("VIGIL_SHOW_STATES")) kept.open(path);
  for (const State& state : states()) {
    for (const char* receiver : kReceivers) {
      const std::string text = seen(test::request_of(receiver, shipment_of(state.alerts)));
      if (kept) kept << "=== " << state.name << " | " << receiver << '\n' << text << '\n';
      INFO(state.name << " | " << receiver << '\n' << text);
      for (const std::string& said : state.said) CHECK(has(text, said));
      for (const std::string& not_said : state.not_said) CHECK_FALSE(has(text, not_said));
      CHECK(doubled(text).empty());
    }
  }
}

TEST_CASE("a description that stands for a summary stands in a message once") {
  for (const char* receiver : kReceivers) {
    const std::string text = seen(test::request_of(receiver, shipment_of({with_words("description")})));
    INFO(receiver << '\n' << text);
    const bool is_mail = has(receiver, "email");  // in text, and in HTML
    std::size_t times = 0;
    for (std::size_t at = 0; (at = text.find("is full", at)) != std::string::npos; ++at) ++times;
    const bool has_details = has(receiver, "pagerduty");  // beside its summary
    CHECK(times == (is_mail || has_details ? 2 : 1));
  }
}

TEST_CASE("evidence is in the messages, and of several alerts no more than fits") {
  constexpr const char* kRows[] = {"postgres (pid 4711, db)", "nginx (pid 12)"};
  for (const char* receiver : kReceivers) {
    INFO(receiver);
    if (has(receiver, "sms_configs")) continue;  // which has no room for it
    const std::string one = seen(test::request_of(receiver, shipment_of({note_of("web-1")})));
    INFO(one);
    CHECK(has(one, "Top processes by CPU"));
    for (const char* row : kRows) CHECK(has(one, row));
    CHECK(has(one, "71% of a core"));
  }
  std::vector<Notification> many;
  for (int i = 0; i < 19; ++i) many.push_back(note_of(fmt::format("web-{}", i)));
  const auto message = [&many](const char* receiver) {
    return seen(test::request_of(receiver, shipment_of(many)));
  };
  CHECK_FALSE(has(message("ntfy_configs: [{topic: ops}]"), "postgres"));
  CHECK_FALSE(has(message("telegram_configs: [{bot_token: '1:x', chat_id: 1}]"), "postgres"));
  CHECK(has(message("email_configs: [{to: o@example.org, from: v@example.org, smarthost: 'localhost:25'}]"),
            "postgres"));
}

TEST_CASE("one line says that it is over, for how long it was so, and the last value") {
  const auto over = shipment_of({note_of("web-1", Kind::resolved)});
  CHECK(text_at(test::body_of(test::request_of(kSms, over)), "/text") ==
        "[RESOLVED] HighCpu on web-1\nOver after 12m 5s. It was: CPU of web-1 is 93% busy, last value 93.1%");
  CHECK(text_at(test::body_of(test::request_of("pagerduty_configs: [{routing_key: k}]", over)),
                "/payload/summary") ==
        "Resolved: HighCpu on web-1: Over after 12m 5s. It was: CPU of web-1 is 93% busy, last value 93.1%");
}

}  // namespace vigil::channels
