// A bot of Slack's: what is asked of its API, one request after the other, and what its answers mean.
#include "aggregator/notify/slack_bot.h"

#include "aggregator/notify/endpoint.h"
#include "aggregator/notify/message.h"
#include "aggregator/notify/notifier.h"
#include "tests/aggregator/notify/notes.h"
#include "tests/aggregator/notify/sinks.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>

using namespace vigil;
using namespace vigil::notify;
using test::HttpSink;
using test::Inbox;
using test::note_of;
using test::row_of;

namespace {

constexpr const char* kPosted = R"({"ok":true,"channel":"C1","ts":"1795269606.000100","message":{}})";
constexpr const char* kOk = R"({"ok":true})";

SlackBot bot() {
  SlackBot out;
  out.api = "https://slack.com/api";
  out.base.headers = {"Authorization: Bearer xoxb-1"};
  return out;
}

std::int64_t time_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Row group_row(std::vector<Notification> alerts) {
  Row row = row_of(1, note_of("group"));
  row.receiver = "ops/slack[0]";
  row.note.key = "group-7";
  row.note.kind = alerts.front().kind;
  row.group = Group{"{}:{}", "ops", {}, std::move(alerts)};
  return row;
}

/// The first request about a group.
Request first_of(const std::vector<Notification>& alerts, const std::optional<MessageThread>& thread,
                 const SlackBot& by = bot()) {
  const Group group{"{}:{}", "ops", {}, alerts};
  auto message = slack_list(group, alerts.front(), "");
  message["channel"] = "#ops";
  return slack_request(by, {{group_row(alerts)}, thread}, std::move(message), alerts);
}

boost::json::object body_of(const Request& request) {
  return boost::json::parse(request.body).as_object();
}

/// The request that follows an answer.
Request after(const Request& request, const char* answer) {
  Verdict verdict = request.judge({answer, 0});
  REQUIRE_FALSE(verdict.failure);
  REQUIRE(verdict.next);
  return std::move(*verdict.next);
}

/// Where an answer is the last one.
std::optional<ThreadChange> end_of(const Request& request, const char* answer) {
  const Verdict verdict = request.judge({answer, 0});
  REQUIRE_FALSE(verdict.failure);
  REQUIRE_FALSE(verdict.next);
  return verdict.thread;
}

Failure failure_of(const Request& request, const std::string& answer) {
  const Verdict verdict = request.judge({answer, 0});
  REQUIRE(verdict.failure);
  CHECK_FALSE(verdict.next);
  CHECK_FALSE(verdict.thread);
  return *verdict.failure;
}

bool is_post(const Request& request) {
  return request.url == "https://slack.com/api/chat.postMessage";
}
bool is_update(const Request& request) {
  return request.url == "https://slack.com/api/chat.update";
}

const MessageThread kThread{"C1", "1795269606.000100", {note_of("a").key, note_of("b").key}};

}  // namespace

TEST_CASE("Slack's bot: the first message of a group is remembered by where Slack put it") {
  const Request request = first_of({note_of("a"), note_of("b")}, {});
  REQUIRE(is_post(request));
  CHECK(std::count(request.headers.begin(), request.headers.end(), "Authorization: Bearer xoxb-1") == 1);
  CHECK(std::count(request.headers.begin(), request.headers.end(),
                   "Content-Type: application/json; charset=utf-8") == 1);
  const auto body = body_of(request);
  CHECK(body.at("channel") == "#ops");
  CHECK(body.at("text") == ":red_circle: *Critical: HighCpu: 2 alerts*");
  CHECK_FALSE(body.contains("thread_ts"));
  CHECK(
      body.at("metadata") ==
      boost::json::parse(
          R"({"event_type":"vigil_alert","event_payload":{"key":"group-7","fingerprint":"00000000000group"}})"));
  const auto thread = end_of(request, kPosted);
  CHECK(thread == ThreadChange{"ops/slack[0]", "00000000000group", kThread});
}

