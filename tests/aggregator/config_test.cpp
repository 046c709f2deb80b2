// What the aggregator says about a configuration: at --check, and before it starts.
#include "aggregator/config.h"

#include "aggregator/flags.h"
#include "tests/support/catch.h"
#include "tests/support/switched_on.h"
#include "tests/support/temp_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace vigil::aggregator {
namespace {

using test::TempDir;
using test::TempFile;

std::string refused(const std::string& text) {
  AggregatorConfig config;
  if (const auto loaded = config::load_text(text, "vigil.yml", config); !loaded)
    return loaded.error().message;
  const auto checked = check(config);
  return checked ? "accepted" : checked.error().message;
}

Result<Invocation> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "vigil-aggregator");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

}  // namespace

TEST_CASE("what is wrong is reported at its place, with what would be right") {
  CHECK_THAT(
      refused("grpc_listen: nowhere at all"),
      Catch::StartsWith("vigil.yml:1:14: grpc_listen: 'nowhere at all' is not an address; write HOST:PORT"));
  CHECK_THAT(refused("\nhttp_listen: 127.0.0.1"),
             Catch::StartsWith("vigil.yml:2:14: http_listen: '127.0.0.1' lacks a port") &&
                 Catch::EndsWith("127.0.0.1:8461"));
  CHECK_THAT(refused("tls: {cert: /nowhere.pem}"),
             Catch::Contains("vigil.yml:1:13: tls.cert: cert and key belong together") &&
                 Catch::Contains("vigil.yml:1:13: tls.cert: /nowhere.pem: No such file"));
  CHECK_THAT(refused("tls: {client_ca: /nowhere.pem}"),
             Catch::StartsWith("vigil.yml:1:18: tls.client_ca: has no effect without tls.cert"));
  CHECK_THAT(
      refused("notifications: {receivers: [{name: a, slack: {webhook_url_file: /nowhere}}]}"),
      Catch::StartsWith("vigil.yml:1:65: notifications.receivers[0].slack.webhook_url_file: /nowhere: No"));
  CHECK_THAT(refused("rules: {files: [/nowhere.yml]}"),
             Catch::StartsWith("vigil.yml:1:17: rules.files[0]: /nowhere.yml: No such file"));
}

TEST_CASE("links and folders that cannot work are refused at their keys") {
  CHECK_THAT(refused("external_url: foo"),
             Catch::StartsWith("vigil.yml:1:15: external_url: 'foo' is no web address"));
  CHECK(refused("external_url: https://vigil.example.org/").find("external_url") == std::string::npos);
  CHECK(refused("external_url: https://vigil.example.org/a@b?c@d").find("external_url") == std::string::npos);
  for (const char* url : {"https://me:s3cret@vigil.example.org/", "https://me@vigil.example.org"}) {
    const std::string said = refused(std::string("external_url: ") + url);
    CHECK_THAT(said, Catch::StartsWith("vigil.yml:1:15: external_url: has a name or password in it"));
    CHECK(said.find("s3cret") == std::string::npos);
  }
  CHECK_THAT(refused("data_dir: /proc/x"),
             Catch::Contains("vigil.yml:1:11: data_dir: /proc/x cannot be used: /proc"));
}

TEST_CASE("everything that is wrong is reported at once") {
  const std::string said = refused("grpc_listen: x\nhttp_listen: y\nrules: {files: [/nowhere.yml]}\n");
  CHECK(std::count(said.begin(), said.end(), '\n') == 2);
}

TEST_CASE("a limit that would keep only the newest file is refused: its unit was forgotten") {
  CHECK(refused("store: {raw: {max_size: 10}}") ==
        "vigil.yml:1:25: store.raw.max_size: must be 0 or at least 1MiB");
  CHECK(refused("store: {hour: {max_size: 1023KiB}}").ends_with("must be 0 or at least 1MiB"));
  CHECK(refused("data_dir: /tmp\nstore: {raw: {max_size: 0}, minute: {max_size: 1MiB}}") == "accepted");
}

