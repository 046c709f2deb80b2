#include "aggregator/notify/message.h"

#include "aggregator/notify/endpoint.h"
#include "aggregator/notify/mime.h"
#include "aggregator/notify/text.h"
#include "tests/aggregator/notify/notes.h"
#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cmath>
#include <limits>

using namespace vigil;
using namespace vigil::notify;
using test::note_of;
using test::row_of;

namespace {

Shipment single(Notification note) {
  return {{row_of(1, std::move(note))}};
}

Shipment digest() {
  Shipment shipment;
  for (int i = 0; i < 25; ++i) shipment.rows.push_back(row_of(i + 1, note_of(fmt::format("host-{}", i))));
  return shipment;
}

Notification hostile() {
  Notification note = note_of("web\r\nBcc: all@example.org");
  note.fingerprint = "00000000deadbeef";
  note.key = note.fingerprint + "-1795269605000-firing";
  note.link = "https://vigil.example/alerts/" + note.fingerprint;
  note.labels.set("team", "<!channel> & <https://evil|click> `x` \"q\" 'a'\x01");
  note.annotations.set("summary", "disk <b>full</b>\r\n.\r\nQUIT\r\n @channel <script>alert(1)</script>");
  note.annotations.set("value", "Zürich ☃");
  note.evidence[0].rows[0].name = "<img src=x onerror=alert(1)>`";
  return note;
}

/// Compares with a file of tests/fixtures/messages; VIGIL_UPDATE_GOLDEN=1 writes it instead.
void check_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(VIGIL_SOURCE_DIR) + "/tests/fixtures/messages/" + name;
  if (std::getenv("VIGIL_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  const auto golden = config::read_file(path);
  REQUIRE(golden);
  CHECK(text == *golden);
}

const EmailConfig kEmail = [] {
  EmailConfig config;
  config.smtp = "127.0.0.1:25";
  config.from = "Vigil <vigil@example.org>";
  config.to = {"ops@example.org", "Jürgen Groß <jg@example.org>"};
  return config;
}();
constexpr std::int64_t kNow = 1'795'269'606'000;

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find("\r\n"), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 2, text.size()));
  }
  return lines;
}

}  // namespace

