// Routes and groups of alertmanager.yml in the running alert service: what is told to whom, over restarts.
#include "aggregator/alerts/grouping.h"

#include "aggregator/alerts/routing_file.h"
#include "aggregator/alerts/silencing.h"
#include "tests/aggregator/alerts/service_run.h"
#include "tests/aggregator/routing/configurations.h"
#include "tests/support/temp_file.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace vigil;
using namespace vigil::alerts;
using namespace vigil::alerts::test;

namespace {

constexpr const char* kFile = R"(
route:
  receiver: ops
  group_by: [alertname]
  group_wait: 10s
  group_interval: 60s
  repeat_interval: 1h
  routes:
    - {matchers: ['alertname="Slow"'], receiver: web, group_wait: 0s}
inhibit_rules:
  - {source_matchers: ['instance="gateway"'], target_matchers: ['instance=~"behind.*"'], equal: [alertname]}
receivers: [{name: ops}, {name: web}]
)";

RoutingPtr routing_of(std::string_view text = kFile) {
  auto routing = std::make_shared<Routing>();
  routing->configuration = routing::configuration(text);
  for (const routing::Receiver& receiver : routing->configuration.receivers)
    routing->channels[receiver.name] = {{"chat", true}};
  routing->endpoint_name = [](std::string_view receiver, std::string_view channel) {
    return fmt::format("{}/{}", receiver, channel);
  };
  return routing;
}

/// What groups were told of, a line each: "ops/chat firing: a b; over: c".
std::string told_groups(const std::vector<notify::Row>& rows) {
  std::string out;
  for (const notify::Row& row : rows) {
    if (!row.group) continue;
    std::string firing;
    std::set<std::string> ends;
    for (const notify::Notification& note : row.group->alerts) {
      if (note.kind == notify::Kind::firing) {
        firing += " " + note.instance;
      } else {
        ends.insert(" " + note.instance);
      }
    }
    const std::string over = fmt::format("{}", fmt::join(ends, ""));
    out += fmt::format("{}{} {}:{}{}{}", out.empty() ? "" : "\n", row.receiver, to_string(row.note.kind),
                       firing, over.empty() ? "" : "; over:", over);
  }
  return out;
}

/// Steps of the clock, each taken in before the next.
void evaluate(Run& run, std::size_t rule, std::int64_t seconds, const std::vector<std::string>& hosts) {
  const std::uint64_t before = run.service->counters().evaluations;
  run.evaluate(rule, seconds, hosts);
  run.settle(before + 1);
}

/// The direct messages of the same alerts are not what is looked at here: only `count` of groups.
std::vector<notify::Row> groups_of(Run& run, std::size_t count) {
  for (int i = 0;; ++i) {
    std::vector<notify::Row> groups = run.recorder.wait_for(0);
    std::erase_if(groups, [](const notify::Row& row) { return !row.group; });
    if (groups.size() >= count || i == 1000) return groups;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace

TEST_CASE("alerts are listed with their groups by other threads while they come and go") {
  const TempDir dir;
  Run run(dir, kRules, {}, routing_of(), 1);
  std::atomic<bool> goes_on = true;
  std::thread reader([&] {
    while (goes_on) {
      for (const AlertInfo& alert : run.service->alerts()) {
        if (alert.state == State::firing && alert.receivers.empty()) goes_on = false;
      }
    }
  });
  for (std::int64_t second = 2; second < 60; ++second) {
    std::vector<std::string> hosts;
    for (int host = 0; host < 20; ++host) hosts.push_back(fmt::format("{}-{}", second % 2, host));
    evaluate(run, 0, second, hosts);
  }
  CHECK(goes_on.exchange(false));
  reader.join();
}

TEST_CASE("alerts of a group are one message after its wait, and what changed is one after its interval") {
  const TempDir dir;
  Run run(dir, kRules, {}, routing_of(), 1);
  evaluate(run, 0, 2, {"a"});
  evaluate(run, 0, 5, {"a", "b"});
  CHECK(groups_of(run, 0).empty());
  evaluate(run, 0, 12, {"a", "b"});
  const auto first = groups_of(run, 1);
  REQUIRE(told_groups(first) == "ops/chat firing: a b");
  CHECK(first[0].group->labels == Labels{{"alertname", "Full"}});
  CHECK(first[0].group->receiver == "ops");
  CHECK(first[0].group->key == R"({}:{alertname="Full"})");
  CHECK(first[0].id > 0);

  evaluate(run, 0, 20, {"b", "c"});
  CHECK(groups_of(run, 0).size() == 1);
  evaluate(run, 0, 72, {"b", "c"});
  CHECK(told_groups(groups_of(run, 2)) == "ops/chat firing: a b\nops/chat firing: b c; over: a");
  evaluate(run, 0, 80, {});
  evaluate(run, 0, 132, {});
  CHECK(told_groups(groups_of(run, 3)) ==
        "ops/chat firing: a b\nops/chat firing: b c; over: a\nops/chat resolved:; over: b c");
}

TEST_CASE("a group's message has all there is to say of its alerts, also of those that are over") {
  const TempDir dir;
  Run run(dir, R"(groups: [{name: g, interval: 1s, rules: [{alert: Full, expr: used > 90,
             annotations: {summary: '{{ $labels.disk }} of {{ $labels.instance }}'}}]}])",
          {}, routing_of(), 1);
  evaluate(run, 0, 2, {"a"});
  evaluate(run, 0, 12, {"a"});
  evaluate(run, 0, 13, {});
  evaluate(run, 0, 72, {});
  const auto rows = groups_of(run, 2);
  REQUIRE(rows.size() == 2);
  const notify::Notification& over = rows[1].group->alerts.at(0);
  CHECK(over.annotations.get("summary") == "sda of a");
  CHECK(over.fired_at_ms == 2000);
  CHECK(over.resolved_at_ms == 13'000);
  CHECK(rows[0].note.key != rows[1].note.key);
  CHECK(rows[0].note.fingerprint == rows[1].note.fingerprint);
}

