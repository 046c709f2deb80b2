#include "aggregator/flags.h"

#include "common/config/redact.h"
#include "common/flags/help.h"
#include "common/version.h"

#include <CLI/CLI.hpp>
#include <optional>

namespace vigil::aggregator {
namespace {

constexpr const char* kDescription =
    "vigil-aggregator takes in what agents see, keeps it, evaluates alert rules the moment samples arrive, "
    "tells people, and answers queries. One process, no other services.";

constexpr const char* kExamples =
    "Examples:\n"
    "  vigil-aggregator               listen on loopback, keep data in ./vigil-data\n"
    "  vigil-aggregator --check --config aggregator.yml\n"
    "                                 is the configuration right? rules too\n"
    "  vigil-aggregator --config aggregator.yml --grpc-listen 0.0.0.0:8460\n"
    "                                 take agents of other machines: see tls there\n"
    "  vigil-aggregator --rules my-alerts.yml\n"
    "                                 Prometheus rule files, beside the shipped ones\n"
    "Then: vigil-agent, and  vigil hosts | top | query | plot | alerts.\n"
    "SIGHUP reads rules again; SIGTERM stops cleanly.";

struct Flags {
  std::string config;
  std::optional<std::string> data_dir;
  std::optional<std::string> grpc_listen;
  std::optional<std::string> http_listen;
  std::vector<std::string> rules;
  bool check = false;
  std::vector<std::string> files;
  std::string output = "text";
  const CLI::App* check_rules = nullptr;
  const CLI::App* test_rules = nullptr;
};

void declare(CLI::App& app, Flags& flags) {
  app.footer(kExamples);
  app.set_version_flag("--version", "vigil-aggregator " + std::string(kVersion));
  app.add_option("--config", flags.config, "YAML file; every key has a default")->type_name("FILE");
  app.add_option("--data-dir", flags.data_dir, "Folder of the databases [$STATE_DIRECTORY or ./vigil-data]")
      ->type_name("FOLDER");
  app.add_option("--grpc-listen", flags.grpc_listen,
                 "For agents and the command line; port 0: any [127.0.0.1:8460]")
      ->type_name("HOST:PORT");
  app.add_option("--http-listen", flags.http_listen,
                 "For Grafana, people (/alerts/) and probes (/healthz, /readyz, /metrics); port 0: any "
                 "[127.0.0.1:8461]")
      ->type_name("HOST:PORT");
  app.add_option("--rules", flags.rules, "A Prometheus rule file; may be repeated")->type_name("FILE");
  app.add_flag("--check", flags.check, "Check configuration and rules and exit");
  CLI::App* rules = app.add_subcommand("rules", "Rule files by themselves: no aggregator is started");
  rules->require_subcommand(1);
  const auto add = [&](const char* name, const char* summary) {
    CLI::App* sub = rules->add_subcommand(name, summary);
    sub->add_option("FILE", flags.files, "YAML files")->required();
    sub->add_option("-o,--output", flags.output, "text or json")->check(CLI::IsMember({"text", "json"}));
    return sub;
  };
  flags.check_rules = add("check", "Whether rule files can be loaded; `vigil rules check` calls it");
  flags.test_rules = add("test", "Runs unit tests of rules; `vigil rules test` calls it");
}

void add_rule_files(const std::vector<std::string>& files, rules::RulesConfig& rules) {
  for (const std::string& file : files) {
    rules.at.set_flag(fmt::format("files[{}]", rules.files.size()), "--rules");
    rules.files.push_back(file);
  }
}

void apply(const Flags& flags, AggregatorConfig& config) {
  const auto replace = [&config](const char* key, const char* flag, std::string& value,
                                 const std::optional<std::string>& said) {
    if (!said) return;
    value = *said;
    config.at.set_flag(key, flag);
  };
  replace("data_dir", "--data-dir", config.data_dir, flags.data_dir);
  replace("grpc_listen", "--grpc-listen", config.grpc_listen, flags.grpc_listen);
  replace("http_listen", "--http-listen", config.http_listen, flags.http_listen);
  add_rule_files(flags.rules, config.rules);
}

std::map<std::string, std::string> flags_in_force(const Invocation& invocation) {
  const AggregatorConfig& config = invocation.config;
  return {{"config", invocation.config_path},
          {"data-dir", data_directory(config)},
          {"grpc-listen", config.grpc_listen},
          {"http-listen", config.http_listen},
          {"rules", fmt::format("{}", fmt::join(invocation.extra_rules, ","))}};
}

}  // namespace

std::string shown_config(const Invocation& invocation) {
  if (invocation.config_path.empty()) return "# no file: every key has its default\n";
  const auto text = config::read_file(invocation.config_path);
  if (!text) return fmt::format("# {}\n", text.error().message);
  auto shown = config::redacted(*text);
  return shown ? std::move(*shown) : fmt::format("# {}\n", shown.error().message);
}

Result<Invocation> parse_command_line(int argc, const char* const* argv) {
  CLI::App app(kDescription, "vigil-aggregator");
  Flags flags;
  app.formatter(help_formatter());
  declare(app, flags);
  Invocation invocation;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // the library's way of saying help, version and wrong usage
    invocation.mode = Mode::done;
    invocation.exit_code = error.get_exit_code() == 0 ? 0 : 2;
    if (invocation.exit_code == 0) {
      app.exit(error);
    } else {
      fmt::print(stderr, "vigil-aggregator: {}\n`vigil-aggregator --help` explains it\n",
                 explain_usage(app, error));
    }
    return invocation;
  }
  if (flags.check_rules->parsed() || flags.test_rules->parsed()) {
    invocation.mode = flags.check_rules->parsed() ? Mode::check_rules : Mode::test_rules;
    invocation.files = flags.files;
    invocation.form = flags.output == "json" ? trial::Form::json : trial::Form::text;
    return invocation;
  }
  invocation.mode = flags.check ? Mode::check : Mode::run;
  invocation.config_path = flags.config;
  invocation.extra_rules = flags.rules;
  if (!flags.config.empty()) {
    if (auto loaded = config::load_file(flags.config, invocation.config); !loaded) return loaded.error();
  }
  apply(flags, invocation.config);
  invocation.flags = flags_in_force(invocation);
  auto warnings = check(invocation.config);
  if (!warnings) return warnings.error();
  invocation.warnings = std::move(*warnings);
  return invocation;
}

Result<AggregatorConfig> reread(const Invocation& invocation) {
  AggregatorConfig config;
  if (!invocation.config_path.empty()) {
    if (auto loaded = config::load_file(invocation.config_path, config); !loaded) return loaded.error();
  }
  add_rule_files(invocation.extra_rules, config.rules);
  return config;
}

}  // namespace vigil::aggregator