TEST_CASE("what is cut of Slack's markup leaves no half of a link, a date or an entity") {
  CHECK(cut_slack("see <https://a|b>", 17) == "see <https://a|b>");
  CHECK(cut_slack("see <https://a|b> and more", 16) == "see …");
  CHECK(cut_slack("see <https://a|b> and more", 22) == "see <https://a|b> a…");
  CHECK(cut_slack("a &lt; b and more", 8) == "a …");
  CHECK(cut_slack("a &lt; b and more", 10) == "a &lt; …");
  const std::string long_text = "a < b, " + std::string(3'000, 'x');  // no link at all
  CHECK(cut_slack(long_text, 2'500) == long_text.substr(0, 2'497) + "…");
}

TEST_CASE("A notification survives the outbox") {
  for (double value : {93.125, 0.1, -1e300, std::numeric_limits<double>::infinity()}) {
    Notification note = hostile();
    note.value = value;
    note.reason = "its series is gone";
    const auto back = decode_notification(encode(note));
    REQUIRE(back);
    CHECK(*back == note);
  }
  Notification note = note_of("a");
  note.value = std::nan("");
  CHECK(std::isnan(decode_notification(encode(note))->value));
  const std::string text = encode(note_of("a"));
  for (std::size_t i = 0; i < text.size(); ++i) CHECK_FALSE(decode_notification(text.substr(0, i)));
  CHECK_FALSE(decode_notification("[]"));
  CHECK_FALSE(decode_notification("{}"));
}

TEST_CASE("Messages look as they did") {
  check_golden("slack_firing.json", render_slack(single(note_of("web-1")), {}));
  check_golden("slack_resolved.json",
               render_slack(single(note_of("web-1", Kind::resolved)), {"", "", "#ops"}));
  check_golden("slack_digest.json", render_slack(digest(), {}));
  check_golden("webhook_firing.json", render_webhook(single(note_of("web-1")), "ops"));
  check_golden("webhook_resolved.json", render_webhook(single(note_of("web-1", Kind::resolved)), "ops"));
  check_golden("email_firing.eml", render_email(single(note_of("web-1")), kEmail, kNow));
  check_golden("email_resolved.eml", render_email(single(note_of("web-1", Kind::resolved)), kEmail, kNow));
  check_golden("email_digest.eml", render_email(digest(), kEmail, kNow));
  check_golden("email_firing.html", render_email_html(single(note_of("web-1"))));
}

TEST_CASE("A runbook is a link in each message, unless it is none") {
  Notification note = note_of("web-1");
  note.annotations.set("runbook_url", "https://wiki.example.org/cpu?a=1&b=2");
  CHECK(render_slack(single(note), {}).find("<https://wiki.example.org/cpu?a=1&amp;b=2|Runbook>") !=
        std::string::npos);
  CHECK(
      render_email_html(single(note)).find("<a href=\"https://wiki.example.org/cpu?a=1&amp;b=2\">Runbook") !=
      std::string::npos);
  CHECK(render_email(single(note), kEmail, kNow).find("Runbook: https://wiki.example.org/cpu?a=3D1&b=3D2") !=
        std::string::npos);
  for (const char* trap : {"javascript:alert(1)", "https://a|b", "https://a b", "see the wiki"}) {
    note.annotations.set("runbook_url", trap);
    CHECK(render_slack(single(note), {}).find("Runbook") == std::string::npos);
    CHECK(render_email_html(single(note)).find("Runbook") == std::string::npos);
  }
}

TEST_CASE("Nothing in a label can mention a channel, link or format its way out of a Slack message") {
  const std::string text = render_slack(single(hostile()), {});
  const auto parsed = boost::json::parse(text);
  CHECK(text.find("<!channel") == std::string::npos);
  CHECK(text.find("<https://evil") == std::string::npos);
  CHECK(text.find("<script") == std::string::npos);
  CHECK(text.find("&lt;!channel&gt; &amp; ") != std::string::npos);
  // The only links are ours.
  std::size_t links = 0;
  for (std::size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at + 1)) {
    ++links;
    const std::string_view rest = std::string_view(text).substr(at);
    CHECK((rest.starts_with("<!date^1795269485^") || rest.starts_with("<https://vigil.example/")));
  }
  CHECK(links == 2);
  CHECK(parsed.at("attachments").at(0).at("color") == "#d32f2f");
}

TEST_CASE("Nothing in a label ends the code span it stands in in a Slack message") {
  Notification note = hostile();
  note.labels.set("team", "web\n*bold*\r\n\t`db`");
  const std::string text = render_slack(single(note), {});
  CHECK(text.find("team=`web *bold*   'db'`") != std::string::npos);
  CHECK(text.find("`web  Bcc: all@example.org`") != std::string::npos);
  Shipment two = single(note);
  two.rows.push_back(two.rows.front());
  CHECK(render_slack(two, {}).find("`web  Bcc: all@example.org`") != std::string::npos);
}

TEST_CASE("A value in Slack's markup is one line of text, and stays readable") {
  const auto f = [](std::string_view value, std::string_view expected) {
    INFO(value);
    CHECK(slack_escape(value) == expected);
  };
  f("x\n:large_green_circle: *Resolved: HighCpu on db-1*",
    "x :\u2060large_green_circle: \u2217Resolved: HighCpu on db-1\u2217");
  f("x\n> q", "x &gt; q");
  f("> q", "\u2060&gt; q");
  f("`id` ~off~ _it_", "'id' \u223Coff\u223C \u02CDit\u02CD");
  f("a\u2028b\u0085c\x7F", "a b c ");
  f("ends :fire", "ends :\u2060fire");
  for (const char* same : {"web:9100", "a_b__c", "a * b", "Load of web-1 is 0.5: high", "12:30"})
    f(same, same);
  f("https://wiki.example/_x_/a*b|c?d=1&e=2", "https://wiki.example/%5Fx%5F/a%2Ab%7Cc?d=1&amp;e=2");
  f("https://wiki.example/ *b*", "https://wiki.example/ \u2217b\u2217");
}