TEST_CASE("HTTP in plain text beyond this machine is refused unless it is meant so") {
  CHECK_THAT(
      refused("data_dir: /tmp/none\nhttp_listen: 0.0.0.0:8461"),
      Catch::StartsWith("vigil.yml:2:14: http_listen: 0.0.0.0:8461 is plain text that leaves this machine") &&
          Catch::Contains("vigil-aggregator init") && Catch::Contains("http.tls: off"));
  CHECK(refused("data_dir: /tmp/none\nhttp_listen: 0.0.0.0:8461\nhttp: {tls: off}") == "accepted");
  CHECK(refused("data_dir: /tmp/none\nhttp_listen: 127.0.0.1:8461") == "accepted");
  CHECK_THAT(refused("data_dir: /tmp/none\nhttp: {tls: on}"),
             Catch::StartsWith("vigil.yml:2:13: http.tls: on needs a certificate"));
}

TEST_CASE("where there is a certificate, HTTP speaks TLS beyond this machine, and on it when it is told to") {
  AggregatorConfig config;
  CHECK_FALSE(http_speaks_tls(config, true));
  config.http_listen = "0.0.0.0:8461";
  CHECK(http_speaks_tls(config, true));
  config.http.tls = HttpTls::off;
  CHECK_FALSE(http_speaks_tls(config, true));
  config.http_listen = "127.0.0.1:8461";
  config.http.tls = HttpTls::on;
  CHECK(http_speaks_tls(config, true));
}

TEST_CASE("limits of connections say what would be right") {
  CHECK(refused("http: {max_connections: 3}") == "vigil.yml:1:25: http.max_connections: must be 4 to 4096");
  CHECK(refused("http: {max_per_source: 0}").ends_with("http.max_per_source: must be at least 1"));
  CHECK(refused("grpc: {new_per_source: 100, new_in_all: 99}").ends_with("must be at least new_per_source"));
  CHECK(refused("http: {min_rate: 1}").ends_with("http.min_rate: must be at least 1KiB"));
}

TEST_CASE("two listeners on one port are refused, with both keys") {
  const auto [grpc, http] = GENERATE(table<const char*, const char*>({{"127.0.0.1:8460", "127.0.0.1:8460"},
                                                                      {"0.0.0.0:8460", "127.0.0.1:8460"},
                                                                      {"127.0.0.1:8460", ":8460"},
                                                                      {"localhost:8460", "[::]:8460"}}));
  CHECK_THAT(refused(fmt::format("grpc_listen: '{}'\nhttp_listen: '{}'", grpc, http)),
             Catch::StartsWith(fmt::format(
                 "vigil.yml:2:14: http_listen: {} takes the port of grpc_listen, {}: ", http, grpc)));
}

TEST_CASE("two listeners on two ports, on two addresses, or on any free ports are fine") {
  const auto [grpc, http] = GENERATE(table<const char*, const char*>({{"127.0.0.1:8460", "127.0.0.1:8461"},
                                                                      {"127.0.0.1:0", "127.0.0.1:0"},
                                                                      {"127.0.0.1:8460", "127.0.0.2:8460"}}));
  CHECK(refused(fmt::format("grpc_listen: '{}'\nhttp_listen: '{}'\ndata_dir: /tmp", grpc, http)) ==
        "accepted");
}

TEST_CASE("a data folder that cannot be made is reported before anything starts") {
  const TempFile file("occupied", "x");
  CHECK_THAT(
      refused("data_dir: " + file.path()),
      Catch::StartsWith("vigil.yml:1:11: data_dir: " + file.path()) && Catch::Contains("is no folder"));
  CHECK_THAT(refused("data_dir: " + file.path() + "/below"), Catch::Contains("is no folder"));
  if (::geteuid() != 0) {  // root may write everywhere
    CHECK_THAT(refused("data_dir: /usr/vigil"),
               Catch::Contains("data_dir: /usr/vigil cannot be used: /usr: Permission denied"));
  }
  const TempDir folder;
  CHECK(refused("data_dir: " + folder.file("new/and/deeper")) == "accepted");
  CHECK(::access(folder.file("new").c_str(), F_OK) != 0);  // looking makes nothing
}

