#include "common/config/written_secrets.h"

#include "tests/support/catch.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>
#include <unistd.h>

using namespace vigil;
using Paths = std::vector<std::string>;

namespace {

Paths opened(const test::TempFile& file, mode_t mode) {
  REQUIRE(::chmod(file.path().c_str(), mode) == 0);
  Paths out;
  for (const auto& each : config::open_secrets({"", file.path(), "/nowhere/aggregator.yml"}))
    out.push_back(each.path);
  return out;
}

}  // namespace

TEST_CASE("secrets are found where they stand in a configuration") {
  CHECK(config::secrets_written_in(R"(
external_url: https://vigil.example.org/x
notifications:
  heartbeat: {url: https://hc.example.org/uuid}
  receivers:
    - name: on-call
      slack: {webhook_url: https://hooks.slack.com/services/T0/B0/x, api_url: https://slack.com/api}
    - name: hook
      webhook:
        url: https://me:word@hooks.example.org/in
        headers: {Authorization: Basic x, X-Api-Key: x, X-List: [a, b], Content-Type: text/plain}
        token_file: /etc/vigil/token
    - {name: plain, webhook: {url: "http://10.0.0.1:9000/in?a=b"}}
)") == Paths{"notifications.heartbeat.url", "notifications.receivers[0].slack.webhook_url",
             "notifications.receivers[1].webhook.url",
             "notifications.receivers[1].webhook.headers.Authorization",
             "notifications.receivers[1].webhook.headers.X-Api-Key"});
}

TEST_CASE("secrets among the arguments of a command are found") {
  CHECK(config::secrets_written_in(R"(
actions:
  - {name: a, command: [/bin/page, --password, x, --to, ops, --api_token=x]}
  - {name: b, command: [/bin/page, token, --token]}
)") == Paths{"actions[0].command[2]", "actions[0].command[5]"});
}

TEST_CASE("secrets are found in Alertmanager's configuration, and files are none") {
  CHECK(config::secrets_written_in(R"(
global: {slack_api_url: https://hooks.slack.com/services/x, smtp_auth_password: x, smtp_auth_password_file: /x}
receivers:
  - name: a
    slack_configs: [{api_url: https://hooks.slack.com/services/y, channel: "#ops"}]
    pagerduty_configs: [{routing_key: x}, {routing_key_file: /x}, {service_key: x}]
    webhook_configs:
      - url: http://127.0.0.1:5001/
        http_config: {basic_auth: {username: me, password: x}, authorization: {credentials: x}}
    email_configs: [{to: me@example.org, headers: {Subject: x}, auth_password: ""}]
)") == Paths{"global.slack_api_url", "global.smtp_auth_password", "receivers[0].slack_configs[0].api_url",
             "receivers[0].pagerduty_configs[0].routing_key", "receivers[0].pagerduty_configs[2].service_key",
             "receivers[0].webhook_configs[0].http_config.basic_auth.password",
             "receivers[0].webhook_configs[0].http_config.authorization.credentials"});
}

TEST_CASE("a text that is none, or made to be large, has no secrets") {
  CHECK(config::secrets_written_in("a: [token").empty());
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i)
    bomb += fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i, i - 1);
  CHECK(config::secrets_written_in(bomb).empty());
}

TEST_CASE("a file with secrets in it that others may read is told, with what would mend it") {
  const test::TempFile file("aggregator.yml",
                            "notifications: {heartbeat: {url: https://hc.example.org/uuid}}\n");
  CHECK(opened(file, 0644) == Paths{file.path()});
  CHECK(opened(file, 0604) == Paths{file.path()});
  CHECK(opened(file, 0600).empty());
  const auto open = (::chmod(file.path().c_str(), 0644), config::open_secrets({file.path()}));
  REQUIRE(open.size() == 1);
  CHECK(open[0].seen == "everybody may read it, and it holds notifications.heartbeat.url");
  CHECK_THAT(open[0].fix, Catch::Contains("chmod 640 " + file.path()));
  const test::TempFile plain("aggregator.yml", "log_level: debug\n");
  CHECK(opened(plain, 0644).empty());
}

TEST_CASE("the group of a file that is root's is meant, another's is not") {
  const test::TempFile file("aggregator.yml",
                            "notifications: {heartbeat: {url: https://hc.example.org/x}}\n");
  const bool is_root = ::geteuid() == 0;
  CHECK(opened(file, 0640).empty() == is_root);  // root:vigil, as a service's configuration is kept
  if (!is_root) return;
  REQUIRE(::chown(file.path().c_str(), 65534, 65534) == 0);
  CHECK(opened(file, 0640) == Paths{file.path()});
}

TEST_CASE(
    "the files that a configuration names for secrets are known, beside it where they are not absolute") {
  const test::TempFile file("aggregator.yml", R"(
notifications:
  alertmanager_file: alertmanager.yml
  heartbeat: {url_file: heartbeat}
  receivers:
    - {name: a, slack: {webhook_url_file: /etc/vigil/slack}}
    - {name: b, email: {smtp: "mail:25", password_file: ""}}
    - {name: c, webhook: {url: "http://10.0.0.1/", token_file: /etc/vigil/token, tls_config: {ca_file: ca, key_file: k}}}
)");
  const std::string folder = file.path().substr(0, file.path().rfind('/'));
  CHECK(config::secret_files_of({file.path(), "", "/nowhere.yml"}) ==
        Paths{folder + "/heartbeat", "/etc/vigil/slack", "/etc/vigil/token", folder + "/k"});
}
