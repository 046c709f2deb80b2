// The notifier with its thread and libcurl against servers on loopback that behave and misbehave.
#include "aggregator/notify/notifier.h"

#include "tests/aggregator/notify/notes.h"
#include "tests/aggregator/notify/sinks.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>

#include <boost/json.hpp>

using namespace vigil;
using namespace vigil::notify;
using std::chrono::milliseconds;
using test::HttpSink;
using test::Inbox;
using test::note_of;
using test::row_of;
using test::SmtpSink;

namespace {

std::int64_t wall_ms() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

struct Bench {
  explicit Bench(const std::string& receivers, milliseconds timeout = milliseconds(5000)) {
    NotificationsConfig config;
    const auto loaded = config::load_text(fmt::format("receivers: [{}]", receivers), "vigil.yml", config);
    REQUIRE(loaded);
    config.timeout = timeout;
    auto created = Notifier::create(config, {}, [this](Delivery delivery) {
      if (delivery.noted) delivery.noted();
      told.put(std::move(delivery));
    });
    REQUIRE(created);
    notifier = std::move(*created);
    notifier->start();
  }
  ~Bench() { notifier->stop(); }

  void send(std::int64_t id, Notification note, const std::string& receiver = "ops") {
    Row row = row_of(id, std::move(note), wall_ms());
    row.receiver = receiver;
    notifier->enqueue({std::move(row)});
  }

  Inbox<Delivery> told;
  std::unique_ptr<Notifier> notifier;
};

std::string webhook(const HttpSink& sink, const std::string& more = "") {
  return fmt::format("{{name: ops, webhook: {{url: '{}'{}}}}}", sink.url(), more);
}

}  // namespace

TEST_CASE("A webhook gets JSON with a key, headers and a token, within milliseconds") {
  const test::TempFile token("token", "s3cret\n");
  REQUIRE(::chmod(token.path().c_str(), 0600) == 0);
  HttpSink sink({HttpSink::answer("200 OK")});
  Bench bench(webhook(sink, fmt::format(", headers: {{X-Team: web}}, token_file: '{}'", token.path())));
  bench.send(1, note_of("a"));
  CHECK(bench.told.wait_for(1).at(0).outcome == Outcome::delivered);
  const auto begun = std::chrono::steady_clock::now();
  bench.send(2, note_of("b"));
  const auto told = bench.told.wait_for(2);
  REQUIRE(told.size() == 2);
  CHECK(told[1].ids == std::vector<std::int64_t>{2});
  const auto requests = sink.wait_for(2);
  const double ms = std::chrono::duration<double, std::milli>(requests[1].at - begun).count();
  UNSCOPED_INFO("from enqueue to request: " << ms << " ms");
  CHECK(ms < 1000);  // measured below 1 ms; slow machines with sanitizers exist
  CHECK(requests[0].head.starts_with("POST /hook HTTP/1.1\n"));
  CHECK(requests[0].head.find("X-Team: web\n") != std::string::npos);
  CHECK(requests[0].head.find("Authorization: Bearer s3cret\n") != std::string::npos);
  CHECK(requests[0].head.find("Idempotency-Key: " + note_of("a").key + "\n") != std::string::npos);
  CHECK(requests[0].head.find("Content-Type: application/json\n") != std::string::npos);
  const auto body = boost::json::parse(requests[0].body);
  CHECK(body.at("version") == 1);
  CHECK(body.at("key") == boost::json::string(note_of("a").key));
  CHECK(body.at("alerts").at(0).at("instance") == "a");
}

TEST_CASE("Failures are tried again with the same key until they succeed, Retry-After is honoured") {
  HttpSink sink({"", HttpSink::answer("500 Oops"), HttpSink::answer("429 Too Many", "Retry-After: 1\r\n"),
                 HttpSink::answer("204 No Content", "", "")});
  Bench bench(webhook(sink));
  bench.send(7, note_of("a"));
  const auto requests = sink.wait_for(4);
  REQUIRE(requests.size() == 4);
  for (const auto& request : requests) CHECK(request.body == requests[0].body);
  const auto told = bench.told.wait_for(4);
  REQUIRE(told.size() == 4);
  CHECK(told[0].outcome == Outcome::postponed);
  CHECK(told[0].error == "Empty reply from server");  // the connection was closed
  CHECK(told[1].error == "HTTP 500: ok");
  CHECK(told[2].error == "HTTP 429: ok");
  CHECK(told[2].attempts == 3);
  CHECK(requests[3].at - requests[2].at >= milliseconds(950));
  CHECK(told[3].outcome == Outcome::delivered);
  const auto stats = bench.notifier->stats();
  CHECK(stats.at(0).delivered == 1);
  CHECK(stats.at(0).failures == 3);
  CHECK(stats.at(0).queued == 0);
}