TEST_CASE("a private key is refused when others may read it") {
  const TempFile cert("grpc.pem", "-----BEGIN CERTIFICATE-----\n");
  const TempFile key("grpc.key", "-----BEGIN EC PRIVATE KEY-----\n");
  const std::string text = fmt::format("tls: {{cert: '{}', key: '{}'}}", cert.path(), key.path());
  REQUIRE(::chmod(key.path().c_str(), 0604) == 0);
  CHECK_THAT(refused(text), Catch::Contains(": tls.key: ") && Catch::Contains("chmod 600 " + key.path()));
  REQUIRE(::chmod(key.path().c_str(), 0640) == 0);
  if (::geteuid() == 0) {  // root's file: whom its group holds is an administrator's choice
    CHECK_THAT(refused(text), !Catch::Contains("may read"));  // what is in it is no key
    REQUIRE(::chown(key.path().c_str(), 12345, 12345) == 0);
  }
  CHECK_THAT(refused(text), Catch::Contains("its group may read this private key"));
  REQUIRE(::chmod(key.path().c_str(), 0600) == 0);
  CHECK_THAT(refused(text), !Catch::Contains("may read"));
}

TEST_CASE("errors in flags name the flag, and rule files of flags begin at the working directory") {
  CHECK_THAT(parse({"--grpc-listen", "x"}).error().message,
             Catch::StartsWith("--grpc-listen: 'x' lacks a port"));
  CHECK_THAT(parse({"--rules", "nowhere.yml"}).error().message,
             Catch::StartsWith("--rules: nowhere.yml: No such file"));
  CHECK_THAT(parse({"--data-dir", "/dev/null"}).error().message,
             Catch::StartsWith("--data-dir: /dev/null cannot be used: /dev/null is no folder"));
}

TEST_CASE("a recording rule is nothing to warn of") {
  const TempFile rules("rules.yml", "groups: [{name: g, rules: [{record: 'a:b', expr: up}]}]\n");
  const auto invocation = parse({"--check", "--rules", rules.path().c_str()});
  REQUIRE(invocation);
  CHECK(invocation->warnings.empty());
}

TEST_CASE("a configuration is read again under its flags, and refused as at the start") {
  const test::TempDir folder;
  const test::TempFile file("aggregator.yml", "log_level: info\n");
  const std::string data = folder.file("data");
  const auto invocation = parse({"--config", file.path().c_str(), "--data-dir", data.c_str()});
  REQUIRE(invocation);
  std::ofstream(file.path()) << "log_level: debug\ndata_dir: /proc/x\n";
  const auto again = reread(*invocation);
  REQUIRE(again);
  CHECK(again->log_level == log::Level::debug);
  CHECK(again->data_dir == data);
  std::ofstream(file.path()) << "external_url: foo\nhttp_listen: nowhere at all\n";
  const auto refused = reread(*invocation);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message,
             Catch::Contains("external_url: 'foo'") && Catch::Contains("http_listen"));
}

TEST_CASE("the doctor is told what is wrong with a configuration instead of being refused") {
  const test::TempFile file("aggregator.yml", "htp: {}\n");
  const auto invocation = parse({"doctor", "--config", file.path().c_str()});
  REQUIRE(invocation);
  CHECK(invocation->mode == Mode::doctor);
  CHECK_FALSE(invocation->json);
  CHECK_THAT(invocation->trouble, Catch::Contains("did you mean http?"));
}

TEST_CASE("the file with every key is right, and changes nothing when every key is switched on") {
  const std::string text = example_config();
  CHECK(text.find("\n#log_level: info\n") != std::string::npos);
  for (const std::string& yaml : {text, test::switched_on(text)}) {
    AggregatorConfig config;
    const auto loaded = config::load_text(yaml, "aggregator.yml", config);
    CAPTURE(loaded);
    REQUIRE(loaded);
    CHECK(check(config));
    CHECK(config::to_markdown(config::document(config)) ==
          config::to_markdown(config::document(AggregatorConfig{})));
  }
}

}  // namespace vigil::aggregator
