// What is said of a silence that holds for nothing.
#include "aggregator/serve/silence_doubts.h"

#include "tests/aggregator/alerts/rules_of.h"
#include "tests/support/catch.h"

namespace vigil::aggregator {
namespace {

constexpr const char* kRules = R"(
groups:
  - name: g
    rules:
      - {alert: HostDown, expr: up == 0, labels: {severity: critical}}
      - {alert: DiskFull, expr: used > 90, labels: {severity: warning, owner: '{{ $labels.team }}'}}
      - {alert: Missing, expr: 'label_replace(up, "name", "db", "", "")', labels: {severity: critical}}
      - {record: 'a:b', expr: up}
)";

const rules::RuleSetPtr& rule_set() {
  static const rules::RuleSetPtr rules = vigil::test::rules_of(kRules);
  return rules;
}

SilenceGround ground() {
  SilenceGround out{alerts::list_rules(*rule_set(), {}), {}, {"web-1", "web-2"}, {}, {}};
  out.is_on_series = [](const matchers::Matcher& matcher) {
    return (matcher.name() == "device" && matcher.matches("sda")) ||
           (matcher.name() == "team" && matcher.matches("db"));
  };
  out.label_names = [] { return std::vector<std::string>{"device", "instance", "team"}; };
  return out;
}

std::string doubts(const char* text, const SilenceGround& ground) {
  return fmt::format("{}", fmt::join(doubts_of(matchers::parse_matchers(text)->matchers, ground), "\n"));
}

}  // namespace

TEST_CASE("a silence that may hold for some rule's alerts is not doubted") {
  const SilenceGround here = ground();
  for (const char* text :
       {"alertname=HostDown", "alertname=~\"Host.*\",instance=~\"web-.+\"", "instance=web-1",
        "severity=warning", "device=sda", "device=~\"sd.\",severity=warning",
        "alertname=DiskFull,owner=anybody", "alertname=Missing,name=db", "alertname=HostDown,env!=test",
        "instance!=web-1", "team=db"}) {
    INFO(text);
    CHECK(doubts(text, here) == "");
  }
}

TEST_CASE("a silence that holds for nothing is doubted, with what was probably meant") {
  const SilenceGround here = ground();
  const auto f = [&](const char* text, const std::string& why) {
    INFO(text);
    CHECK(doubts(text, here) == "it holds for nothing now: " + why);
  };
  f("alertname=HostDwon", "there is no alert HostDwon; did you mean HostDown?");
  f("alertname=~\"Hots.*\"", "nothing has alertname=~\"Hots.*\"");
  f("alertname=HostDown,instance=web-11", "there is no host web-11; did you mean web-1?");
  f("instance=~\"db-.*\"", "nothing has instance=~\"db-.*\"");
  f("severity=critcal", "nothing has severity=\"critcal\"");
  f("tema=db", "nothing has a label tema; did you mean team?");
  f("severty=critical", "nothing has a label severty; did you mean severity?");
  f("device=sdz", "nothing has device=\"sdz\"");
  f("env!=\"\"", "nothing has a label env");
  // Each fits some rule, and no rule fits both.
  f("alertname=HostDown,severity=warning",
    "no alert has all of {alertname=\"HostDown\",severity=\"warning\"}");
  CHECK(doubts("alertname=Nothing,instance=nowhere", here) ==
        "it holds for nothing now: there is no alert Nothing\n"
        "it holds for nothing now: there is no host nowhere");
}

TEST_CASE("what an alert that is listed has is known, whatever rules and series say") {
  SilenceGround here = ground();
  alerts::AlertInfo alert;
  alert.labels = Labels{{"alertname", "Old"}, {"instance", "gone"}};
  here.alerts.push_back(alert);
  CHECK(doubts("alertname=Old,instance=gone", here) == "");
  CHECK(doubts("alertname=Old,instance=web-1", here) == "it holds for nothing now: there is no alert Old");
}

TEST_CASE("without rules nobody can tell") {
  SilenceGround here = ground();
  here.rules.clear();
  CHECK(doubts("alertname=Nothing", here) == "");
}

}  // namespace vigil::aggregator
