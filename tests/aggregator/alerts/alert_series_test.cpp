#include "aggregator/alerts/alert_series.h"

#include "tests/aggregator/alerts/rules_of.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <string>
#include <vector>

using namespace vigil;
using namespace vigil::alerts;
using test::rules_of;

namespace {

constexpr const char* kRules = R"yaml(
groups:
  - name: g
    interval: 15s
    rules:
      - alert: Hot
        expr: temp > 80
        for: 30s
        labels: {severity: '{{ if gt $value 95.0 }}critical{{ else }}warning{{ end }}'}
        annotations: {hottest: '{{ query "max(temp)" | first | value }}', now: "{{ $value }}"}
)yaml";

using Lines = std::vector<std::string>;

struct Bench {
  Bench()
      : rules(rules_of(kRules)),
        book({{},
              "",
              [this](std::string_view, std::int64_t t_ms) -> Result<std::vector<std::pair<Labels, double>>> {
                asked_ms.push_back(t_ms);
                return std::vector<std::pair<Labels, double>>{{Labels(), 99}};
              },
              {}}) {}

  std::vector<Transition> at(std::int64_t t_ms, double value) {
    rules::Evaluation evaluation{rules->rules()[0], "web", t_ms, {}, {}, {}};
    if (value > 80) {
      evaluation.active.push_back(
          {std::make_shared<const Labels>(Labels{{"__name__", "temp"}, {"instance", "web"}}), value});
    }
    return book.apply(evaluation);
  }

  Lines written(std::int64_t now_ms) {
    Lines out;
    for (const auto& sample : series.write(book, now_ms)) {
      const std::string value = is_stale(sample.value) ? "stale" : fmt::format("{:g}", sample.value);
      std::string state(sample.labels->get("alertstate"));
      out.push_back(fmt::format("{} {}{}{} @{}", sample.labels->get("__name__"), state,
                                state.empty() ? "" : " ", value, sample.t_ms));
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  rules::RuleSetPtr rules;
  std::vector<std::int64_t> asked_ms;
  AlertBook book;
  AlertSeries series;
};

}  // namespace

TEST_CASE("An alert is written when it changes, once per interval, and ends with markers") {
  Bench bench;
  CHECK(bench.written(0) == Lines{});
  bench.at(0, 90);
  CHECK(bench.written(0) == Lines{"ALERTS pending 1 @0", "ALERTS_FOR_STATE 0 @0"});
  CHECK(bench.written(14'999) == Lines{});
  bench.at(15'000, 90);
  CHECK(bench.written(15'000) == Lines{"ALERTS pending 1 @15000", "ALERTS_FOR_STATE 0 @15000"});
  bench.at(30'000, 90);
  CHECK(bench.written(30'000) ==
        Lines{"ALERTS firing 1 @30000", "ALERTS pending stale @30000", "ALERTS_FOR_STATE 0 @30000"});
  bench.at(45'000, 10);
  CHECK(bench.written(45'000) == Lines{"ALERTS firing stale @45000", "ALERTS_FOR_STATE stale @45000"});
  CHECK(bench.written(60'000) == Lines{});
}

TEST_CASE("Changes of one millisecond have times of their own, and a clock set back is followed") {
  Bench bench;
  bench.at(100'000, 90);
  CHECK(bench.written(100'000).front() == "ALERTS pending 1 @100000");
  bench.at(100'000, 10);
  CHECK(bench.written(100'000) == Lines{"ALERTS pending stale @100001", "ALERTS_FOR_STATE stale @100001"});
  bench.at(101'000, 90);
  CHECK(bench.written(101'000).size() == 2);
  CHECK(bench.written(50'000) == Lines{"ALERTS pending 1 @50000", "ALERTS_FOR_STATE 101 @50000"});
}

TEST_CASE("An alert whose labels change with the value is over, and another begins") {
  Bench bench;
  bench.at(0, 90);
  bench.at(30'000, 90);
  const auto transitions = bench.at(45'000, 97);
  REQUIRE(transitions.size() == 2);
  CHECK(transitions[0].to == State::resolved);
  CHECK(transitions[0].alert.labels.get("severity") == "warning");
  CHECK(transitions[0].alert.reason == "its labels changed");
  CHECK(transitions[1].to == State::pending);
  CHECK(transitions[1].alert.labels.get("severity") == "critical");
  CHECK(transitions[0].alert.fingerprint != transitions[1].alert.fingerprint);
  CHECK(bench.book.size() == 1);
  CHECK(bench.book.find(transitions[1].alert.fingerprint) != nullptr);
  CHECK(bench.book.find(transitions[0].alert.fingerprint) == nullptr);
  bench.at(60'000, 97);
  CHECK(bench.at(75'000, 97).at(0).to == State::firing);
  CHECK(bench.at(90'000, 10).at(0).to == State::resolved);
  CHECK(bench.book.size() == 0);
}

TEST_CASE(
    "Texts that ask the storage are filled in when the state changes, the others whenever they are shown") {
  Bench bench;
  const auto began = bench.at(1'000, 90);
  REQUIRE(began.size() == 1);
  CHECK(began[0].alert.annotations.get("hottest") == "99");
  CHECK(bench.asked_ms == std::vector<std::int64_t>{1'000});
  bench.at(2'000, 91);
  bench.book.for_each([&](const Alert& alert) {
    const Labels shown = bench.book.annotations_now(alert);
    CHECK(shown.get("hottest") == "99");
    CHECK(shown.get("now") == "91");
  });
  CHECK(bench.asked_ms.size() == 1);
}
