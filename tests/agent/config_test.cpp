#include "agent/config.h"

#include "agent/flags.h"
#include "agent/once.h"
#include "agent/plan.h"
#include "common/tls/signing.h"
#include "tests/support/catch.h"
#include "tests/support/switched_on.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
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

std::string certificate_of(const std::string& key) {
  return tls::make_authority(key, "web-1", {0, 4'000'000'000'000}).value();
}

Result<Invocation> parse(std::vector<const char*> arguments, const std::string& usual_config = "") {
  arguments.insert(arguments.begin(), "vigil-agent");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data(), usual_config);
}

}  // namespace

TEST_CASE(
    "who enrolls is called and keeps its identity as the agent's usual file says, and is warned of its "
    "keys") {
  const test::TempDir dir;
  const std::string path = dir.file("agent.yml");
  const auto enrolling = [&](const std::string& text, std::vector<const char*> arguments = {}) {
    std::ofstream(path) << text;
    arguments.insert(arguments.begin(), {"enroll", "--aggregator", "mon:8460", "--token", "t"});
    auto invocation = parse(arguments, path);
    CAPTURE(text, invocation);
    REQUIRE(invocation);
    return invocation->enroll;
  };
  CHECK(enrolling("name: web-7").name == "web-7");
  CHECK(enrolling("name: web-7", {"--name", "web-8"}).name == "web-8");
  CHECK(enrolling("spool: {dir: /srv/vigil}").folder == "/srv/vigil");
  CHECK(enrolling("tls: {dir: /srv/id}").folder == "/srv/id");
  CHECK(enrolling("aggregator: mon:8460").caution.empty());
  CHECK(enrolling("aggregator: other:8460").caution ==
        path + ":1:13: aggregator: the agent goes to other:8460, whatever identity.pem says");
  CHECK(enrolling("tls: {enabled: true}").caution.starts_with(path + ":1:6: tls: says how to speak"));
  std::filesystem::remove(path);
  CHECK(parse({"enroll", "--aggregator", "mon:8460"}, path)->enroll.name.empty());
}

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
  meminfo: {interval: 6s}
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
    if (planned.collector->name() == "meminfo") CHECK(planned.interval == seconds(6));
  }
}

TEST_CASE("a wrong configuration is refused with the place and what would be right") {
  CHECK_THAT(refused("agregator: x:1"), Catch::Contains("agent.yml:1:1") && Catch::Contains("aggregator"));
  CHECK_THAT(refused("collectors: {meminfos: {enabled: false}}"), Catch::Contains("did you mean meminfo"));
  CHECK_THAT(refused("interval: 1ms"), Catch::Contains("interval"));
  CHECK_THAT(refused("filters: {network_device_exclude: '('}"), Catch::Contains("regular expression"));
  CHECK_THAT(refused("buffer: 1k"), Catch::Contains("4MiB"));
  CHECK_THAT(refused("\nname: web 1"), Catch::StartsWith("agent.yml:2:7: name: 'web 1' must be"));
  CHECK_THAT(refused("labels: {__x: a}"),
             Catch::StartsWith("agent.yml:1:15: labels.__x: __x cannot be a label"));
  CHECK_THAT(refused("labels: {instance: a}"), Catch::StartsWith("agent.yml:1:20: labels.instance:"));
  CHECK_THAT(refused("labels:\n  rack: ''"),
             Catch::StartsWith("agent.yml:2:9: labels.rack: must be 1 to 256"));
  CHECK_THAT(refused("aggregator: 'x:y'"),
             Catch::StartsWith("agent.yml:1:13: aggregator: 'x:y' is not an address"));
  CHECK_THAT(refused("aggregator: 'x:0'"), Catch::StartsWith("agent.yml:1:13: aggregator: x:0 has no port"));
  CHECK_THAT(refused("log_level: loud"), Catch::Contains("debug"));
  CHECK_THAT(refused("tls: {enabled: true, cert: /x}"),
             Catch::StartsWith("agent.yml:1:28: tls.cert: cert and key belong together"));
  CHECK_THAT(refused("tls: {enabled: true, ca: /nowhere/ca.pem}"),
             Catch::StartsWith("agent.yml:1:26: tls.ca: /nowhere/ca.pem: No such file"));
}

TEST_CASE("all that is wrong is said at once") {
  const std::string said = refused("name: web 1\nlabels: {job: x}\naggregator: 'x:y'\n");
  CHECK(std::count(said.begin(), said.end(), '\n') == 2);
}

TEST_CASE("an interval between two beats is refused with the nearest right ones, not rounded") {
  CHECK_THAT(
      refused("{interval: 2s, collectors: {meminfo: {interval: 5s}}}"),
      Catch::StartsWith("agent.yml:1:49: collectors.meminfo.interval: 5s is no multiple of the agent's "
                        "interval, 2s; write 4s or 6s"));
  CHECK_THAT(refused("{interval: 2s, collectors: {meminfo: {interval: 1s}}}"), Catch::EndsWith("write 2s"));
  CHECK(load("{interval: 2s, collectors: {meminfo: {interval: 4s}}}"));
}

TEST_CASE("TLS files without tls.enabled are refused: the stream would be plain text") {
  CHECK_THAT(refused("tls:\n  ca: /etc/vigil/ca.pem\n"),
             Catch::StartsWith("agent.yml:2:7: tls.ca: has no effect") && Catch::Contains("enabled: true"));
  CHECK_THAT(refused("{aggregator: 'mon.example.org:8460', tls: {ca: /x, plaintext: true}}"),
             Catch::Contains("tls.ca: has no effect"));
}