TEST_CASE("A receiver that never answers costs its timeout, and only its own lane") {
  HttpSink hanging({"hang"});
  HttpSink fine({HttpSink::answer("200 OK")});
  Bench bench(fmt::format("{{name: ops, webhook: {{url: '{}'}}}}, {{name: other, webhook: {{url: '{}'}}}}",
                          hanging.url(), fine.url()),
              milliseconds(300));
  bench.send(1, note_of("a"));
  CHECK(hanging.wait_for(1).size() == 1);
  bench.send(2, note_of("a"), "other");
  CHECK(fine.wait_for(1).size() == 1);
  for (const Delivery& delivery : bench.told.wait_for(2)) {
    CHECK(delivery.outcome == (delivery.ids.at(0) == 2 ? Outcome::delivered : Outcome::postponed));
  }
}

TEST_CASE("A redirect is not followed, and a huge reply is not read") {
  HttpSink target({HttpSink::answer("200 OK")});
  HttpSink sink({HttpSink::answer("302 Found", "Location: " + target.url() + "\r\n"),
                 HttpSink::answer("200 OK", "", std::string(10 << 20, 'x'))});
  Bench bench(webhook(sink));
  bench.send(1, note_of("a"));
  const auto told = bench.told.wait_for(2);
  REQUIRE(told.size() == 2);
  CHECK(told[0].error == "HTTP 302: redirects are not followed");
  CHECK(told[1].outcome == Outcome::delivered);
  CHECK(sink.wait_for(2).size() == 2);
}

TEST_CASE("A message has arrived once its status has, whatever becomes of the answer's rest") {
  const std::string body = GENERATE("Content-Length: 100\r\n\r\ncut off",  // then it says nothing more
                                    "Transfer-Encoding: chunked\r\n\r\nno chunk",  // refused by libcurl
                                    "Transfer-Encoding: chunked\r\n\r\n5\r\nnever");
  HttpSink sink({"HTTP/1.1 202 Accepted\r\n" + body, HttpSink::answer("200 OK")});
  Bench bench(webhook(sink), milliseconds(300));
  bench.send(1, note_of("a"));
  const auto told = bench.told.wait_for(1);
  REQUIRE(told.size() == 1);
  CHECK(told[0].outcome == Outcome::delivered);
  CHECK(bench.notifier->stats().at(0).failures == 0);
}

TEST_CASE("An error that repeats the webhook's address or token is shown without them") {
  const test::TempFile token("token", "canary7f3a\n");
  REQUIRE(::chmod(token.path().c_str(), 0600) == 0);
  HttpSink sink(
      {HttpSink::answer("404 Not Found", "", "Cannot POST /hook; Authorization: Bearer canary7f3a")});
  Bench bench(webhook(sink, fmt::format(", token_file: '{}'", token.path())));
  bench.send(1, note_of("a"));
  const auto told = bench.told.wait_for(1);
  REQUIRE(told.size() == 1);
  CHECK(told[0].error == "HTTP 404: Cannot POST <secret>; Authorization: <secret>");
}

TEST_CASE("What an earlier run gave up is counted, and a receiver fails until it takes a message") {
  HttpSink sink({HttpSink::answer("200 OK")});
  Bench bench(webhook(sink));
  bench.notifier->recall({{"ops", 3, "HTTP 403"}, {"of yesterday", 2, "HTTP 404"}});
  const auto before = bench.notifier->stats();
  REQUIRE(before.size() == 2);
  CHECK(before[0].dead == 3);
  CHECK(before[0].last_error == "HTTP 403");
  CHECK(before[1].receiver == "of yesterday");
  CHECK(before[1].kind == "gone");
  CHECK(before[1].dead == 2);
  bench.send(1, note_of("a"));
  CHECK(bench.told.wait_for(1).at(0).outcome == Outcome::delivered);
  const auto after = bench.notifier->stats();
  CHECK(after[0].dead == 3);
  CHECK(after[0].last_error.empty());
  bench.notifier->recall({{"ops", 1, "HTTP 500"}});
  CHECK(bench.notifier->stats()[0].last_error.empty());  // it took one since
}