TEST_CASE("a group's message has the evidence of its first twenty alerts") {
  const TempDir dir;
  const EvidenceCollector collector = [](std::string_view instance, std::int64_t /*t_ms*/) {
    return std::vector<notify::Evidence>{{"Top", {{fmt::format("postgres on {}", instance), "71%"}}}};
  };
  Run run(dir, kRules, collector, routing_of(), 1);
  std::vector<std::string> hosts;
  for (int i = 0; i < 25; ++i) hosts.push_back(fmt::format("web-{}", i));
  evaluate(run, 0, 2, hosts);
  evaluate(run, 0, 12, hosts);
  const auto rows = groups_of(run, 1);
  REQUIRE(rows.size() == 1);
  const auto& alerts = rows[0].group->alerts;
  REQUIRE(alerts.size() == 25);
  CHECK(std::none_of(alerts.begin() + 20, alerts.end(),
                     [](const notify::Notification& note) { return !note.evidence.empty(); }));
  const auto with = std::count_if(alerts.begin(), alerts.end(), [](const notify::Notification& note) {
    return !note.evidence.empty() && note.evidence[0].rows[0].name == "postgres on " + note.instance;
  });
  CHECK(with > 0);  // of a mass of alerts evidence is gathered for some
}

TEST_CASE("a restart between any two steps repeats no message of a group and forgets none") {
  const TempDir dir;
  std::vector<std::string> told;
  const std::vector<std::pair<std::int64_t, std::vector<std::string>>> steps = {
      {2, {"a"}}, {12, {"a"}}, {13, {"a", "b"}}, {20, {"b"}}, {72, {"b"}}, {100, {}}, {132, {}}, {200, {}}};
  for (const auto& [seconds, hosts] : steps) {
    Run run(dir, kRules, {}, routing_of(), seconds);
    evaluate(run, 0, seconds, hosts);
    run.service->stop();
    if (const std::string said = told_groups(run.recorder.wait_for(0)); !said.empty()) {
      // Nobody took what is in the outbox: each start hands it out again.
      const std::size_t last = said.rfind('\n');
      told.push_back(last == std::string::npos ? said : said.substr(last + 1));
    }
  }
  told.erase(std::unique(told.begin(), told.end()), told.end());
  CHECK(told == std::vector<std::string>{"ops/chat firing: a", "ops/chat firing: b; over: a",
                                         "ops/chat resolved:; over: b"});
}

TEST_CASE("routes lead to other receivers, and a wait of nothing tells at once") {
  const TempDir dir;
  Run run(dir, kRules, {}, routing_of(), 1);
  for (const std::int64_t second : {1, 5, 11, 12}) evaluate(run, 1, second, {"a"});
  CHECK(told_groups(groups_of(run, 1)) == "web/chat firing: a");
}

