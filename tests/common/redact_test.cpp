#include "common/config/redact.h"

#include "tests/support/catch.h"

using namespace vigil;

TEST_CASE("a configuration is shown without its secrets") {
  const auto shown = config::redacted(R"(# password: hunter1
external_url: https://vigil.example.org/x
notifications:
  receivers:
    - name: on-call
      slack: {webhook_url: https://hooks.slack.com/services/T0/B0/hunter2, channel: "#ops"}
    - name: hook
      webhook:
        url: https://me:hunter3@hooks.example.org/in/hunter4?key=hunter5
        headers: {X-Key: hunter6, X-List: [hunter7]}
        token_file: /etc/vigil/token
    - name: mail
      email: {smtp: mail:25, password: hunter8, password_file: /etc/vigil/word}
    - name: plain
      webhook: {url: http://10.0.0.1:9000/}
actions:
  - {name: page, command: [/usr/bin/page, --pin, hunter9]}
)");
  REQUIRE(shown);
  INFO(*shown);
  CHECK(shown->find("hunter") == std::string::npos);
  for (const char* kept :
       {"external_url: https://vigil.example.org/x", "name: on-call", "#ops",
        "url: https://hooks.example.org/<secret>", "token_file: /etc/vigil/token", "/usr/bin/page", "mail:25",
        "password_file: /etc/vigil/word", "url: http://10.0.0.1:9000"}) {
    INFO(kept);
    CHECK(shown->find(kept) != std::string::npos);
  }
}

TEST_CASE("what is no YAML is not shown at all") {
  CHECK(config::redacted("a: [hunter2").error().code == Errc::parse);
}

TEST_CASE("one value is shown as the whole would show it") {
  CHECK(config::redacted_value("log_level", "debug") == "debug");
  CHECK(config::redacted_value("external_url", "https://vigil.example.org/x") ==
        "https://vigil.example.org/x");
  CHECK(config::redacted_value("receivers[0].slack.webhook_url", "https://hooks/x") == "<secret>");
  CHECK(config::redacted_value("receivers[0].slack.webhook_url", "") == "");
  CHECK(config::redacted_value("receivers[0].webhook.url", "https://me:w@h/in?key=1") ==
        "https://h/<secret>");
  CHECK(config::redacted_value("receivers[2].webhook.headers.X-Key", "hunter") == "<secret>");
  CHECK(config::redacted_value("receivers[2].webhook.headers.X-List[1]", "hunter") == "<secret>");
  CHECK(config::redacted_value("access.oidc.client_secret", "hunter") == "<secret>");
  CHECK(config::redacted_value("access.oidc.client_secret_file", "/etc/x") == "/etc/x");
  CHECK(config::redacted_value("actions[1].command[0]", "/bin/page") == "/bin/page");
  CHECK(config::redacted_value("actions[1].command[2]", "hunter") == "<secret>");
  CHECK(config::redacted_value("passwords[0].value", "hunter") == "<secret>");
}