TEST_CASE("Lines of a description are quoted in Slack, as no line of vigil's own is") {
  Notification note = note_of("web-1");
  note.annotations.set("description", "first\n:red_circle: *second*\n\n");
  const auto body = boost::json::parse(render_slack(single(note), {}));
  const std::string text(body.at_pointer("/attachments/0/blocks/0/text/text").as_string());
  CHECK_THAT(text, Catch::EndsWith("\n>first\n>:\u2060red_circle: \u2217second\u2217"));
}

TEST_CASE("What is over says whether its text and value are those of when it was true") {
  Notification note = note_of("web-1", Kind::resolved);
  note.annotations = Labels{{"summary", "Load of web-1 is 0.5"}};
  note.value = 0.5;
  note.is_of_its_end = true;
  const auto back = decode_notification(encode(note));
  REQUIRE(back);
  CHECK(*back == note);
  for (const std::string& text : {render_slack(single(note), {}), render_email(single(note), kEmail, kNow)}) {
    CHECK_THAT(text,
               Catch::Contains("At its end: Load of web-1 is 0.5") && Catch::Contains("Value at its end"));
    CHECK_THAT(text,
               !Catch::Contains("It was") && !Catch::Contains("Last value") && !Catch::Contains("500m"));
  }
}

TEST_CASE("Slack's limits hold for the longest texts") {
  Notification note = note_of(std::string(5000, 'h'));
  note.annotations.set("summary", std::string(9000, 's'));
  for (int i = 0; i < 50; ++i) note.labels.set(fmt::format("l{}", i), std::string(500, 'v'));
  note.evidence[0].rows.assign(50, {std::string(300, 'n'), "1"});
  const auto parsed = boost::json::parse(render_slack(single(note), {}));
  const auto& blocks = parsed.at("attachments").at(0).at("blocks").as_array();
  CHECK(blocks.size() <= 50);
  for (const auto& block : blocks) {
    if (const auto* text = block.as_object().if_contains("text"))
      CHECK(text->at("text").as_string().size() <= 3000);
    if (const auto* fields = block.as_object().if_contains("fields")) {
      CHECK(fields->as_array().size() <= 10);
      for (const auto& field : fields->as_array()) CHECK(field.at("text").as_string().size() <= 2000);
    }
  }
}

TEST_CASE("Nothing in a label can add a header, a part or a command to a mail") {
  const std::string mail = render_email(single(hostile()), kEmail, kNow);
  const std::string head = mail.substr(0, mail.find("\r\n\r\n"));
  for (const std::string& line : lines_of(mail)) {
    CHECK(line.size() <= 78);
    CHECK(line.find_first_of("\r\n") == std::string::npos);
    CHECK_FALSE(line.starts_with("."));
    CHECK_FALSE(line.starts_with("Bcc"));
    CHECK(std::all_of(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x7F; }));
  }
  CHECK(head.find("Subject: ") != std::string::npos);
  const std::string html = render_email_html(single(hostile()));
  CHECK(html.find("<script") == std::string::npos);
  CHECK(html.find("<img") == std::string::npos);
  CHECK(html.find("&lt;script&gt;") != std::string::npos);
}