TEST_CASE("silences and inhibition hold back what a group says, until they end") {
  const TempDir dir;
  Run run(dir, kRules, {}, routing_of(), 1);
  silences::Silence silence;
  silence.matchers = matchers::parse_matchers("instance=quiet")->matchers;
  silence.starts_ms = 1000;
  silence.ends_ms = 30'000;
  silence.author = silence.comment = "x";
  REQUIRE(put_silence(*run.service, silence));
  evaluate(run, 0, 2, {"quiet", "behind1", "gateway"});
  evaluate(run, 0, 12, {"quiet", "behind1", "gateway"});
  CHECK(told_groups(groups_of(run, 1)) == "ops/chat firing: gateway");
  evaluate(run, 0, 72, {"quiet", "behind1"});
  CHECK(told_groups(groups_of(run, 2)) ==
        "ops/chat firing: gateway\nops/chat firing: behind1 quiet; over: gateway");
}

TEST_CASE(
    "members of a stored group that no alert is left of are over, and rows that are no groups are counted") {
  Grouping grouping(routing_of());
  routing::GroupState group;
  group.route = "{} ops";
  group.group_key = "{}:{}";
  group.receiver = "ops";
  group.alerts = {{"gone", routing::Membership::firing}};
  group.told = {{"chat", {1, {"gone"}}}};
  grouping.restore(
      {{group.id(), routing::encode(group), R"({"ended":[]})"}, {"x", "{", "{}"}, {"y", "{}", "["}});
  CHECK(grouping.damaged() == 2);
  const AlertBook book({});
  grouping.join(book, 1000);
  CHECK(
      grouping.flush(book, 1000, "", [](const Alert&) { return false; }).empty());  // nothing is known of it
  CHECK(grouping.take_changed().contains(group.id()));
  CHECK_FALSE(grouping.stored(group.id()));
}