TEST_CASE("A group without alerts is given up, and what comes after it is sent") {
  HttpSink sink({HttpSink::answer("200 OK")});
  Bench bench(webhook(sink));
  Row empty = row_of(1, note_of("a"), wall_ms());
  empty.group = Group{"group", "ops", {}, {}, 0};
  bench.notifier->enqueue({empty, row_of(2, note_of("b"), wall_ms())});
  const auto told = bench.told.wait_for(2);
  REQUIRE(told.size() == 2);
  CHECK(told[0].ids == std::vector<std::int64_t>{1});
  CHECK(told[0].outcome == Outcome::dead);
  CHECK(told[0].error == "it names no alert");
  CHECK(told[1].ids == std::vector<std::int64_t>{2});
  CHECK(told[1].outcome == Outcome::delivered);
  CHECK(sink.wait_for(1).size() == 1);
  const ReceiverStats stats = bench.notifier->stats().at(0);
  CHECK(stats.dead == 1);
  CHECK(stats.failures == 0);  // nobody refused it
}

TEST_CASE("Nobody listening is a failure like any other") {
  std::string url;
  {
    const HttpSink gone({""});
    url = gone.url();
  }
  Bench bench(fmt::format("{{name: ops, webhook: {{url: '{}'}}}}", url));
  bench.send(1, note_of("a"));
  const auto told = bench.told.wait_for(1);
  REQUIRE(told.size() == 1);
  CHECK(told[0].outcome == Outcome::postponed);
  CHECK(told[0].error.find("Failed to connect") != std::string::npos);
}

TEST_CASE("Messages for a receiver that is not configured any more are dead, not stuck") {
  HttpSink sink({HttpSink::answer("200 OK")});
  Bench bench(webhook(sink));
  bench.send(5, note_of("a"), "of yesterday");
  const auto told = bench.told.wait_for(1);
  REQUIRE(told.size() == 1);
  CHECK(told[0].outcome == Outcome::dead);
  CHECK(told[0].ids == std::vector<std::int64_t>{5});
}

TEST_CASE("Receivers hear of what is severe enough, and of the end if they want to") {
  Bench bench(
      "{name: all, webhook: {url: 'http://127.0.0.1:1'}},"
      "{name: pager, webhook: {url: 'http://127.0.0.1:1'}, min_severity: critical, send_resolved: false}");
  using Names = std::vector<std::string>;
  Notification note = note_of("a");
  CHECK(bench.notifier->targets(note) == Names{"all", "pager"});
  CHECK(bench.notifier->targets(note_of("a", Kind::resolved)) == Names{"all"});
  note.severity = "warning";
  CHECK(bench.notifier->targets(note) == Names{"all"});
  note.severity = "";
  CHECK(bench.notifier->targets(note) == Names{"all"});
}

TEST_CASE("Slack gets its webhook's JSON") {
  HttpSink sink({HttpSink::answer("200 OK")});
  Bench bench(fmt::format("{{name: ops, slack: {{webhook_url: '{}', channel: '#ops'}}}}", sink.url()));
  bench.send(1, note_of("web-1"));
  const auto requests = sink.wait_for(1);
  REQUIRE(requests.size() == 1);
  const auto body = boost::json::parse(requests[0].body);
  CHECK(body.at("channel") == "#ops");
  CHECK(body.at("text").as_string().find("HighCpu on web-1") != boost::json::string::npos);
}

TEST_CASE("Mail goes to all recipients, and a bad one does not keep it from the others") {
  SmtpSink sink({"451 later", "250 ok"}, "nobody@");
  const test::TempFile password("password", "hunter2");
  REQUIRE(::chmod(password.path().c_str(), 0600) == 0);
  Bench bench(
      fmt::format("{{name: ops, email: {{smtp: '{}', from: 'Vigil <vigil@example.org>', to: [a@example.org, "
                  "nobody@example.org], "
                  "username: vigil, password_file: '{}', starttls: optional}}}}",
                  sink.address(), password.path()));
  Notification note = note_of("web-1");
  note.annotations.set("description", "a line\n.\nQUIT");
  bench.send(3, note);
  const auto mails = sink.wait_for(2);
  REQUIRE(mails.size() == 2);
  CHECK(mails[0].login == "AHZpZ2lsAGh1bnRlcjI=");
  CHECK(mails[1].from.starts_with("<vigil@example.org>"));
  CHECK(mails[1].to == std::vector<std::string>{"<a@example.org>"});
  CHECK(mails[1].data.find("Subject: [Critical] HighCpu on web-1: CPU of web-1 is 93% busy\n") !=
        std::string::npos);
  CHECK(mails[1].data.find("Message-ID: <" + note.key + "@example.org>\n") != std::string::npos);
  CHECK(mails[1].data.find("\nQUIT\n") != std::string::npos);  // as text, after the dot that ended nothing
  CHECK(mails[1].data.find("</html>") != std::string::npos);
  const auto told = bench.told.wait_for(2);
  CHECK(told.at(0).outcome == Outcome::postponed);
  CHECK(told.at(1).outcome == Outcome::delivered);
}

