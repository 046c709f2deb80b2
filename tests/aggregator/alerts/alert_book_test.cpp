#include "aggregator/alerts/alert_book.h"

#include "aggregator/alerts/inhibition.h"
#include "tests/aggregator/alerts/rules_of.h"

#include <cmath>

using namespace vigil;
using namespace vigil::alerts;
using test::rules_of;

namespace {

constexpr const char* kRules = R"(
groups:
  - name: g
    interval: 10s
    rules:
      - alert: Hot
        expr: temp > 80
        for: 30s
        keep_firing_for: 20s
        labels: {severity: warning, zone: "{{ $labels.chip | toUpper }}"}
        annotations: {summary: "{{ $labels.instance }} has {{ $value }} degrees"}
      - alert: Now
        expr: link == 0
)";

struct Bench {
  explicit Bench(const std::string& yaml = kRules) : rules(rules_of(yaml)), book(AlertBookOptions{}) {}

  /// One line of a script: what the rule gave at a time.
  std::string at(std::int64_t seconds, const std::string& what, std::size_t rule = 0, double value = 91,
                 const aggregator::Covered& covered = {}) {
    rules::Evaluation evaluation{rules->rules()[rule], "web", seconds * 1000, {}, {}, {}, covered};
    const auto series =
        std::make_shared<const Labels>(Labels{{"__name__", "temp"}, {"instance", "web"}, {"chip", "cpu"}});
    if (what == "true") evaluation.active.push_back({series, value});
    if (what == "unknown") evaluation.unknown.push_back(series);
    if (what == "gone") evaluation.gone.push_back(series);
    return told(book.apply(evaluation));
  }

  static std::string told(const std::vector<Transition>& transitions) {
    std::string out;
    for (const Transition& t : transitions)
      out += fmt::format("{}{}->{}", out.empty() ? "" : " ", to_string(t.from), to_string(t.to));
    return out;
  }

  const Alert* only() {
    const Alert* found = nullptr;
    book.for_each([&](const Alert& alert) { found = &alert; });
    return found;
  }

  rules::RuleSetPtr rules;
  AlertBook book;
};

}  // namespace

TEST_CASE("An alert goes its way through the states") {
  struct Step {
    int at;
    std::string what;
    std::string told;
  };
  using Script = std::vector<Step>;
  const Script script = GENERATE(
      Script{{0, "true", "inactive->pending"},
             {10, "true", ""},
             {20, "true", ""},
             {30, "true", "pending->firing"},
             {40, "true", ""}},
      // False once: `for` begins anew.
      Script{{0, "true", "inactive->pending"},
             {20, "true", ""},
             {30, "false", "pending->inactive"},
             {40, "true", "inactive->pending"},
             {60, "true", ""},
             {70, "true", "pending->firing"}},
      // keep_firing_for: false for 20 s resolves, true in between does not.
      Script{{0, "true", "inactive->pending"},
             {30, "true", "pending->firing"},
             {40, "false", ""},
             {50, "true", ""},
             {60, "false", ""},
             {70, "false", ""},
             {80, "false", "firing->resolved"},
             {90, "false", ""}},
      // No data: a pending alert does not advance, a firing one does not resolve.
      Script{{0, "true", "inactive->pending"},
             {20, "true", ""},
             {30, "unknown", ""},
             {40, "unknown", ""},
             {50, "true", ""},
             {60, "true", "pending->firing"},
             {70, "unknown", ""},
             {600, "unknown", ""},
             {610, "true", ""}},
      // ... and false after no data is false.
      Script{{0, "true", "inactive->pending"}, {10, "unknown", ""}, {20, "false", "pending->inactive"}},
      Script{{0, "true", "inactive->pending"},
             {30, "true", "pending->firing"},
             {40, "unknown", ""},
             {50, "false", ""},
             {70, "false", "firing->resolved"}},
      // The host was away for minutes: what happened meanwhile does not count towards `for`.
      Script{{0, "true", "inactive->pending"},
             {20, "true", ""},
             {320, "true", ""},
             {329, "true", ""},
             {330, "true", "pending->firing"}},
      Script{{0, "true", "inactive->pending"},
             {30, "true", "pending->firing"},
             {40, "gone", "firing->resolved"}});
  Bench bench;
  for (const Step& step : script) {
    CAPTURE(step.at, step.what);
    CHECK(bench.at(step.at, step.what) == step.told);
  }
}

