#include "aggregator/channels/email.h"

#include "tests/aggregator/channels/mail.h"
#include "tests/aggregator/channels/messages.h"

namespace vigil::channels {
namespace {

using notify::Kind;
using test::has;
using test::note_of;
using test::read_mail;
using test::request_of;
using test::shipment_of;

std::string mail(const std::string& more = "") {
  return "email_configs: [{to: 'Ops <ops@example.org>, dba@example.org', from: Vigil <vigil@example.org>, "
         "smarthost: 'mail.example.org:587'" +
         more + "}]";
}

}  // namespace

TEST_CASE("Mail: a group has a subject, a text and an HTML part") {
  const notify::Request request =
      request_of(mail(), shipment_of({note_of("web-1"), note_of("web-2", Kind::resolved)}));
  CHECK(request.protocol == notify::Protocol::smtp);
  CHECK(request.url == "smtp://mail.example.org:587");
  CHECK(request.from == "vigil@example.org");
  CHECK(request.to == std::vector<std::string>{"ops@example.org", "dba@example.org"});
  CHECK(request.starttls == notify::StartTls::required);
  const test::Mail read = read_mail(request.body);
  CHECK(read.headers.at("From") == "\"Vigil\" <vigil@example.org>");
  CHECK(read.headers.at("To") == "\"Ops\" <ops@example.org>, dba@example.org");
  CHECK(read.headers.at("Subject") == "[FIRING:1] HighCpu: 1 alert and 1 over");
  CHECK(read.headers.at("Date") == "Sat, 21 Nov 2026 14:00:06 +0000");
  CHECK(read.headers.at("Message-ID") == "<0123456789abcdef-1-7@example.org>");
  CHECK(read.parts.at("text/plain") ==
        "[FIRING:1] HighCpu: 1 alert and 1 over\n\n"
        "Critical: HighCpu on web-1\n"
        "  CPU of web-1 is 93% busy\n"
        "  Value 93.1%, since 2026-11-21 13:58 UTC\n"
        "  https://vigil.example/alerts/00000000000web-1\n"
        "  Top processes by CPU:\n"
        "    postgres (pid 4711, db)  71% of a core\n"
        "    nginx (pid 12)  9.5% of a core\n\n"
        "Resolved: HighCpu on web-2\n"
        "  Over after 12m 5s. It was: CPU of web-2 is 93% busy\n"
        "  Last value 93.1%\n"
        "  https://vigil.example/alerts/00000000000web-2\n\n"
        "https://vigil.example/\n");
  const std::string& html = read.parts.at("text/html");
  CHECK(has(html, "<h2 style=\"margin:4px 0 12px;font-size:20px\">HighCpu: 1 alert and 1 over</h2>"));
  CHECK(has(html, ">Critical: HighCpu on web-1</h3>"));
  CHECK(has(html, ">team</td><td style=\"padding:4px 12px 4px 0;vertical-align:top;\">web</td>"));
  CHECK(has(html, "<a href=\"https://vigil.example/alerts/00000000000web-2\">Open in vigil</a>"));
}

TEST_CASE("Mail: all mails of a group are one thread, and no other") {
  const auto thread = [](const std::string& key, const std::string& group) {
    auto shipment = shipment_of({note_of("a")});
    shipment.rows[0].note.key = key;
    shipment.rows[0].group->key = group;
    const test::Mail read = read_mail(request_of(mail(), shipment).body);
    CHECK(has(read.headers.at("Message-ID"), key));
    CHECK(read.headers.at("In-Reply-To") == read.headers.at("References"));
    return read.headers.at("References");
  };
  CHECK(thread("k-1", "g") == thread("k-2", "g"));
  CHECK(thread("k-1", "g") != thread("k-1", "h"));
}

TEST_CASE("Mail: headers and parts are as the channel says") {
  const notify::Request request = request_of(
      mail(", headers: {Subject: '{{ .Status }} ü', from: Boss <boss@example.org>, To: all, X-Team: "
           "'{{ .CommonLabels.team }}'}, html: '', text: 'just {{ len .Alerts }}', hello: me.example.org"),
      shipment_of({note_of("a")}));
  const test::Mail read = read_mail(request.body);
  CHECK(read.headers.at("Subject") == "firing ü");
  CHECK(read.headers.at("From") == "\"Boss\" <boss@example.org>");
  CHECK(read.headers.at("To") == "all");
  CHECK(read.headers.at("X-Team") == "web");
  CHECK(read.parts.size() == 1);
  CHECK(read.parts.at("text/plain") == "just 1");
  CHECK(request.from == "vigil@example.org");
  CHECK(request.hello == "me.example.org");
}

TEST_CASE("Mail: recipients may be templates, and if there are none the sender is told") {
  const auto to = [](const std::string& text) {
    return request_of("email_configs: [{from: v@example.org, smarthost: 'localhost:25', to: '" + text + "'}]",
                      shipment_of({note_of("a")}))
        .to;
  };
  CHECK(to("{{ .CommonLabels.team }}@example.org, nobody") == std::vector<std::string>{"web@example.org"});
  CHECK(to("{{ .CommonLabels.nobody }}") == std::vector<std::string>{"v@example.org"});
  CHECK(to("{{ .Nothing }}") == std::vector<std::string>{"v@example.org"});
}

TEST_CASE("Mail: a text that fails gives way to vigil's own in both parts") {
  const test::Mail read =
      read_mail(request_of(mail(", html: '{{ .Nothing }}', headers: {Subject: '{{ .Nothing }}'}"),
                           shipment_of({note_of("a")}))
                    .body);
  CHECK(read.headers.at("Subject") == "[FIRING:1] HighCpu on a");
  CHECK(has(read.parts.at("text/plain"), "vigil: the text of html could not be written"));
  CHECK(has(read.parts.at("text/html"), "<h2"));
  CHECK(has(read.parts.at("text/html"), "the text of headers.Subject could not be written: can&#39;t"));
}

TEST_CASE("Mail: addresses are split at commas outside quotes") {
  CHECK(split_addresses(" a@b ,\"x, y\" <c@d>,,") == std::vector<std::string>{"a@b", "\"x, y\" <c@d>"});
  CHECK(split_addresses(" ").empty());
}

TEST_CASE("Mail: a key that is no token becomes one of its own") {
  CHECK(mail_token("ab-1.c") == "ab-1.c");
  CHECK(mail_token("a>\r\nb") != mail_token("a>\r\tb"));
  CHECK(mail_token("a>\r\nb").find_first_of(">\r\n") == std::string::npos);
}

}  // namespace vigil::channels