TEST_CASE("Slack's bot: a change updates the message, then is a reply that the channel sees") {
  auto a = note_of("a", Kind::resolved);
  auto c = note_of("c");
  c.severity = "warning";
  const Request update = first_of({note_of("b"), c, a}, kThread);
  REQUIRE(is_update(update));
  auto body = body_of(update);
  CHECK(body.at("channel") == "C1");
  CHECK(body.at("ts") == "1795269606.000100");
  CHECK(body.at("text") == ":red_circle: *Critical: HighCpu: 2 alerts and 1 over*");
  const Request reply = after(update, kOk);
  REQUIRE(is_post(reply));
  body = body_of(reply);
  CHECK(body.at("channel") == "C1");
  CHECK(body.at("thread_ts") == "1795269606.000100");
  CHECK(body.at("reply_broadcast") == true);
  CHECK(body.at("text") == ":large_yellow_circle: *1 more fires, 1 resolved*");
  const auto& blocks = body.at("attachments").at(0).at("blocks").as_array();
  REQUIRE(blocks.size() == 2);
  CHECK(boost::json::serialize(blocks[0]).find("`c`") != std::string::npos);
  CHECK(boost::json::serialize(blocks[1]).find("`a`") != std::string::npos);
  CHECK(body.contains("metadata"));
  const auto thread = end_of(reply, kPosted);
  REQUIRE(thread);
  REQUIRE(thread->now);
  CHECK(thread->now->message == "1795269606.000100");  // of the first one, not of the reply
  CHECK(thread->now->firing == std::vector<std::string>{note_of("b").key, c.key});
}

TEST_CASE("Slack's bot: an end is green, said in the thread alone, and forgotten") {
  const Request update = first_of({note_of("a", Kind::resolved), note_of("b", Kind::resolved)}, kThread);
  REQUIRE(is_update(update));
  CHECK(body_of(update).at("attachments").at(0).at("color") == "#2e7d32");
  const Request reply = after(update, kOk);
  const auto body = body_of(reply);
  CHECK(body.at("text") == ":large_green_circle: *Resolved: 2 alerts*");
  CHECK_FALSE(body.contains("reply_broadcast"));
  CHECK(end_of(reply, kPosted) == ThreadChange{"ops/slack[0]", "00000000000group", {}});
}

TEST_CASE("Slack's bot: an alert that ends and begins again within a message is new") {
  auto again = note_of("a");
  again.key += "-2";
  const Request reply = after(first_of({again, note_of("b")}, kThread), kOk);
  CHECK(body_of(reply).at("text") == ":red_circle: *Critical: HighCpu on a*");
}

TEST_CASE("Slack's bot: what is said again is a reminder that the channel sees") {
  const Request reply = after(first_of({note_of("a"), note_of("b")}, kThread), kOk);
  const auto body = body_of(reply);
  CHECK(body.at("text") == ":red_circle: *Critical: HighCpu: 2 alerts*");
  CHECK(body.at("reply_broadcast") == true);
  CHECK(end_of(reply, kPosted)->now == kThread);
}

TEST_CASE("Slack's bot: a message that cannot be changed any more gives way to a new one") {
  const std::string error = GENERATE("message_not_found", "cant_update_message", "edit_window_closed",
                                     "channel_not_found", "not_in_channel", "is_archived");
  const std::string answer = fmt::format(R"({{"ok":false,"error":"{}"}})", error);
  const Request update = first_of({note_of("a")}, kThread);
  const Request reply = after(update, kOk);
  for (const Request& again : {after(update, answer.c_str()), after(reply, answer.c_str())}) {
    REQUIRE(is_post(again));
    const auto body = body_of(again);
    CHECK(body.at("channel") == "#ops");
    CHECK_FALSE(body.contains("thread_ts"));
    const auto thread = end_of(again, R"({"ok":true,"channel":"C2","ts":"5.6"})");
    REQUIRE(thread);
    CHECK(thread->now == MessageThread{"C2", "5.6", {note_of("a").key}});
  }
  const Request end = after(first_of({note_of("a", Kind::resolved)}, kThread), answer.c_str());
  CHECK(end_of(end, kPosted) == ThreadChange{"ops/slack[0]", "00000000000group", {}});
}

TEST_CASE("Slack's bot: whoever is told no end has messages that stand by themselves, and so have digests") {
  SlackBot plain = bot();
  plain.has_threads = false;
  CHECK_FALSE(end_of(first_of({note_of("a")}, {}, plain), kPosted));
  CHECK(is_post(first_of({note_of("a")}, kThread, plain)));
  const Shipment digest{{row_of(1, note_of("a")), row_of(2, note_of("b"))}};
  const Request request = slack_request(bot(), digest, slack_body(digest), {note_of("a"), note_of("b")});
  REQUIRE(is_post(request));
  CHECK_FALSE(end_of(request, kPosted));
}