TEST_CASE("`for` counts the time that samples cover, and no other") {
  const auto covered = [](std::int64_t since_s, std::int64_t until_s) {
    return aggregator::Covered{since_s * 1000, until_s * 1000};
  };
  Bench bench;
  CHECK(bench.at(0, "true", 0, 91, covered(0, 0)) == "inactive->pending");
  CHECK(bench.at(20, "true", 0, 91, covered(0, 20)).empty());
  // The host is silent: what it said last is still true, and nobody knows whether that is so now.
  CHECK(bench.at(35, "true", 0, 91, covered(0, 20)).empty());
  CHECK(bench.at(50, "true", 0, 91, covered(0, 20)).empty());
  CHECK(bench.only()->held_ms == 20'000);
  // It is back since 54 s.
  CHECK(bench.at(56, "true", 0, 91, covered(54, 56)).empty());
  CHECK(bench.only()->held_ms == 22'000);
  CHECK(bench.at(63, "true", 0, 91, covered(54, 63)).empty());
  // Its samples were only late: the time is covered all the same.
  CHECK(bench.at(65, "true", 0, 91, covered(54, 63)).empty());
  CHECK(bench.at(66, "true", 0, 91, covered(54, 66)) == "pending->firing");
}

TEST_CASE("the time in which nobody was there does not count, also of what is restored") {
  Bench bench;
  CHECK(bench.at(0, "true") == "inactive->pending");
  CHECK(bench.at(20, "true").empty());
  Bench after;
  after.book.restore(*bench.only());
  CHECK(after.at(32, "true", 0, 91, {32'000, 32'000}).empty());
  CHECK(after.only()->held_ms == 20'000);
  CHECK(after.at(41, "true", 0, 91, {32'000, 41'000}).empty());
  CHECK(after.at(42, "true", 0, 91, {32'000, 42'000}) == "pending->firing");
}

TEST_CASE("Without `for` an alert fires at its first sample, and resolves at the first without") {
  Bench bench;
  CHECK(bench.at(0, "true", 1) == "inactive->firing");
  CHECK(bench.at(1, "true", 1).empty());
  CHECK(bench.at(2, "false", 1) == "firing->resolved");
  CHECK(bench.book.size() == 0);
}

TEST_CASE("An alert carries value, times, labels and words") {
  Bench bench;
  bench.at(100, "true", 0, 85);
  bench.at(115, "true", 0, 86);
  bench.at(130, "true", 0, 91.5);
  const Alert* alert = bench.only();
  REQUIRE(alert != nullptr);
  CHECK(alert->state == State::firing);
  CHECK(alert->value == 91.5);
  CHECK(alert->active_since_ms == 100'000);
  CHECK(alert->fired_at_ms == 130'000);
  CHECK(alert->labels == Labels{{"alertname", "Hot"},
                                {"chip", "cpu"},
                                {"instance", "web"},
                                {"severity", "warning"},
                                {"zone", "CPU"}});
  CHECK(alert->annotations.get("summary") == "web has 91.5 degrees");
  CHECK(alert->fingerprint == fingerprint("g/Hot/warning", *alert->series));
  CHECK(alert->fingerprint.size() == 16);
}

TEST_CASE("A label whose template changes with the value ends the alert, and another begins") {
  Bench bench("groups: [{name: g, rules: [{alert: A, expr: temp > 1, labels: {at: '{{ $value }}'}}]}]");
  CHECK(bench.at(0, "true", 0, 5) == "inactive->firing");
  CHECK(bench.at(5, "true", 0, 5).empty());
  CHECK(!bench.at(10, "true", 0, 6).empty());
  CHECK(bench.book.size() == 1);
}

TEST_CASE("keep_firing_for ends by the clock when nothing is evaluated any more") {
  Bench bench;
  bench.at(0, "true");
  bench.at(30, "true");
  bench.at(40, "false");
  CHECK(Bench::told(bench.book.expire(59'000)).empty());
  CHECK(Bench::told(bench.book.expire(60'000)) == "firing->resolved");
}

TEST_CASE("Alerts end with their host and their rule, and find their rule again by its key") {
  Bench bench;
  bench.at(0, "true", 1);
  SECTION("host removed") {
    const auto ended = bench.book.forget_host("web", 5'000);
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].alert.reason == "its host has left");
    CHECK(bench.book.forget_host("web", 5'000).empty());
  }
  SECTION("rule removed") {
    const auto ended = bench.book.adopt(*rules_of("groups: []"), 5'000);
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].to == State::resolved);
    CHECK(ended[0].alert.reason == "its rule was removed");
  }
  SECTION("rule evaluated for the whole fleet from now on, and back again") {
    const auto fleet =
        rules_of("groups: [{name: g, query_offset: 30s, rules: [{alert: Now, expr: link == 7}]}]");
    REQUIRE(fleet->rules()[0]->scope == rules::Scope::fleet);
    CHECK(bench.book.adopt(*fleet, 5'000).empty());
    const Alert* alert = bench.only();
    REQUIRE(alert != nullptr);
    CHECK(alert->scope.empty());
    CHECK(scope_in(*fleet->rules()[0], *alert).empty());
    const auto host = rules_of("groups: [{name: g, rules: [{alert: Now, expr: link == 7}]}]");
    CHECK(scope_in(*host->rules()[0], *alert) == "web");
    CHECK(bench.book.adopt(*host, 6'000).empty());
    CHECK(bench.only()->scope == "web");
    // What evaluates it now ends it.
    const auto ended = bench.book.apply({host->rules()[0], "web", 7'000, {}, {}, {}});
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].to == State::resolved);
    CHECK(bench.book.size() == 0);
  }
  SECTION("rule changed") {
    const auto next = rules_of("groups: [{name: g, rules: [{alert: Now, expr: link == 7}]}]");
    CHECK(bench.book.adopt(*next, 5'000).empty());
    CHECK(bench.only()->rule->expr_text == "link == 7");
  }
}

TEST_CASE("At every step, an alert put back after a restart goes on as if nothing had happened") {
  const std::vector<std::pair<int, std::string>> script = {
      {0, "true"},   {10, "true"}, {20, "unknown"}, {25, "true"},  {35, "true"},  {45, "true"},
      {55, "false"}, {60, "true"}, {70, "unknown"}, {80, "false"}, {101, "false"}};
  Bench straight;
  std::vector<std::string> expected;
  for (const auto& [at, what] : script) expected.push_back(straight.at(at, what));
  for (std::size_t restart = 0; restart < script.size(); ++restart) {
    Bench before;
    Bench after;
    for (std::size_t i = 0; i < script.size(); ++i) {
      CAPTURE(restart, i);
      if (i == restart) {
        before.book.for_each([&](const Alert& alert) { after.book.restore(alert); });
      }
      CHECK((i < restart ? before : after).at(script[i].first, script[i].second) == expected[i]);
    }
  }
  CHECK(std::count(expected.begin(), expected.end(), "pending->firing") == 1);
  CHECK(std::count(expected.begin(), expected.end(), "firing->resolved") == 1);
}

TEST_CASE("A firing alert keeps back the messages of those it inhibits") {
  Bench bench(R"(
groups:
  - name: g
    rules:
      - {alert: HostDown, expr: up == 0, labels: {severity: critical}, annotations: {vigil_inhibits: instance}}
      - {alert: Many, expr: n > 1, labels: {severity: critical}, annotations: {vigil_inhibits: 'HostDown, Other'}}
      - {alert: Hot, expr: temp > 80, labels: {severity: warning}}
      - {alert: Hot, expr: temp > 90, labels: {severity: critical}}
)");
  const auto inhibitor = [&](std::string_view name, std::string_view severity) {
    const Inhibition inhibition(bench.book);
    std::string found = "no such alert";
    bench.book.for_each([&](const Alert& alert) {
      if (alert.labels.get("alertname") == name && alert.severity() == severity)
        found = inhibition.inhibitor_of(alert);
    });
    return found;
  };
  bench.at(0, "true", 2);
  CHECK(inhibitor("Hot", "warning").empty());
  bench.at(0, "true", 3);
  CHECK(inhibitor("Hot", "warning") == "Hot (critical)");
  CHECK(inhibitor("Hot", "critical").empty());
  bench.at(1, "false", 3);
  CHECK(inhibitor("Hot", "warning").empty());
  bench.at(2, "true", 0);
  CHECK(inhibitor("Hot", "warning") == "HostDown");
  CHECK(inhibitor("HostDown", "critical").empty());
  bench.at(3, "true", 1);
  CHECK(inhibitor("HostDown", "critical") == "Many");
  CHECK(inhibitor("Many", "critical").empty());

  // One whose own messages are held back stands for nobody by their names.
  const Inhibition muted(bench.book, [](const Alert& alert) { return alert.severity() == "critical"; });
  bench.book.for_each([&](const Alert& alert) {
    if (alert.labels.get("alertname") == "HostDown") CHECK(muted.inhibitor_of(alert).empty());
    if (alert.labels.get("alertname") == "Hot") CHECK(muted.inhibitor_of(alert) == "HostDown");
  });
}

TEST_CASE(
    "A label that a reload changes reaches an alert that fires: the old one is over, and it begins at once") {
  Bench bench(
      "groups: [{name: g, rules: [{alert: Slow, expr: ms > 5, for: 30s, labels: {team: db, old: yes}}]}]");
  for (int second = 0; second <= 30; second += 10) bench.at(second, "true", 0);
  REQUIRE(bench.only()->state == State::firing);
  const auto next =
      rules_of("groups: [{name: g, rules: [{alert: Slow, expr: ms > 5, for: 30s, labels: {team: web}}]}]");
  CHECK(bench.book.adopt(*next, 35'000).empty());
  CHECK(bench.only()->labels.get("team") == "db");
  bench.rules = next;
  CHECK(bench.at(40, "true", 0) == "firing->resolved inactive->firing");
  CHECK(bench.only()->labels.get("team") == "web");
  CHECK(bench.only()->labels.get("old").empty());
  CHECK(bench.at(50, "true", 0).empty());
}

TEST_CASE("Alerts that name each other are both told of, and others still keep them back") {
  Bench bench(R"(
groups:
  - name: g
    rules:
      - {alert: A, expr: a > 0, annotations: {vigil_inhibits: B}}
      - {alert: B, expr: b > 0, annotations: {vigil_inhibits: 'A, B'}}
      - {alert: C, expr: c > 0, annotations: {vigil_inhibits: 'C, A'}}
)");
  const auto inhibitor = [&](std::string_view name) {
    const Inhibition inhibition(bench.book);
    std::string found = "no such alert";
    bench.book.for_each([&](const Alert& alert) {
      if (alert.labels.get("alertname") == name) found = inhibition.inhibitor_of(alert);
    });
    return found;
  };
  bench.at(0, "true", 0);
  bench.at(1, "true", 1);
  CHECK(inhibitor("A").empty());
  CHECK(inhibitor("B").empty());
  bench.at(2, "true", 2);
  CHECK(inhibitor("A") == "C");
  CHECK(inhibitor("C").empty());
}

TEST_CASE("The words of an alert follow its value, and its end keeps those of the last one") {
  Bench bench;
  bench.at(0, "true", 0, 91);
  bench.at(30, "true", 0, 92);
  bench.at(40, "true", 0, 99);
  REQUIRE(bench.only() != nullptr);
  CHECK(bench.only()->annotations.get("summary") == "web has 92 degrees");  // what its message said
  CHECK(bench.book.annotations_now(*bench.only()).get("summary") == "web has 99 degrees");
  bench.at(50, "false");
  rules::Evaluation over{bench.rules->rules()[0], "web", 80'000, {}, {}, {}};
  const auto ended = bench.book.apply(over);
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].alert.annotations.get("summary") == "web has 99 degrees");
}
