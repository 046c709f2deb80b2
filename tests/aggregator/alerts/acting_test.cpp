// Actions of alerts, through the service: what is asked for and when, and that it is stored before it begins.
#include "aggregator/alerts/acting.h"

#include "aggregator/alerts/alert_service.h"
#include "aggregator/alerts/silencing.h"
#include "aggregator/matchers/matchers.h"
#include "aggregator/promql/parser.h"
#include "tests/aggregator/alerts/service_run.h"
#include "tests/aggregator/routing/configurations.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <map>

using namespace vigil;
using namespace vigil::alerts;
using namespace vigil::alerts::test;
using actions::RunState;

namespace {

constexpr const char* kActing = R"(
groups:
  - name: g
    interval: 1s
    rules:
      - alert: Full
        expr: used > 90
        labels: {severity: warning}
        actions: [clean, {run: tidy, on: resolved}]
)";

actions::ActionConfig action(const std::string& name) {
  actions::ActionConfig out;
  out.name = name;
  out.command = {"/bin/true"};
  return out;
}

/// A run of the service whose actions nobody carries out but the test.
struct Acted {
  explicit Acted(const vigil::test::TempDir& folder,
                 std::vector<actions::ActionConfig> configured = {action("clean"), action("tidy")},
                 RoutingPtr routing = {})
      : dir(folder), rules(rules_of(kActing)) {
    AlertServiceOptions options{dir.file("meta.db"), [this] { return now_ms.load(); }, {}};
    options.actions = std::make_shared<const std::vector<actions::ActionConfig>>(std::move(configured));
    options.routing = std::move(routing);
    options.ask = [this](std::string_view expr,
                         std::int64_t) -> Result<std::vector<std::pair<Labels, double>>> {
      asked = expr;
      return std::vector<std::pair<Labels, double>>{
          {Labels{{"__name__", "used"}, {"instance", "b"}, {"disk", "sda"}}, 1.0},
          {Labels{{"__name__", "used"}, {"instance", "a"}, {"disk", "sda"}}, value.load()}};
    };
    auto opened = AlertService::open(options, rules);
    REQUIRE(opened);
    service = std::move(*opened);
    service->set_notifier(recorder);
    service->set_perform([this](const actions::ActionConfig&, const actions::Run& run) {
      // What begins is on the disk.
      auto store = MetaStore::open(dir.file("meta.db"));
      if (!store) return false;
      const auto stored = store->runs();
      for (const StoredRun& row : *stored) {
        if (row.id == run.id && actions::decode_run(row.body)->state == RunState::running)
          begun[run.action] = run.id;
      }
      return true;
    });
    service->start();
  }
  ~Acted() { service->stop(); }

  void evaluate(std::int64_t seconds, const std::vector<std::string>& hosts) {
    now_ms = seconds * 1000;
    rules::Evaluation evaluation{rules->rules()[0], "web", seconds * 1000, {}, {}, {}};
    for (const std::string& host : hosts)
      evaluation.active.push_back(
          {std::make_shared<const Labels>(Labels{{"instance", host}, {"disk", "sda"}}), 95});
    service->take(std::move(evaluation));
    sync();
  }
  /// Once it has done all it was told.
  void sync() { static_cast<void>(explain(*service, "0")); }
  /// The oldest first.
  std::vector<actions::Run> runs() const {
    std::vector<actions::Run> out = service->runs({});
    std::reverse(out.begin(), out.end());
    return out;
  }
  std::string states() {
    sync();
    std::string out;
    for (const actions::Run& run : runs())
      out += fmt::format("{}{} {} {}", out.empty() ? "" : ", ", run.action, run.subject.host,
                         to_string(run.state));
    return out;
  }

  const vigil::test::TempDir& dir;
  std::atomic<std::int64_t> now_ms = 0;
  std::atomic<double> value = 95;
  std::string asked;  // by the service's thread; looked at after sync()
  rules::RuleSetPtr rules;
  Recorder recorder;
  std::map<std::string, std::string> begun;
  std::unique_ptr<AlertService> service;
};

actions::Outcome succeeded() {
  actions::Outcome out;
  out.state = RunState::succeeded;
  return out;
}

}  // namespace

TEST_CASE("an action waits while alertmanager.yml holds its alert back from all who are to hear of it") {
  const auto routing = std::make_shared<Routing>();
  routing->configuration = vigil::routing::configuration(R"(
route: {receiver: ops, routes: [{matchers: ['severity!=""'], mute_time_intervals: [first_hour]}]}
time_intervals: [{name: first_hour, time_intervals: [{times: [{start_time: '00:00', end_time: '01:00'}]}]}]
inhibit_rules:
  - {source_matchers: ['instance="gateway"'], target_matchers: ['instance=~"behind.*"'], equal: [alertname]}
receivers: [{name: ops}]
)");
  routing->channels["ops"] = {{"chat", true}};
  routing->endpoint_name = [](std::string_view, std::string_view) { return "ops/chat"; };
  const std::vector<actions::ActionConfig> configured{action("clean"), action("tidy")};
  const auto is_asked = [](Acted& run, std::string_view host) {
    return run.states().find(fmt::format("clean {} ", host)) != std::string::npos;
  };
  const vigil::test::TempDir dir;
  Acted run(dir, configured, routing);
  run.recorder.has_own = false;
  run.evaluate(3500, {"night"});
  CHECK_FALSE(is_asked(run, "night"));
  run.evaluate(3600, {"night", "gateway", "behind1"});
  CHECK(is_asked(run, "night"));
  CHECK(is_asked(run, "gateway"));
  CHECK_FALSE(is_asked(run, "behind1"));
  run.evaluate(3601, {"night", "behind1"});
  CHECK(is_asked(run, "behind1"));

  // Who hears of it all the same is told, and it is asked for.
  const vigil::test::TempDir other;
  Acted own(other, configured, routing);
  own.evaluate(1, {"night"});
  CHECK(is_asked(own, "night"));
}

