#include "aggregator/serve/alert_page.h"

#include "tests/support/catch.h"

using namespace vigil;
using namespace vigil::aggregator;

namespace {

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
  const auto page = alert_page("/alerts/0123456789abcdef", {firing()});
  CHECK(page.status == 200);
  CHECK(page.body.find("DiskFull") != std::string::npos);
  CHECK(page.body.find("0.97") != std::string::npos);
  CHECK(page.body.find("2023-11-14T22:13:20Z") != std::string::npos);
  CHECK(page.body.find("<script>") == std::string::npos);
  CHECK(page.body.find("a &quot;quoted&quot; &amp; &lt;b&gt;bold&lt;/b&gt; one") != std::string::npos);
}

TEST_CASE("the list links to each alert, and an unknown one is not found") {
  CHECK(alert_page("/alerts/", {firing()}).body.find("href=\"/alerts/0123456789abcdef\"") !=
        std::string::npos);
  CHECK(alert_page("/alerts/", {}).body.find("Nothing is pending") != std::string::npos);
  CHECK(alert_page("/alerts/feedfeedfeedfeed", {firing()}).status == 404);
}

TEST_CASE("a runbook is a link, and what only looks like one is not") {
  alerts::AlertInfo alert = firing();
  alert.annotations =
      Labels{{"runbook_url", "https://wiki.example.org/disk?a=1&b=2"}, {"trap", "javascript:alert(1)"}};
  const auto page = alert_page("/alerts/0123456789abcdef", {alert});
  CHECK(page.body.find("<a href=\"https://wiki.example.org/disk?a=1&amp;b=2\">") != std::string::npos);
  CHECK(page.body.find("href=\"javascript") == std::string::npos);
}