TEST_CASE("Mail headers are encoded as RFC 2047 says") {
  CHECK(header("Subject", "plain words") == "Subject: plain words\r\n");
  CHECK(header("Subject", "a\r\nBcc: x") == "Subject: a  Bcc: x\r\n");
  CHECK(header("Subject", "Zürich") == "Subject: =?UTF-8?B?WsO8cmljaA==?=\r\n");
  CHECK(header("Subject", "fake =?UTF-8?B?eA==?=").starts_with("Subject: =?UTF-8?B?"));
  const std::string folded =
      header("Subject", std::string(30, 'a') + ' ' + std::string(60, 'b') + ' ' + std::string(20, 'c'));
  for (const std::string& line : lines_of(folded)) CHECK(line.size() <= 76);
  std::string snow;
  for (int i = 0; i < 100; ++i) snow += "☃";
  for (const std::string& line : lines_of(header("Subject", snow))) {
    CHECK(line.size() <= 76);
    CHECK(line.ends_with("?="));
  }
  CHECK(mailbox("ops@example.org") == "ops@example.org");
  CHECK(mailbox("Ops \"Team\" <ops@example.org>") == "\"Ops Team\" <ops@example.org>");
  CHECK(mailbox("Jürgen <j@example.org>") == "=?UTF-8?B?SsO8cmdlbg==?= <j@example.org>");
  CHECK(mail_date(1'795'269'605'000) == "Sat, 21 Nov 2026 14:00:05 +0000");
}

TEST_CASE("Quoted-printable reads back and keeps its lines short") {
  CHECK(quoted_printable("a=b é \nline ") == "a=3Db =C3=A9=20\r\nline=20\r\n");
  CHECK(quoted_printable(".\n..x") == "=2E\r\n=2E.x\r\n");
  CHECK(quoted_printable("a\r\nb") == "a\r\nb\r\n");
  for (const std::string& line : lines_of(quoted_printable(std::string(1000, 'x') + std::string(300, '=')))) {
    CHECK(line.size() <= 76);
  }
}

TEST_CASE("Addresses are taken from names, and what is no address is none") {
  CHECK(address_of("a@b") == "a@b");
  CHECK(address_of("Name <a@b.c>") == "a@b.c");
  for (const std::string_view bad :
       {"", "a", "@b", "a@", "a@b\r\nRCPT TO:<c@d>", "a b@c", "a@b,c@d", "<a@b> x", "<a@b", "x <a@b>\n"}) {
    CAPTURE(bad);
    CHECK(address_of(bad).empty());
  }
}

TEST_CASE("Text is cut between characters") {
  CHECK(cut("abc", 3) == "abc");
  CHECK(cut("abcdefgh", 6) == "abc…");
  CHECK(cut("ééééé", 8) == "éé…");
  CHECK(one_line("a\r\n\tb\x7F") == "a   b ");
}

TEST_CASE("A receiver that cannot work is refused with its place and what is wrong") {
  struct Case {
    std::string_view yaml, message;
  };
  const auto c = GENERATE(values<Case>({
      {"{name: a}", "vigil.yml:1:13: receivers[0]: receiver a: give one of slack, email and webhook"},
      {"{name: a, slack: {}}",
       "vigil.yml:1:30: receivers[0].slack: give one of webhook_url_file, webhook_url and bot_token_file"},
      {"{name: a, slack: {bot_token_file: /nonexistent, channel: x}}",
       "receivers[0].slack.bot_token_file: /nonexistent: No such file"},
      {"{name: a, slack: {bot_token_file: /nonexistent, webhook_url: 'http://x'}}",
       "give one of webhook_url_file"},
      {"{name: a, slack: {webhook_url: 'ftp://x'}}",
       "vigil.yml:1:44: receivers[0].slack.webhook_url: the URL must begin with https:// or http://"},
      {"{name: a, webhook: {url: 'file:///etc/passwd'}}", "the URL must begin with https:// or http://"},
      {"{name: a, webhook: {url: \"http://x/\\r\\nHost: y\"}}",
       "the URL must begin with https:// or http://"},
      {"{name: a, webhook: {url: 'http://x', headers: {\"A\\nB\": c}}}", "is not a valid header"},
      {"{name: a, webhook: {url: 'http://x', headers: {A: \"b\\nC: d\"}}}", "'A' is not a valid header"},
      {"{name: a, webhook: {url: 'http://x', token_file: /nonexistent}}",
       "receivers[0].webhook.token_file: /nonexistent: No such file"},
      {"{name: a, email: {smtp: 'x:y', from: a@b, to: [c@d]}}", "email.smtp: 'x:y' is not an address"},
      {"{name: a, email: {smtp: 'x:25', from: nobody, to: [c@d]}}", "email.from: 'nobody' is not an address"},
      {"{name: a, email: {smtp: 'x:25', from: a@b, to: []}}", "email.to: at least one address is needed"},
      {"{name: a, email: {smtp: 'x:25', from: a@b, to: [c@d, \"c@d\\nx\"]}}",
       "vigil.yml:1:66: receivers[0].email.to[1]: "},
      {"{name: a, email: {smtp: 'x:25', from: a@b, to: [c@d], username: u}}",
       "username and password_file belong together"},
      {"{name: a, email: {smtp: 'x:25', from: a@b, to: [c@d], username: u, password_file: /x, starttls: "
       "none}}",
       "a password is sent only with starttls: required"},
  }));
  NotificationsConfig config;
  REQUIRE(config::load_text(fmt::format("receivers: [{}]", c.yaml), "vigil.yml", config));
  const auto checked = check(config);
  REQUIRE_FALSE(checked);
  CAPTURE(c.yaml, checked.error().message);
  CHECK(checked.error().message.find(c.message) != std::string::npos);
}