TEST_CASE("Slack's bot: an end of what nobody was told to fire leaves nothing behind") {
  const Request request = first_of({note_of("a", Kind::resolved)}, {});
  REQUIRE(is_post(request));
  CHECK_FALSE(end_of(request, kPosted));
}

TEST_CASE("Slack's bot: an answer that is not ok says whose fault it is, and never the token") {
  struct Case {
    const char* answer;
    FailureKind kind;
    const char* error;
  };
  const auto c = GENERATE(values<Case>({
      {R"({"ok":false,"error":"invalid_auth"})", FailureKind::away,
       "Slack says invalid_auth: the token is not valid"},
      {R"({"ok":false,"error":"token_revoked"})", FailureKind::away,
       "Slack says token_revoked: the token was revoked"},
      {R"({"ok":false,"error":"missing_scope","needed":"chat:write"})", FailureKind::away,
       "Slack says missing_scope: the bot needs the scope chat:write (needed: chat:write)"},
      {R"({"ok":false,"error":"ratelimited"})", FailureKind::away, "Slack says ratelimited"},
      {R"({"ok":false,"error":"fatal_error"})", FailureKind::away, "Slack says fatal_error"},
      {R"({"ok":false,"error":"internal_error"})", FailureKind::away, "Slack says internal_error"},
      {R"({"ok":false,"error":"channel_not_found"})", FailureKind::refused,
       "Slack says channel_not_found: there is no such channel, or the bot is not in it"},
      {R"({"ok":false,"error":"not_in_channel"})", FailureKind::refused,
       "Slack says not_in_channel: invite the bot to the channel"},
      {R"({"ok":false,"error":"msg_too_long"})", FailureKind::refused, "Slack says msg_too_long"},
      {R"({"ok":false,"error":"what\u001b[2Jever"})", FailureKind::refused, "Slack says what?[2Jever"},
      {R"({"ok":"true"})", FailureKind::refused, "Slack says "},
      {"<html>Sign in to the hotel</html>", FailureKind::away,
       "Slack's answer is no JSON: <html>Sign in to the hotel</html>"},
      {"", FailureKind::away, "Slack's answer is no JSON: "},
  }));
  const Failure failure = failure_of(first_of({note_of("a")}, {}), c.answer);
  CHECK(failure.kind == c.kind);
  CHECK(failure.error == c.error);
  const Verdict limited = first_of({note_of("a")}, {}).judge({c.answer, 30'000});
  REQUIRE(limited.failure);
  CHECK(limited.failure->retry_after_ms == 30'000);
  CHECK(limited.failure->error.find("xoxb") == std::string::npos);
}

TEST_CASE("Slack's bot: an answer that does not say where the message stands is no thread") {
  CHECK_FALSE(end_of(first_of({note_of("a")}, {}), kOk));
}

TEST_CASE("Slack's API is known by the address of its method") {
  CHECK(slack_api_of("https://slack.com/api/chat.postMessage") == "https://slack.com/api");
  CHECK(slack_api_of("http://127.0.0.1:8080/chat.postMessage") == "http://127.0.0.1:8080");
  CHECK_FALSE(slack_api_of("https://hooks.slack.com/services/T/B/x"));
  CHECK_FALSE(slack_api_of("https://slack.com/api/chat.postMessage?x"));
}

TEST_CASE("A thread survives being stored") {
  CHECK(*decode_thread(encode(kThread)) == kThread);
  const std::string text = encode(kThread);
  for (std::size_t i = 0; i < text.size(); ++i) CHECK_FALSE(decode_thread(text.substr(0, i)));
  CHECK_FALSE(decode_thread("{}"));
}

TEST_CASE("A receiver with a bot's token has one thread for an alert, over failures of Slack") {
  const test::TempFile token("token", "xoxb-secret\n");
  REQUIRE(::chmod(token.path().c_str(), 0600) == 0);
  const auto json = [](const char* body) { return HttpSink::answer("200 OK", "", body); };
  HttpSink slack(
      {HttpSink::answer("429 Too Many", "Retry-After: 1\r\n", R"({"ok":false,"error":"ratelimited"})"),
       json(kPosted), json(kOk), json(R"({"ok":false,"error":"internal_error"})"), json(kOk), json(kPosted)});
  NotificationsConfig config;
  const std::string base = slack.url();
  REQUIRE(config::load_text(
      fmt::format(
          "receivers: [{{name: ops, slack: {{bot_token_file: '{}', channel: '#ops', api_url: '{}'}}}}]",
          token.path(), base),
      "vigil.yml", config));
  Inbox<Delivery> told;
  auto made = Notifier::create(config, {}, [&told](Delivery delivery) {
    if (delivery.noted) delivery.noted();
    told.put(std::move(delivery));
  });
  REQUIRE(made);
  Notifier& notifier = **made;
  notifier.start();
  const auto send = [&](std::int64_t id, Notification note) {
    notifier.enqueue({row_of(id, std::move(note), time_now_ms())});
  };
  send(1, note_of("web-1"));
  const auto first = told.wait_for(2);
  REQUIRE(first.size() == 2);
  CHECK(first[0].error.find("HTTP 429") != std::string::npos);
  CHECK(first[1].outcome == Outcome::delivered);
  REQUIRE(first[1].thread);
  CHECK(first[1].thread->now == MessageThread{"C1", "1795269606.000100", {note_of("web-1").key}});

  send(2, note_of("web-1", Kind::resolved));
  const auto requests = slack.wait_for(6);
  REQUIRE(requests.size() == 6);
  const auto path = [&](std::size_t i) { return requests[i].head.substr(0, requests[i].head.find(" HTTP")); };
  CHECK(path(0) == "POST /hook/chat.postMessage");
  CHECK(path(2) == "POST /hook/chat.update");
  CHECK(path(3) == "POST /hook/chat.postMessage");  // failed: all of it is tried again
  CHECK(path(4) == "POST /hook/chat.update");
  CHECK(path(5) == "POST /hook/chat.postMessage");
  CHECK(requests[0].head.find("Authorization: Bearer xoxb-secret\n") != std::string::npos);
  CHECK(boost::json::parse(requests[5].body).at("thread_ts") == "1795269606.000100");
  const auto all = told.wait_for(4);
  REQUIRE(all.size() == 4);
  CHECK(all[2].error == "Slack says internal_error");
  CHECK_FALSE(all[2].thread);
  CHECK(all[3].outcome == Outcome::delivered);
  CHECK(all[3].thread == ThreadChange{"ops", note_of("web-1").fingerprint, {}});
  for (const ReceiverStats& stats : notifier.stats())
    CHECK(stats.last_error.find("secret") == std::string::npos);
  notifier.stop();
}

TEST_CASE("A thread of an earlier run is gone on from") {
  const test::TempFile token("token", "xoxb-secret\n");
  REQUIRE(::chmod(token.path().c_str(), 0600) == 0);
  HttpSink slack({HttpSink::answer("200 OK", "", kPosted)});
  NotificationsConfig config;
  REQUIRE(config::load_text(
      fmt::format(
          "receivers: [{{name: ops, slack: {{bot_token_file: '{}', channel: '#ops', api_url: '{}/'}}}}]",
          token.path(), slack.url()),
      "vigil.yml", config));
  Inbox<Delivery> told;
  auto made = Notifier::create(config, {}, [&told](Delivery delivery) {
    if (delivery.noted) delivery.noted();
    told.put(std::move(delivery));
  });
  REQUIRE(made);
  (*made)->start();
  const std::string& fingerprint = note_of("web-1").fingerprint;
  (*made)->remember({{"ops", fingerprint, MessageThread{"C9", "9.9", {note_of("web-1").key}}},
                     {"gone", fingerprint, MessageThread{"C8", "8.8", {}}}});
  (*made)->enqueue({row_of(2, note_of("web-1", Kind::resolved), time_now_ms())});
  const auto requests = slack.wait_for(2);
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].head.starts_with("POST /hook/chat.update"));
  CHECK(boost::json::parse(requests[0].body).at("ts") == "9.9");
  CHECK(boost::json::parse(requests[1].body).at("thread_ts") == "9.9");
  const auto delivered = told.wait_for(1);
  REQUIRE(delivered.size() == 1);
  CHECK_FALSE(delivered[0].thread->now);
  (*made)->stop();
}
