// What a reload says it changed. How it is done end to end: tests/e2e/test_reload.py.
#include "aggregator/reload.h"

#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <csignal>

namespace vigil::aggregator {
namespace {

using Lines = std::vector<std::string>;

rules::RuleSetPtr rules_of(const std::string& rules) {
  auto set =
      rules::RuleSet::load_texts({{"r.yml", "groups: [{name: g, rules: [" + rules + "]}]"}}, {}, {}, "");
  REQUIRE(set);
  return *set;
}

AggregatorConfig config_of(const std::string& text) {
  AggregatorConfig config;
  REQUIRE(config::load_text(text, "vigil.yml", config));
  return config;
}

/// SIGHUP, which ask() sends to this process, is kept from ending it.
class HangupIgnored {
 public:
  HangupIgnored() : before_(std::signal(SIGHUP, SIG_IGN)) {}
  ~HangupIgnored() { std::signal(SIGHUP, before_); }

 private:
  void (*before_)(int);
};

}  // namespace

TEST_CASE("rules that are new, gone and other than before are named") {
  const auto before = rules_of("{alert: A, expr: up}, {alert: B, expr: up > 1}, {alert: C, expr: up}");
  const auto after = rules_of("{alert: A, expr: up}, {alert: B, expr: up > 2}, {alert: D, expr: up}");
  CHECK(rule_changes(*before, *after) == Lines{"1 rule added: D", "1 rule changed: B", "1 rule removed: C"});
  CHECK(rule_changes(*after, *after).empty());
}

TEST_CASE("a rule is another one when anything that it does is") {
  const auto before = rules_of("{alert: A, expr: up}");
  for (const char* other :
       {"{alert: A, expr: up, for: 1m}", "{alert: A, expr: up, labels: {a: b}}",
        "{alert: A, expr: up, annotations: {a: b}}", "{alert: A, expr: up, keep_firing_for: 1m}",
        "{alert: A, expr: up, evidence: {load: node_load1}}"}) {
    INFO(other);
    CHECK(rule_changes(*before, *rules_of(other)) == Lines{"1 rule changed: A"});
  }
  const auto watching = rules_of("{alert: A, expr: up > 1, on_no_data: alert}");
  for (const char* other : {"{alert: A, expr: up > 1, on_no_data: alert, steady: 1h}",
                            "{alert: A, expr: up > 1, on_no_data: alert, known: up == 1}"}) {
    INFO(other);
    CHECK(rule_changes(*watching, *rules_of(other)) == Lines{"1 rule changed: A"});
  }
}

TEST_CASE("keys that are taken and keys that wait for a restart are told apart, until they are as before") {
  ConfigInForce in_force(config_of(""));
  const AggregatorConfig next = config_of(
      "log_level: debug\nrules: {preset: none}\ngrpc_listen: 127.0.0.1:1\nstore: {raw: {retention: 9d}}");
  const ReloadReport report = in_force.compare(next);
  CHECK(report.changed == Lines{"rules.preset", "log_level"});
  CHECK(report.needs_restart == Lines{"grpc_listen", "store.raw.retention"});
  in_force.adopt(next);
  CHECK(in_force.waiting() == 2);
  CHECK(in_force.compare(next).changed.empty());
  CHECK(in_force.compare(config_of("")).needs_restart.empty());
}

TEST_CASE("the log of changes has keys before and after a reload, and no secrets") {
  ConfigInForce in_force(config_of("log_level: warn"));
  const ReloadReport report = in_force.compare(
      config_of("log_level: debug\nnotifications: {receivers: [{name: a, slack: {webhook_url: "
                "https://hooks.slack.com/services/hunter2}}]}"));
  const access::Change change = change_of(report);
  CHECK(change.what == "reload");
  CHECK(change.before == R"({"settings":{"log_level":"warn"}})");
  CHECK(change.after.find(R"("log_level":"debug")") != std::string::npos);
  CHECK(change.after.find(R"("needs_restart":["notifications.receivers"])") != std::string::npos);
  CHECK(change.after.find(".webhook_url\":\"<secret>\"") != std::string::npos);
  CHECK(change.after.find("hunter2") == std::string::npos);
  const auto refused = change_of(Result<ReloadReport>(fail(Errc::invalid_argument, "line 3: no")));
  CHECK(refused.after == R"({"refused":"line 3: no"})");
}

TEST_CASE("the file of routes is named when its text is another one") {
  const test::TempDir folder;
  const std::string routes = folder.file("alertmanager.yml");
  std::ofstream(routes) << "route: {receiver: a}";
  const AggregatorConfig config = config_of("notifications: {alertmanager_file: " + routes + "}");
  ConfigInForce in_force(config);
  CHECK(in_force.compare(config).changed.empty());
  std::ofstream(routes) << "route: {receiver: b}";
  CHECK(in_force.compare(config).changed == Lines{routes});
  in_force.adopt(config);
  CHECK(in_force.compare(config).changed.empty());
}

TEST_CASE("a secret that is another one in the same file is told of: in force, or in force after a restart") {
  const test::TempDir folder;
  const auto write = [&](const char* name, const char* text) { std::ofstream(folder.file(name)) << text; };
  const std::string routes = folder.file("alertmanager.yml");
  for (const char* name : {"hook", "action", "key"}) write(name, "old");
  write("alertmanager.yml",
        "route: {receiver: a}\nreceivers: [{name: a, pagerduty_configs: [{routing_key_file: key}]}]");
  const AggregatorConfig config = config_of(
      fmt::format("notifications: {{alertmanager_file: {0}/alertmanager.yml, receivers: [{{name: a, slack: "
                  "{{webhook_url_file: {0}/hook}}}}]}}\n"
                  "actions: [{{name: b, webhook: {{url: 'http://127.0.0.1:9/', token_file: {0}/action}}}}]",
                  std::filesystem::path(routes).parent_path().string()));
  ConfigInForce in_force(config);
  in_force.adopt(config);
  CHECK(in_force.waiting() == 0);

  for (const char* name : {"hook", "action", "key"}) write(name, "new");
  const ReloadReport report = in_force.compare(config);
  CHECK(report.changed == Lines{folder.file("key"), "actions[0].webhook.token_file"});
  CHECK(report.needs_restart == Lines{"notifications.receivers[0].slack.webhook_url_file"});
  in_force.adopt(config);
  CHECK(in_force.waiting() == 1);
  CHECK(in_force.compare(config).changed.empty());  // they are in force
  CHECK(in_force.compare(config).needs_restart == report.needs_restart);
  write("hook", "old");
  CHECK(in_force.compare(config).needs_restart.empty());
}

TEST_CASE("who asks for a reload while the program stops is told so, and who waited, too") {
  const HangupIgnored ignored;
  ReloadRequests requests;
  std::vector<Errc> told;
  const auto note = [&told](const Result<ReloadReport>& done) { told.push_back(done.error().code); };
  requests.ask(note);
  CHECK(told.empty());
  requests.refuse();
  requests.ask(note);
  CHECK(told == std::vector<Errc>{Errc::unavailable, Errc::unavailable});
  CHECK(requests.take().empty());
}

TEST_CASE("own metrics tell of the latest reload and of keys that wait") {
  self::Registry registry;
  ReloadMetrics metrics(registry, 5000);
  metrics.refused();
  CHECK_THAT(registry.exposition(),
             Catch::Contains("vigil_aggregator_reload_successful 0\n") &&
                 Catch::Contains("vigil_aggregator_reloads_total{outcome=\"refused\"} 1\n") &&
                 Catch::Contains("reload_success_timestamp_seconds 5\n"));
  metrics.taken(3, 7000);
  CHECK_THAT(registry.exposition(), Catch::Contains("vigil_aggregator_reload_successful 1\n") &&
                                        Catch::Contains("vigil_aggregator_restart_needed_keys 3\n") &&
                                        Catch::Contains("reload_success_timestamp_seconds 7\n"));
}

}  // namespace vigil::aggregator
