#include "tests/aggregator/routing/configurations.h"

#include <chrono>

namespace vigil::routing {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

/// The errors, without the file's name.
std::string errors(std::string_view text) {
  calendar::Zones zones;
  const auto read = read_configuration(text, "am.yml", zones);
  return read ? "" : read.error().message;
}

constexpr std::string_view kWhole = R"(
global:
  smtp_smarthost: mail.example.org:587
  smtp_from: am@example.org
  smtp_auth_username: am
  smtp_auth_password_file: smtp.password
  slack_api_url_file: /etc/am/slack
  http_config: {tls_config: {ca_file: ca.pem}}
templates: [templates/*.tmpl]
route:
  receiver: default
  group_by: [cluster, alertname]
  group_wait: 10s
  repeat_interval: 1d
  routes:
    - receiver: database
      matchers: [service=~"mysql|cassandra"]
      group_wait: 1m
      routes:
        - match: {severity: critical}
          match_re: {env: prod.*}
          receiver: pager
          group_by: ['...']
          continue: true
    - matchers: [team = web, '"a.b" = c']
      mute_time_intervals: [nights, weekend]
      active_time_intervals: [nights]
receivers:
  - name: default
    email_configs: [{to: 'a@example.org, b@example.org', require_tls: false}]
    slack_configs:
      - &slack {channel: '#ops', send_resolved: true, title: '{{ .CommonLabels.alertname }}', fields: [{title: a, value: b, short: true}]}
      - {<<: *slack, channel: '#dba', api_url: https://slack.example.org/x}
  - name: database
    webhook_configs: [{url: http://127.0.0.1/, max_alerts: 5, http_config: {bearer_token_file: token}}]
    discord_configs: [{webhook_url_file: discord}]
    telegram_configs: [{bot_token: x, chat_id: -100123}]
  - name: pager
    pagerduty_configs: [{routing_key_file: pd, details: {a: b}, links: [{href: https://example.org, text: x}]}]
    msteams_configs: [{webhook_url: https://teams.example.org}]
    msteamsv2_configs: [{webhook_url: https://teams.example.org/2, title: t}]
inhibit_rules:
  - source_matchers: [severity=critical]
    target_match: {severity: warning}
    equal: [alertname, instance]
mute_time_intervals:
  - name: weekend
    time_intervals: [{weekdays: ['saturday', Sunday]}]
time_intervals:
  - name: nights
    time_intervals:
      - times: [{start_time: '22:00', end_time: '24:00'}, {start_time: '00:00', end_time: '06:30'}]
        weekdays: ['monday:friday']
        days_of_month: ['1:5', '-3:-1']
        months: ['1:3', 'may:August', '12']
        years: ['2020:2030', 2040]
        location: Europe/Berlin
)";

}  // namespace

TEST_CASE("an alertmanager.yml is read whole") {
  const Configuration c = configuration(kWhole);
  CHECK(c.warnings == std::vector<std::string>{});
  CHECK(c.templates == std::vector<std::string>{"/etc/am/templates/*.tmpl"});

  CHECK(c.root.receiver == "default");
  CHECK(c.root.key == "{}");
  CHECK(c.root.timings == Timings{seconds(10), minutes(5), std::chrono::hours(24)});
  CHECK(c.root.group_by == std::vector<std::string>{"alertname", "cluster"});
  REQUIRE(c.root.routes.size() == 2);
  const Route& database = c.root.routes[0];
  CHECK(database.timings.wait == minutes(1));
  CHECK(database.group_by == c.root.group_by);
  REQUIRE(database.routes.size() == 1);
  const Route& pager = database.routes[0];
  CHECK(pager.key == R"({}/{service=~"mysql|cassandra"}/{env=~"prod.*",severity="critical"})");
  CHECK(pager.timings.wait == minutes(1));
  CHECK(pager.group_by_all);
  CHECK(pager.continues);
  CHECK(c.root.routes[1].receiver == "default");
  CHECK(c.root.routes[1].mute_calendars == std::vector<std::string>{"nights", "weekend"});
  CHECK(c.root.routes[1].active_calendars == std::vector<std::string>{"nights"});

  REQUIRE(c.inhibit_rules.size() == 1);
  CHECK(c.inhibit_rules[0].name == "inhibit_rules[0]");
  CHECK(c.inhibit_rules[0].equal == std::vector<std::string>{"alertname", "instance"});

  REQUIRE(c.calendars.size() == 2);
  const calendar::TimeInterval& nights = c.calendars.at("nights").intervals.at(0);
  CHECK(nights.zone->name() == "Europe/Berlin");
  REQUIRE(nights.times.size() == 2);
  CHECK(nights.times[1].end == 390);
  REQUIRE(nights.months.size() == 3);
  CHECK(nights.months[1].last == 8);
  CHECK(nights.days_of_month[1].first == -3);
}

TEST_CASE("channels take from global what they do not say themselves") {
  const Configuration c = configuration(kWhole);
  REQUIRE(c.receivers.size() == 3);
  const Receiver& all = c.receivers[0];
  REQUIRE(all.email.size() == 1);
  CHECK(all.email[0].server.smarthost == "mail.example.org:587");
  CHECK(all.email[0].server.auth_password.file == "/etc/am/smtp.password");
  CHECK(all.email[0].server.require_tls == false);
  CHECK_FALSE(all.email[0].send_resolved);
  REQUIRE(all.slack.size() == 2);
  CHECK(all.slack[0].api_url == Secret{"", "/etc/am/slack"});
  CHECK(all.slack[0].title == "{{ .CommonLabels.alertname }}");
  CHECK_FALSE(all.slack[0].text);
  CHECK(all.slack[1].channel == "#dba");
  CHECK(all.slack[1].send_resolved);
  CHECK(all.slack[1].api_url == Secret{"https://slack.example.org/x", ""});
  REQUIRE(all.slack[1].http);
  CHECK(all.slack[1].http->tls.ca_file == "/etc/am/ca.pem");

  const Receiver& database = c.receivers[1];
  REQUIRE(database.webhook.at(0).http);
  CHECK(database.webhook[0].http->authorization->credentials.file == "/etc/am/token");
  CHECK(database.webhook[0].send_resolved);
  CHECK(database.telegram.at(0).api_url == "https://api.telegram.org");
  CHECK(database.telegram[0].chat_id == -100123);
  CHECK(c.receivers[2].pagerduty.at(0).url == "https://events.pagerduty.com/v2/enqueue");
}

TEST_CASE("mistakes are named with file, line, column, key and what was meant") {
  const std::string receivers = "receivers: [{name: ops}, {name: dba}]\n";
  const auto f = [&](const std::string& text, const char* message) {
    const std::string found = errors(text);
    INFO(text << "-> " << found);
    CHECK(found.find(message) != std::string::npos);
  };
  const auto in_root = [&](const char* line, const char* message) {
    f(receivers + "route:\n  receiver: ops\n" + line + "\n", message);
  };
  const auto in_child = [&](const char* line, const char* message) {
    f(receivers + "route:\n  receiver: ops\n  routes:\n    - receiver: dba\n      " + line + "\n", message);
  };
  const auto in_interval = [&](const char* line, const char* message) {
    f(receivers + "route: {receiver: ops}\ntime_intervals:\n- name: n\n  time_intervals:\n  - " + line + "\n",
      message);
  };
  const auto in_receiver = [&](const char* line, const char* message) {
    f(std::string("route: {receiver: ops}\nreceivers:\n- name: ops\n  ") + line + "\n", message);
  };
  f("", "missing key route");
  f(receivers + "route: {}\n", "am.yml:2:8: route: missing key receiver");
  f(receivers + "rute: {receiver: ops}\n", "am.yml:2:1: rute: unknown key; did you mean route?");
  f(receivers + receivers + "route: {receiver: ops}", "written twice");
  in_root("  matchers: [a=b]", "am.yml:3:3: route: the root must have no matchers");
  in_root("  continue: true", "the root must not have continue");
  in_root("  mute_time_intervals: [x]", "the root must have no mute_time_intervals");
  in_root("  group_by: ['...', a]", "am.yml:4:14: route.group_by[0]: '...' means all labels");
  in_root("  group_by: [a, b, a]", "a is there twice");
  in_root("  group_by: ['']", "is not a label's name");
  in_root("  group_interval: 0s", "must be more than 0");
  in_root("  repeat_interval: 0", "must be more than 0");
  in_root("  group_wait: soon", "am.yml:4:15: route.group_wait: 'soon' is not a duration");
  in_root("  routes: [{reciever: dba}]", "did you mean receiver?");
  in_child("matchers: [a]", "am.yml:6:18: route.routes[0].matchers[0]: expected =, !=, =~ or !~");
  in_child("matchers: a=b", "expected a list");
  in_child("match_re: {a: '['}", "route.routes[0].match_re.a: regular expression \"[\"");
  in_child("routes: [{receiver: dbaa}]", "there is no receiver dbaa; did you mean dba?");
  in_child("mute_time_intervals: [nihgts]\ntime_intervals: [{name: nights}]",
           "there is no time interval nihgts; did you mean nights?");
  f("route: {receiver: a}\nreceivers: [{name: a}, {name: a}]",
    "am.yml:2:31: receivers[1].name: there are two receivers called a");
  f("route: {receiver: a}\nreceivers: [{name: ''}]", "must not be empty");
  f(receivers + "route: {receiver: ops}\ntime_intervals: [{name: n}]\nmute_time_intervals: [{name: n}]",
    "two time intervals called n");

  in_interval("times: [{start_time: '9:00', end_time: '17:00'}]", "'9:00' is not a time of the day");
  in_interval("times: [{start_time: '09:60', end_time: '17:00'}]", "'09:60' is not a time of the day");
  in_interval("times: [{start_time: '09:00', end_time: '24:01'}]", "'24:01' is not a time of the day");
  in_interval("times: [{start_time: '17:00', end_time: '09:00'}]", "over midnight");
  in_interval("times: [{start_time: '17:00'}]", "missing key end_time");
  in_interval("weekdays: [mondy]", "'mondy' is not a weekday; did you mean monday?");
  in_interval("weekdays: ['friday:monday']", "ends before it begins");
  in_interval("weekdays: [1]", "is not a weekday");
  in_interval("days_of_month: ['0']", "is not a day of a month");
  in_interval("days_of_month: ['-1:1']", "must end with one");
  in_interval("days_of_month: ['20:-28']", "ends before it begins");
  in_interval("months: [mya]", "'mya' is not a month; did you mean may?");
  in_interval("months: ['may:april']", "ends before it begins");
  in_interval("years: ['20x']", "is not a year");
  in_interval("location: Europe/Belrin", "did you mean Europe/Berlin?");

  in_receiver("slack_configs: [{channel: x}]",
              "am.yml:4:19: receivers[0].slack_configs[0]: missing key api_url");
  in_receiver("slack_configs: [{api_url: x, api_url_file: y}]", "give either api_url or api_url_file");
  in_receiver("slack_configs: [{api_url: x, app_token: y}]", "app_token: give either api_url or app_token");
  in_receiver("slack_configs: [{app_token: x, app_token_file: y}]",
              "give either app_token or app_token_file");
  in_receiver("slack_configs: [{app_token: x, http_config: {authorization: {credentials: y}}}]",
              "app_token: give either a token or http_config's authorization");
  in_receiver("slack_configs: [{app_token: x, message_strategy: edit}]",
              "must be one of new, update, thread");
  in_receiver("email_configs: [{to: a@example.org}]", "missing key smarthost");
  in_receiver("email_configs: [{smarthost: a:25, from: x}]", "missing key to");
  in_receiver("webhook_configs: [{}]", "missing key url");
  in_receiver("webhook_configs: [{url: x, http_config: {basic_auth: {username: a}, authorization: {}}}]",
              "give either basic_auth or authorization");
  in_receiver("pagerduty_configs: [{}]", "missing key routing_key");
  in_receiver("telegram_configs: [{bot_token: x}]", "missing key chat_id");
  in_receiver("telegram_configs: [{bot_token: x, chat_id: 1, parse_mode: html}]", "must be HTML, Markdown");
  in_receiver("discord_configs: [{titel: x}]", "did you mean title?");
}

TEST_CASE("Slack has one default way for all") {
  const auto f = [](const char* global) {
    return errors(fmt::format("global: {{{}}}\nroute: {{receiver: a}}\nreceivers: [{{name: a}}]", global));
  };
  const char* both = "slack_api_url: 'https://a', slack_app_token: x";
  CHECK(f(both).find("global.slack_app_token: give either slack_api_url or slack_app_token") !=
        std::string::npos);
  // As who changes from the one to the other has it.
  CHECK(f("slack_api_url: 'https://slack.com/api/chat.postMessage', slack_app_token_file: x").empty());
}

TEST_CASE("a message that is never said to be over is not updated, which is warned of") {
  const Configuration c = configuration(
      "route: {receiver: a}\nreceivers:\n- name: a\n  slack_configs: [{app_token: x, channel: y, "
      "send_resolved: false, message_strategy: thread}]");
  REQUIRE(c.warnings.size() == 1);
  CHECK(c.warnings[0].find("slack_configs[0].message_strategy: has no effect with send_resolved: false") !=
        std::string::npos);
  CHECK_FALSE(c.receivers.at(0).slack.at(0).has_threads());
}

TEST_CASE("all mistakes are named at once") {
  const std::string found = errors(
      "route: {receiver: x}\nreceivers: [{name: a, slack_configs: [{}]}]\ntime_intervals: [{name: n, "
      "time_intervals: [{years: [x]}]}]");
  CHECK(std::count(found.begin(), found.end(), '\n') == 2);
}

TEST_CASE("a receiver without a channel vigil can use is warned of with what leads to it") {
  const Configuration c = configuration(R"(
route:
  receiver: ops
  escalate: [{after: 30m, receiver: og}]
  routes:
    - {matchers: ['team="db"'], receiver: og}
    - {matchers: ['team="web"'], receiver: quiet}
receivers:
  - {name: ops, webhook_configs: [{url: http://x/}]}
  - {name: quiet}
  - {name: unused, opsgenie_configs: [{api_key: x}]}
  - name: og
    opsgenie_configs: [{api_key: x}]
)");
  std::vector<std::string> found;
  for (const std::string& warning : c.warnings) {
    if (warning.find("nobody") != std::string::npos) found.push_back(warning);
  }
  CHECK(found == std::vector<std::string>{"/etc/am/alertmanager.yml:12:5: receivers[3]: has no channel vigil "
                                          "can use, so nobody is told of what "
                                          "comes by escalate after 30m of route {}, route {}/{team=\"db\"}"});
}

TEST_CASE("what has no effect is named with its place") {
  const Configuration c = configuration(R"(
global: {resolve_timeout: 5m, opsgenie_api_key: x}
route:
  receiver: a
  routes: [{matchers: ['foo='], receiver: a}]
receivers:
  - name: a
    opsgenie_configs: [{api_key: x}]
    pagerduty_configs: [{service_key: x}]
    webhook_configs: [{url: http://x/, http_config: {follow_redirects: true, proxy_url: http://y/, oauth2: {client_id: x}}}]
    slack_configs: [{api_url: http://x/, callback_id: x, actions: [{type: button, text: a, url: b, confirm: {text: x}}]}]
)");
  std::vector<std::string> heads;
  for (const std::string& warning : c.warnings)
    heads.push_back(warning.substr(0, warning.find(": ", warning.find(": ") + 2)));
  std::sort(heads.begin(), heads.end());
  CHECK(heads ==
        std::vector<std::string>{
            "/etc/am/alertmanager.yml:10:108: receivers[0].webhook_configs[0].http_config.oauth2",
            "/etc/am/alertmanager.yml:10:72: receivers[0].webhook_configs[0].http_config.follow_redirects",
            "/etc/am/alertmanager.yml:10:89: receivers[0].webhook_configs[0].http_config.proxy_url",
            "/etc/am/alertmanager.yml:11:109: receivers[0].slack_configs[0].actions[0].confirm",
            "/etc/am/alertmanager.yml:11:55: receivers[0].slack_configs[0].callback_id",
            "/etc/am/alertmanager.yml:2:27: global.resolve_timeout",
            "/etc/am/alertmanager.yml:2:49: global.opsgenie_api_key",
            "/etc/am/alertmanager.yml:5:24: route.routes[0].matchers[0]",
            "/etc/am/alertmanager.yml:8:23: receivers[0].opsgenie_configs",
            "/etc/am/alertmanager.yml:9:39: receivers[0].pagerduty_configs[0].service_key"});
}

}  // namespace vigil::routing