TEST_CASE("a rule's action begins once its alert is told of, and its end runs the other") {
  const vigil::test::TempDir dir;
  Acted run(dir);
  run.evaluate(1, {"a"});
  CHECK(run.states() == "clean a running");
  REQUIRE(run.begun.contains("clean"));
  const actions::Run first = run.runs().front();
  CHECK(first.trigger == actions::Trigger::firing);
  CHECK(first.effect == "used");
  CHECK(first.before == 95.0);
  auto rows = run.recorder.wait_for(1);
  REQUIRE(rows.size() == 1);
  REQUIRE(rows[0].note.evidence.size() == 1);
  CHECK(rows[0].note.evidence[0].title == "Actions");
  CHECK(rows[0].note.evidence[0].rows[0].name == "clean");

  run.now_ms = 10'000;
  run.value = 40;
  run.service->action_ended(first.id, succeeded());
  run.evaluate(20, {});
  CHECK(run.states() == "clean a succeeded, tidy a running");
  rows = run.recorder.wait_for(2);
  REQUIRE(rows.size() == 2);
  CHECK(rows[1].note.evidence[0].rows[0].value.ends_with(" UTC: succeeded"));

  run.now_ms = 400'000;
  for (int i = 0; i < 500 && !run.runs().front().is_measured; ++i)  // a beat looks at it
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(run.runs().front().after == 40.0);
  CHECK(run.runs().front().is_measured);
}

TEST_CASE("what a silence holds back does nothing until it is over") {
  const vigil::test::TempDir dir;
  Acted run(dir);
  silences::Silence silence;
  silence.matchers = matchers::parse_matchers("alertname=\"Full\"")->matchers;
  silence.starts_ms = 0;
  silence.ends_ms = 60'000;
  silence.author = "ada";
  silence.comment = "disks";
  const auto id = put_silence(*run.service, silence);
  REQUIRE(id);
  run.evaluate(1, {"a"});
  CHECK(run.states().empty());
  REQUIRE(expire_silence(*run.service, *id));
  run.evaluate(2, {"a"});
  CHECK(run.states() == "clean a running");
}

TEST_CASE("somebody approves, an alert that ends cancels, and a restart remembers both") {
  const vigil::test::TempDir dir;
  actions::ActionConfig clean = action("clean");
  clean.approval = true;
  {
    Acted run(dir, {clean, action("tidy")});
    run.evaluate(1, {"a", "b"});
    CHECK(run.states() == "clean a needs_approval, clean b needs_approval");
    CHECK(run.begun.empty());
  }
  Acted again(dir, {clean, action("tidy")});
  CHECK(again.states() == "clean a needs_approval, clean b needs_approval");
  const auto decided = decide_run(*again.service, again.runs().front().id, {true, "ada", "go"});
  REQUIRE(decided);
  CHECK(again.states() == "clean a running, clean b needs_approval");
  again.evaluate(2, {"a"});
  CHECK(again.states() == "clean a running, clean b cancelled, tidy b running");
}

TEST_CASE("an action by hand, also one that nobody configured") {
  const vigil::test::TempDir dir;
  Acted run(dir);
  actions::Order order;
  order.action = "clean";
  order.trigger = actions::Trigger::manual;
  order.author = "ada";
  REQUIRE(run_action(*run.service, order));
  order.action = "nothing";
  CHECK(run_action(*run.service, order).error().message == "no action is called nothing");
  CHECK(run.states() == "clean  running");
}

TEST_CASE("a label's value stays within the quotes of the effect that asks for it") {
  const vigil::test::TempDir dir;
  actions::ActionConfig quoting = action("clean");
  quoting.effect = "used{instance=\"{{ $labels.instance }}\"} - used{instance='{{ $labels.instance }}'}";
  Acted run(dir, {quoting, action("tidy")});
  run.evaluate(1, {"a\"} or '\\"});
  run.sync();
  REQUIRE(run.runs().size() == 1);
  const std::string effect = run.runs().front().effect;
  CHECK(effect == "used{instance=\"a\\\"} or \\x27\\\\\"} - used{instance='a\\\"} or \\x27\\\\'}");
  CHECK(promql::parse(effect));
}

TEST_CASE("an action that nobody configured is named at its place in the rule file") {
  const auto checked = check_actions(*rules_of(kActing), {action("tidy")});
  REQUIRE_FALSE(checked);
  CHECK(checked.error().message.find("groups[0].rules[0].actions[0]: no action is called clean; the "
                                     "configuration has tidy") != std::string::npos);
  CHECK(check_actions(*rules_of(kActing), {action("tidy"), action("clean")}));
}
