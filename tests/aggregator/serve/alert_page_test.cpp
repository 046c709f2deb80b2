#include "aggregator/serve/alert_page.h"

#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator;

namespace {

constexpr std::int64_t kNow = 1'700'000'125'000;

alerts::AlertInfo firing() {
  alerts::AlertInfo alert;
  alert.fingerprint = "0123456789abcdef";
  alert.name = "DiskFull";
  alert.severity = "critical";
  alert.instance = "<script>alert(1)</script>";
  alert.state = alerts::State::firing;
  alert.annotations = Labels{{"summary", "a \"quoted\" & <b>bold</b> one"}};
  alert.value = 0.97;
  alert.fired_at_ms = 1'700'000'000'000;
  return alert;
}

}  // namespace

TEST_CASE("the page of an alert tells what it is about, and nothing of a label becomes markup") {
  const auto page = alert_page("/alerts/0123456789abcdef", {firing()}, kNow);
  CHECK(page.status == 200);
  CHECK(page.body.find("DiskFull") != std::string::npos);
  CHECK(page.body.find("0.97") != std::string::npos);
  CHECK(page.body.find("2023-11-14 22:13:20 UTC, 2m 5s ago") != std::string::npos);
  CHECK(page.body.find("<script>") == std::string::npos);
  CHECK(page.body.find("a &#34;quoted&#34; &amp; &lt;b&gt;bold&lt;/b&gt; one") != std::string::npos);
}

TEST_CASE("the list links to each alert, and an unknown one is not found") {
  CHECK(alert_page("/alerts/", {firing()}, kNow).body.find("href=\"/alerts/0123456789abcdef\"") !=
        std::string::npos);
  CHECK(alert_page("/alerts/", {}, kNow).body.find("Nothing is pending") != std::string::npos);
  CHECK(alert_page("/alerts/feedfeedfeedfeed", {firing()}, kNow).status == 404);
}

TEST_CASE("a runbook is a link, and what only looks like one is not") {
  alerts::AlertInfo alert = firing();
  alert.annotations =
      Labels{{"runbook_url", "https://wiki.example.org/disk?a=1&b=2"}, {"trap", "javascript:alert(1)"}};
  const auto page = alert_page("/alerts/0123456789abcdef", {alert}, kNow);
  CHECK(page.body.find("<a href=\"https://wiki.example.org/disk?a=1&amp;b=2\">") != std::string::npos);
  CHECK(page.body.find("href=\"javascript") == std::string::npos);
}

TEST_CASE("the page says each thing once, and evidence is a table under its title") {
  alerts::AlertInfo alert = firing();
  alert.annotations = Labels{{"summary", "full"}, {"value", "97%"}, {"vigil_inhibits", "instance"}};
  alert.evidence = {{"Top processes", {{"one", "1"}, {"two", "2"}}}};
  const std::string body = alert_page("/alerts/0123456789abcdef", {alert}, kNow).body;
  const auto count = [&body](std::string_view text) {
    int found = 0;
    for (std::size_t at = body.find(text); at != std::string::npos; at = body.find(text, at + 1)) ++found;
    return found;
  };
  CHECK(count("<th>value</th>") == 1);
  CHECK(count("97%") == 1);
  CHECK(count("Top processes") == 1);
  CHECK(count("vigil_inhibits") == 0);
}

TEST_CASE("the list tells value, time and summary of each alert") {
  alerts::AlertInfo alert = firing();
  alert.annotations = Labels{{"summary", "nearly full"}, {"value", "97%"}};
  alert.active_since_ms = kNow - 60'000;
  const std::string body = alert_page("/alerts/", {alert}, kNow).body;
  CHECK(body.find("<td>97%</td><td>2023-11-14 22:14:25 UTC, 1m ago</td><td>nearly full</td>") !=
        std::string::npos);
}