TEST_CASE("Misspelt keys of receivers are found, and names must be unique") {
  NotificationsConfig config;
  const auto misspelt =
      config::load_text("receivers: [{name: a, slak: {webhook_url: 'http://x'}}]", "vigil.yml", config);
  REQUIRE_FALSE(misspelt);
  CHECK(misspelt.error().message.find("unknown key; did you mean slack?") != std::string::npos);
  NotificationsConfig twice;
  REQUIRE(config::load_text(
      "receivers: [{name: a, webhook: {url: 'http://x'}}, {name: a, webhook: {url: 'http://y'}}]",
      "vigil.yml", twice));
  CHECK(check(twice).error().message ==
        "vigil.yml:1:59: receivers[1].name: there are two receivers called a; give each a name of its own");
}

TEST_CASE("A secret that everybody may read is refused") {
  const test::TempFile file("token", "  s3cret\n");
  REQUIRE(::chmod(file.path().c_str(), 0644) == 0);
  CHECK(config::read_secret(file.path()).error().code == Errc::permission);
  // What is root's, root has decided on; of others the group must not read it, either.
  REQUIRE(::chmod(file.path().c_str(), 0640) == 0);
  CHECK(config::read_secret(file.path()).has_value() == (::geteuid() == 0));
  if (::geteuid() == 0 && ::chown(file.path().c_str(), 65534, 65534) == 0)
    CHECK(config::read_secret(file.path()).error().message.find("its group may read") != std::string::npos);
  REQUIRE(::chmod(file.path().c_str(), 0600) == 0);
  REQUIRE(config::read_secret(file.path()));
  CHECK(*config::read_secret(file.path()) == "s3cret");
  const test::TempFile empty("token", "\n");
  REQUIRE(::chmod(empty.path().c_str(), 0600) == 0);
  CHECK_FALSE(config::read_secret(empty.path()));
}

TEST_CASE("A resolved message says that it is over, and does not repeat that it is so") {
  Notification note = note_of("web-1", Kind::resolved);
  note.annotations.set("summary", "web-1 is down");
  note.annotations.set("description", "Its agent is not connected.");
  for (const std::string& message :
       {render_slack(single(note), {}), render_email(single(note), kEmail, kNow)}) {
    CAPTURE(message);
    CHECK_THAT(message, Catch::Contains("Over after") && Catch::Contains("It was: web-1 is down") &&
                            Catch::Contains("Last value"));
    CHECK_THAT(message, !Catch::Contains("not connected"));
  }
}
