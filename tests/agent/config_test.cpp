#include "agent/config.h"

#include "agent/flags.h"
#include "agent/once.h"
#include "agent/plan.h"
#include "tests/support/catch.h"

#include <filesystem>
#include <set>

namespace vigil::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Result<AgentConfig> load(std::string_view text) {
  AgentConfig config;
  if (auto loaded = config::load_text(text, "agent.yml", config); !loaded) return loaded.error();
  if (auto checked = check(config); !checked) return checked.error();
  return config;
}

/// The error of a configuration that must be refused.
std::string refused(std::string_view text) {
  const auto config = load(text);
  REQUIRE_FALSE(config);
  return config.error().message;
}

Result<Invocation> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "vigil-agent");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

}  // namespace

TEST_CASE("the defaults need no file") {
  const auto config = load("");
  CAPTURE(config);
  REQUIRE(config);
  CHECK(config->aggregator == "127.0.0.1:8460");
  CHECK(config->interval == seconds(1));
  CHECK(plan_collectors(*config).size() == collector_table().size());
}

TEST_CASE("every key is read") {
  const auto config = load(R"(
name: web-1
aggregator: localhost:9000
interval: 2s
labels: {rack: "7", zone: b}
collectors:
  cpu: {enabled: false}
  meminfo: {interval: 5s}
filters: {network_device_exclude: "^lo$", top_processes: 3}
docker_socket: none
paths: {procfs: /host/proc, sysfs: /host/sys, rootfs: /host}
buffer: 32MiB
max_series: 100
tls: {enabled: false, plaintext: true}
log_level: debug
)");
  CAPTURE(config);
  REQUIRE(config);
  CHECK(config->name == "web-1");
  CHECK(config->labels.at("rack") == "7");
  CHECK(config->options.network_device_exclude == "^lo$");
  CHECK(config->options.top_processes == 3);
  CHECK(config->options.roots.rootfs == "/host");
  CHECK(config->options.docker_socket == "none");
  CHECK(config->buffer.count == 32 << 20);
  CHECK(config->log_level == log::Level::debug);
  for (const PlannedCollector& planned : plan_collectors(*config)) {
    CHECK(planned.collector->name() != "cpu");
    CHECK(planned.interval % config->interval == milliseconds(0));
    if (planned.collector->name() == "meminfo")
      CHECK(planned.interval == seconds(6));  // the next multiple of the beat
  }
}

TEST_CASE("a wrong configuration is refused with the place and what would be right") {
  CHECK_THAT(refused("agregator: x:1"), Catch::Contains("agent.yml:1:1") && Catch::Contains("aggregator"));
  CHECK_THAT(refused("collectors: {meminfos: {enabled: false}}"), Catch::Contains("did you mean meminfo"));
  CHECK_THAT(refused("interval: 1ms"), Catch::Contains("interval"));
  CHECK_THAT(refused("filters: {network_device_exclude: '('}"), Catch::Contains("regular expression"));
  CHECK_THAT(refused("buffer: 1k"), Catch::Contains("4MiB"));
  CHECK_THAT(refused("name: web 1"), Catch::Contains("name"));
  CHECK_THAT(refused("labels: {__x: a}"), Catch::Contains("__x"));
  CHECK_THAT(refused("labels: {instance: a}"), Catch::Contains("instance"));
  CHECK_THAT(refused("log_level: loud"), Catch::Contains("debug"));
  CHECK_THAT(refused("tls: {enabled: true, cert: /x}"), Catch::Contains("belong together"));
  CHECK_THAT(refused("tls: {enabled: true, ca: /nowhere/ca.pem}"), Catch::Contains("tls.ca"));
}

TEST_CASE("nothing is sent in plain text to another machine by accident") {
  CHECK_THAT(refused("aggregator: mon.example.org:8460"), Catch::Contains("tls.enabled"));
  CHECK(load("{aggregator: 'mon.example.org:8460', tls: {plaintext: true}}"));
  CHECK(load("{aggregator: 'mon.example.org:8460', tls: {enabled: true}}"));
  CHECK(load("aggregator: '[::1]:8460'"));
}

TEST_CASE("flags win over the defaults") {
  const auto invocation = parse({"--name", "db-1", "--aggregator", "localhost:1", "--interval", "500ms",
                                 "--once", "--path.procfs", "/p", "--docker-socket", "none"});
  CAPTURE(invocation.has_error());
  REQUIRE(invocation);
  CHECK(invocation->mode == Mode::once);
  CHECK(invocation->config.name == "db-1");
  CHECK(invocation->config.interval == milliseconds(500));
  CHECK(invocation->config.options.roots.procfs == "/p");
  CHECK_FALSE(parse({"--interval", "soon"}));
  CHECK_FALSE(parse({"--name", "a b"}));
  CHECK_FALSE(parse({"--config", "/nowhere/agent.yml"}));
  CHECK(parse({"--no-such-flag"})->exit_code == 2);
}

TEST_CASE("every key is documented") {
  for (const config::Entry& entry : config::document(AgentConfig{})) {
    CAPTURE(entry.path);
    CHECK(entry.doc.size() > 10);
  }
}

TEST_CASE("one look at a recorded host is a text exposition in which each family stands together") {
  const std::string host = VIGIL_SOURCE_DIR "/tests/fixtures/hosts/vm2";
  if (!std::filesystem::exists(host)) {
    WARN("no recorded host at " << host);
    return;
  }
  AgentConfig config;
  config.options.roots = {host + "/proc", host + "/sys", host};
  config.options.docker_socket = "none";
  const std::string text = collect_once(config);
  CHECK_THAT(text, Catch::Contains("node_load1 ") &&
                       Catch::Contains("node_scrape_collector_success{collector=\"meminfo\"} 1"));
  std::set<std::string> families;
  std::set<std::string> lines;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    if (line.starts_with("# TYPE ")) CHECK(families.insert(line).second);
    if (line[0] != '#') CHECK(lines.insert(line.substr(0, line.rfind(' '))).second);
    at = end + 1;
  }
  CHECK(lines.size() > 100);
}

}  // namespace vigil::agent