TEST_CASE("Mail that must be encrypted is not sent to a server that cannot") {
  SmtpSink sink;
  Bench bench(fmt::format("{{name: ops, email: {{smtp: '{}', from: a@b.c, to: [d@e.f]}}}}", sink.address()));
  bench.send(1, note_of("a"));
  const auto told = bench.told.wait_for(1);
  REQUIRE(told.size() == 1);
  CHECK(told[0].outcome == Outcome::postponed);
  CHECK(told[0].error.find("STARTTLS") != std::string::npos);
}

TEST_CASE("stop() does not wait for a mail server that hangs") {
  const std::string hang_at = GENERATE("STARTTLS", "QUIT", "MAIL FROM");
  CAPTURE(hang_at);
  SmtpSink sink({"250 ok"}, "", hang_at);
  const std::string starttls = hang_at == "STARTTLS" ? "required" : "none";
  Bench bench(fmt::format("{{name: ops, email: {{smtp: '{}', starttls: {}, from: a@b.c, to: [d@e.f]}}}}",
                          sink.address(), starttls),
              milliseconds(60'000));
  bench.send(1, note_of("a"));
  CHECK(sink.wait_for(1).size() == 1);  // it hangs, or has the mail and will hang at the goodbye
  const auto begun = std::chrono::steady_clock::now();
  bench.notifier->stop();
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(20));
}

TEST_CASE("stop() lets a message on the wire finish and keeps the rest for the next start") {
  HttpSink sink({HttpSink::answer("200 OK")});
  Bench bench(webhook(sink));
  bench.send(1, note_of("a"));
  sink.wait_for(1);
  bench.notifier->stop();
  CHECK(bench.told.wait_for(1).at(0).outcome == Outcome::delivered);
  bench.send(2, note_of("b"));
  CHECK(bench.told.wait_for(1).size() == 1);
}

TEST_CASE("endpoints for groups are replaced while messages wait: who keeps the name gets them") {
  HttpSink away({HttpSink::answer("503 Busy", "Retry-After: 1\r\n")});
  HttpSink sink({HttpSink::answer("200 OK"), HttpSink::answer("200 OK")});
  const auto endpoint = [](const std::string& name, const std::string& url) {
    Endpoint made;
    made.name = name;
    made.kind = "webhook";
    made.takes_groups = true;
    made.render = [url](const Shipment& /*shipment*/, std::int64_t /*now_ms*/) {
      Request request;
      request.url = url;
      return request;
    };
    return made;
  };
  Bench bench(webhook(sink));
  bench.notifier->replace_for_groups({endpoint("a/chat", away.url()), endpoint("b/chat", away.url())});
  CHECK(bench.notifier->targets(note_of("x")) == std::vector<std::string>{"ops"});
  bench.send(1, note_of("a"), "a/chat");
  CHECK(bench.told.wait_for(1).at(0).outcome == Outcome::postponed);
  bench.notifier->replace_for_groups({endpoint("a/chat", sink.url())});
  const auto told = bench.told.wait_for(2);
  REQUIRE(told.size() == 2);
  CHECK(told[1].outcome == Outcome::delivered);
  CHECK(told[1].ids == std::vector<std::int64_t>{1});
  bench.send(2, note_of("a"), "b/chat");
  CHECK(bench.told.wait_for(3).at(2).outcome == Outcome::dead);
  const auto stats = bench.notifier->stats();
  REQUIRE(stats.size() == 3);
  CHECK(stats[2].receiver == "b/chat");
  CHECK(stats[2].kind == "gone");
  CHECK(stats[2].dead == 1);
  CHECK(stats[1].receiver == "a/chat");
  CHECK(stats[1].delivered == 1);
  CHECK(stats[1].failures == 1);
}