TEST_CASE("another file leads elsewhere from its reload on, and who was told is told the end") {
  const TempDir dir;
  Run run(dir, kRules, {}, routing_of(), 1);
  evaluate(run, 0, 2, {"a"});
  evaluate(run, 0, 12, {"a"});
  CHECK(told_groups(groups_of(run, 1)) == "ops/chat firing: a");
  run.service->reload({run.rules, routing_of(R"(
route: {receiver: web, group_wait: 10s, group_interval: 60s}
receivers: [{name: ops}, {name: web}]
)")});
  evaluate(run, 0, 13, {"a"});
  CHECK(told_groups(groups_of(run, 2)) == "ops/chat firing: a\nweb/chat firing: a");
  evaluate(run, 0, 14, {});
  evaluate(run, 0, 400, {});
  const std::string told = told_groups(groups_of(run, 4));
  CHECK(told.find("ops/chat resolved:; over: a") != std::string::npos);
  CHECK(told.find("web/chat resolved:; over: a") != std::string::npos);
}

TEST_CASE("without alertmanager.yml nothing is grouped, and what was stored waits for it") {
  const TempDir dir;
  const auto groups = [&dir] { return MetaStore::open(dir.file("meta.db"))->groups()->size(); };
  {
    Run run(dir, kRules, {}, routing_of(), 1);
    evaluate(run, 0, 2, {"a"});
  }
  CHECK(groups() == 1);
  {
    Run run(dir, kRules, {}, {}, 1);
    evaluate(run, 0, 3, {"a"});
    evaluate(run, 0, 40, {"a"});
    run.service->stop();
    CHECK(groups_of(run, 0).empty());
  }
  CHECK(groups() == 1);
}

namespace {

/// A line each: "at: kind by text".
std::string explained(Run& run, const std::string& id) {
  const auto explanation = explain(*run.service, id);
  REQUIRE(explanation);
  std::string out;
  for (const Event& event : explanation->events) {
    out += fmt::format("{}: {}{}{}{}{}\n", event.at_ms / 1000, to_string(event.kind),
                       event.by.empty() ? "" : " ", event.by, event.text.empty() ? "" : " | ", event.text);
  }
  return out;
}

std::string id_of(Run& run, std::string_view instance) {
  for (const AlertInfo& alert : run.service->alerts()) {
    if (alert.instance == instance) return alert.fingerprint;
  }
  return "none";
}

}  // namespace

TEST_CASE("who looks after an alert is not told of it again, until it is over; over restarts, too") {
  const TempDir dir;
  std::string id;
  {
    Run run(dir, kRules, {}, routing_of(), 1);
    evaluate(run, 0, 2, {"a"});
    evaluate(run, 0, 12, {"a"});
    groups_of(run, 1);
    id = id_of(run, "a");
    CHECK(acknowledge(*run.service, "none", {"ada", "", 0}).error().code == Errc::not_found);
    REQUIRE(acknowledge(*run.service, id.substr(0, 8), {"ada", "new disks", 0}));
  }
  Run run(dir, kRules, {}, routing_of(), 13);
  CHECK(explained(run, id).find("12: acknowledged ada | new disks\n") != std::string::npos);
  CHECK(explained(run, id).find("will_be_repeated") == std::string::npos);
  CHECK(run.service->alerts().at(0).acknowledgement.author == "ada");
  const std::size_t before = groups_of(run, 0).size();  // what nobody took from the outbox
  evaluate(run, 0, 4000, {"a"});
  CHECK(groups_of(run, 0).size() == before);
  REQUIRE(acknowledge(*run.service, id, {}));
  evaluate(run, 0, 4100, {"a"});
  CHECK(told_groups(groups_of(run, before + 1)).ends_with("ops/chat firing: a"));
  REQUIRE(acknowledge(*run.service, id, {"ada", "", 0}));
  evaluate(run, 0, 4110, {});
  CHECK(acknowledge(*run.service, id, {"ada", "", 0}).error().code == Errc::conflict);
  evaluate(run, 0, 4300, {});
  CHECK(told_groups(groups_of(run, before + 2)).ends_with("ops/chat resolved:; over: a"));
}

TEST_CASE("an alert is explained: what happened, what holds it back, who was told, what comes next") {
  const TempDir dir;
  Run run(dir, kRules, {}, routing_of(), 1);
  evaluate(run, 1, 2, {"web-1"});
  const std::string slow = id_of(run, "web-1");
  CHECK(explained(run, slow) == "2: holds | ms > 5\n12: will_fire | for 10s\n");

  evaluate(run, 0, 2, {"gateway", "behind1"});
  const std::string gateway = id_of(run, "gateway");
  CHECK(explained(run, gateway) ==
        "2: holds | used > 90\n2: fires\n2: waits ops\n"
        "12: will_be_told ops/chat | group {}:{alertname=\"Full\"}\n");
  evaluate(run, 0, 12, {"gateway", "behind1"});
  groups_of(run, 1);
  CHECK(explained(run, gateway.substr(0, 6)) ==
        "2: holds | used > 90\n2: fires\n2: waits ops\n"
        "12: waits ops/chat | group {}:{alertname=\"Full\"}\n"
        "3612: will_be_repeated ops/chat | group {}:{alertname=\"Full\"}\n");
  for (const notify::Row& row : run.recorder.wait_for(2)) {
    notify::Delivery came;
    came.ids = {row.id};
    came.outcome = row.group ? notify::Outcome::dead : notify::Outcome::delivered;
    came.error = row.group ? "HTTP 503" : "";
    run.service->delivered(std::move(came));
  }
  CHECK(explained(run, gateway) ==
        "2: holds | used > 90\n2: fires\n2: told ops\n"
        "12: given_up ops/chat | group {}:{alertname=\"Full\"}; HTTP 503\n"
        "3612: will_be_repeated ops/chat | group {}:{alertname=\"Full\"}\n");
  CHECK(explained(run, id_of(run, "behind1"))
            .find("0: inhibited Full | on gateway; inhibition rule inhibit_rules[0] on the routes of "
                  "alertmanager.yml; "
                  "not for receivers of notifications\n") != std::string::npos);
  // When what comes next will come nobody knows: it is held back.
  CHECK(explained(run, id_of(run, "behind1")).find("\n0: will_be_told") != std::string::npos);

  silences::Silence silence;
  silence.matchers = matchers::parse_matchers("instance=gateway")->matchers;
  silence.ends_ms = 30'000;
  silence.author = "ada";
  silence.comment = "new disks";
  const auto set = put_silence(*run.service, silence);
  REQUIRE(set);
  CHECK(explained(run, gateway).find(fmt::format("30: silenced {} | ada: new disks\n", *set)) !=
        std::string::npos);
  evaluate(run, 0, 20, {"behind1"});
  // The silence held it back before it was over; its end is told all the same.
  CHECK(explained(run, gateway) ==
        fmt::format("2: holds\n2: fires\n2: told ops\n"
                    "12: given_up ops/chat | group {{}}:{{alertname=\"Full\"}}; HTTP 503\n"
                    "20: over\n20: waits ops | that it is over\n"
                    "30: silenced {} | ada: new disks\n"
                    "72: will_be_told ops/chat | that it is over; group {{}}:{{alertname=\"Full\"}}\n",
                    *set));
  CHECK(explain(*run.service, "none").error().code == Errc::not_found);
  CHECK(explain(*run.service, "").error().code == Errc::invalid_argument);
}

TEST_CASE("a pattern of templates that no file fits is warned of") {
  const vigil::test::TempFile file(
      "am.yml", "route: {receiver: ops}\nreceivers: [{name: ops}]\ntemplates:\n  - 'nope*.tmpl'\n");
  notify::NotificationsConfig config;
  config.alertmanager_file = file.path();
  const auto loaded = load_routing(config, "");
  REQUIRE(loaded);
  CHECK(loaded->warnings ==
        std::vector<std::string>{file.path() + ":4:5: templates[0]: no file fits this pattern"});
}

TEST_CASE("an explanation names receivers that are told of none like it") {
  const auto says = [](std::vector<routing::Channel> channels, const std::string& line) {
    const TempDir dir;
    const auto routing = std::make_shared<Routing>(*routing_of());
    routing->channels["ops"] = std::move(channels);
    Run run(dir, kRules, {}, routing, 1);
    run.recorder.least_of = "night";
    run.recorder.least = notify::Severity::critical;
    evaluate(run, 0, 2, {"a"});
    return explained(run, id_of(run, "a")).find("\n0: not_told " + line + "\n") != std::string::npos;
  };
  CHECK(says({}, "ops | has no channel vigil can use"));
  CHECK(says({{.name = "sms[0]", .critical_only = true}}, "ops | takes critical alerts only"));
  CHECK_FALSE(says({{.name = "slack[0]"}}, "ops | takes critical alerts only"));
  CHECK(says({}, "night | takes critical alerts only"));
}

TEST_CASE("an explanation knows by what an alert is held back, whatever the inhibitor is called") {
  const TempDir dir;
  Run run(dir, R"(
groups:
  - name: g
    interval: 1s
    rules:
      - {alert: Hot, expr: t > 80, labels: {severity: warning}}
      - {alert: Hot, expr: t > 90, labels: {severity: critical}}
      - {alert: Hot (room), expr: room > 30, labels: {severity: info}, annotations: {vigil_inhibits: 'Hot, Hot (room)'}}
      - {alert: HostDown, expr: up == 0, labels: {severity: critical}, annotations: {vigil_inhibits: instance}}
)",
          {}, {}, 1);
  run.evaluate(0, 2, {"web-1"});
  run.settle(1);
  const std::string warning = id_of(run, "web-1");
  const auto held_back = [&](const std::string& line) {
    return explained(run, warning).find("0: inhibited " + line + "\n") != std::string::npos;
  };
  run.evaluate(1, 3, {"web-1"});
  run.settle(2);
  CHECK(held_back("Hot (critical) | the same, and more severe"));
  run.evaluate(3, 4, {"web-1"});
  run.settle(3);
  CHECK(held_back("HostDown | by its rule's vigil_inhibits: instance"));
  run.evaluate(2, 5, {"cellar"});
  run.settle(4);
  CHECK(held_back("Hot (room) | on cellar; by its rule's vigil_inhibits: Hot"));
  // Its own name in the list holds back nothing.
  CHECK(explained(run, id_of(run, "cellar")).find("inhibited") == std::string::npos);

  silences::Silence silence;
  silence.matchers = matchers::parse_matchers("instance=cellar")->matchers;
  silence.ends_ms = 30'000;
  silence.author = silence.comment = "x";
  REQUIRE(put_silence(*run.service, silence));
  CHECK(held_back("HostDown | by its rule's vigil_inhibits: instance"));
  CHECK(
      explained(run, id_of(run, "cellar")).find(" | x: x; meanwhile it holds back no alert by its name\n") !=
      std::string::npos);
}