TEST_CASE("a private key that others may read is refused, and what is no PEM") {
  const std::string key_text = tls::make_key().value();
  const test::TempFile key("agent.key", key_text);
  const test::TempFile cert("agent.pem", certificate_of(key_text));
  const std::string text = fmt::format("tls: {{enabled: true, cert: {}, key: {}}}", cert.path(), key.path());
  REQUIRE(::chmod(key.path().c_str(), 0644) == 0);
  CHECK_THAT(refused(text), Catch::Contains("tls.key: ") && Catch::Contains("chmod 600 " + key.path()));
  REQUIRE(::chmod(key.path().c_str(), 0600) == 0);
  CHECK(load(text));
  const std::string swapped =
      fmt::format("tls: {{enabled: true, cert: {}, key: {}}}", key.path(), key.path());
  CHECK_THAT(refused(swapped), Catch::Contains("tls.cert: ") && Catch::Contains("BEGIN CERTIFICATE"));
}

TEST_CASE("a key that is not the certificate's is refused by a check, not by the aggregator at last") {
  const test::TempFile key("agent.key", tls::make_key().value());
  const test::TempFile cert("agent.pem", certificate_of(tls::make_key().value()));
  REQUIRE(::chmod(key.path().c_str(), 0600) == 0);
  CHECK_THAT(refused(fmt::format("tls: {{enabled: true, cert: {}, key: {}}}", cert.path(), key.path())),
             Catch::EndsWith(fmt::format(": tls.key: {} and {}: the key is not the certificate's",
                                         cert.path(), key.path())));
}

TEST_CASE("errors in flags name the flag") {
  CHECK(parse({"--name", "a b"}).error().message.starts_with("--name: 'a b' must be"));
  CHECK(parse({"--aggregator", "mon.example.org:1"})
            .error()
            .message.starts_with("--aggregator: mon.example.org:1"));
}

TEST_CASE("paths in a file begin at its folder") {
  AgentConfig config;
  REQUIRE(
      config::load_text("{paths: {procfs: host/proc}, tls: {ca: ca.pem}}", "/etc/vigil/agent.yml", config));
  CHECK(config.options.roots.procfs == "/etc/vigil/host/proc");
  CHECK(config.tls.ca == "/etc/vigil/ca.pem");
}

TEST_CASE("a /proc that is not there is reported at its key") {
  const auto config = load("paths: {procfs: /nonexistent}");
  REQUIRE(config);
  CHECK_THAT(check_roots(*config).error().message,
             Catch::StartsWith("agent.yml:1:17: paths.procfs: /nonexistent is no directory"));
}

TEST_CASE("a spool folder that cannot be made is reported by a check, and stops no run") {
  const auto config = load("spool: {dir: /proc/nope}");
  REQUIRE(config);
  const auto fine = check_spool(*config);
  REQUIRE_FALSE(fine);
  CHECK_THAT(
      fine.error().message,
      Catch::StartsWith("agent.yml:1:14: spool.dir: /proc/nope cannot be used: /proc belongs to the kernel"));
  CHECK(check_spool(*load("spool: {dir: /tmp/not/yet/there}")));
  CHECK(check_spool(*load("")));
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

TEST_CASE("a configuration is read again under its flags, and refused as at the start") {
  const test::TempFile file("agent.yml", "log_level: info\naggregator: 127.0.0.1:1\n");
  const auto invocation = parse({"--config", file.path().c_str(), "--aggregator", "127.0.0.1:2"});
  REQUIRE(invocation);
  std::ofstream(file.path()) << "log_level: debug\naggregator: 127.0.0.1:3\n";
  const auto again = reread(*invocation);
  REQUIRE(again);
  CHECK(again->log_level == log::Level::debug);
  CHECK(again->aggregator == "127.0.0.1:2");
  std::ofstream(file.path()) << "log_level: loud\n";
  CHECK_THAT(reread(*invocation).error().message, Catch::Contains("log_level: must be one of"));
  std::ofstream(file.path()) << "labels: {job: x}\n";
  CHECK_THAT(reread(*invocation).error().message, Catch::Contains("cannot be a label"));
}

TEST_CASE("the doctor is told what is wrong with a configuration instead of being refused") {
  const test::TempFile file("agent.yml", "intervall: 2s\n");
  const auto invocation = parse({"doctor", "--config", file.path().c_str(), "-o", "json"});
  REQUIRE(invocation);
  CHECK(invocation->mode == Mode::doctor);
  CHECK(invocation->json);
  CHECK_THAT(invocation->trouble, Catch::Contains("did you mean interval?"));
}

TEST_CASE("the file with every key is right, and changes nothing when every key is switched on") {
  const std::string text = example_config();
  CHECK(text.find("\n#log_level: info\n") != std::string::npos);
  for (const std::string& yaml : {text, test::switched_on(text)}) {
    AgentConfig config;
    const auto loaded = config::load_text(yaml, "agent.yml", config);
    CAPTURE(loaded);
    REQUIRE(loaded);
    CHECK(check(config));
    CHECK(config::to_markdown(config::document(config)) ==
          config::to_markdown(config::document(AgentConfig{})));
  }
}

}  // namespace vigil::agent
