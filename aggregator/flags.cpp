#include "aggregator/flags.h"

#include "common/config/example.h"
#include "common/config/redact.h"
#include "common/flags/help.h"
#include "common/version.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>

namespace vigil::aggregator {
namespace {

constexpr const char* kDescription =
    "vigil-aggregator takes in what agents see, keeps it, evaluates alert rules the moment samples arrive, "
    "tells people, and answers queries. One process, no other services.";

constexpr const char* kExamples =
    "Examples:\n"
    "  # Listen on loopback, keep data in ./vigil-data:\n"
    "  vigil-aggregator\n"
    "  # Is the configuration right? Rules too:\n"
    "  vigil-aggregator --check --config aggregator.yml\n"
    "  # Make certificates: then agents can enroll:\n"
    "  vigil-aggregator init --name monitor.example.org --person ada --out ~/vigil\n"
    "  # Take agents of other machines: see tls there:\n"
    "  vigil-aggregator --config aggregator.yml --grpc-listen 0.0.0.0:8460\n"
    "  # Prometheus rule files, beside the shipped ones:\n"
    "  vigil-aggregator --rules my-alerts.yml\n"
    "Then: vigil-agent, and  vigil hosts | top | query | plot | alerts.\n"
    "SIGHUP reads the configuration and the rules again; SIGTERM stops cleanly.";

struct Flags {
  std::string config;
  std::optional<std::string> data_dir;
  std::optional<std::string> grpc_listen;
  std::optional<std::string> http_listen;
  std::vector<std::string> rules;
  bool check = false;
  bool core_dumps = false;
  bool print_config = false;
  std::vector<std::string> files;
  std::string output = "text";
  const CLI::App* check_rules = nullptr;
  const CLI::App* test_rules = nullptr;
  const CLI::App* doctor = nullptr;
  identity::InitOptions init_options;
  const CLI::App* init = nullptr;
};

constexpr const char* kUsualConfig = "/etc/vigil/aggregator.yml";

// Flags of the program that its commands need, too: declared in both, so that the help of each lists them.

void declare_config(CLI::App& app, Flags& flags) {
  app.add_option("--config", flags.config, "YAML file; every key has a default")->type_name("FILE");
}

void declare_data_dir(CLI::App& app, Flags& flags) {
  app.add_option("--data-dir", flags.data_dir, "Folder of the databases [$STATE_DIRECTORY or ./vigil-data]")
      ->type_name("FOLDER");
}

void declare_init(CLI::App& app, Flags& flags) {
  CLI::App* init = app.add_subcommand(
      "init", "Makes the authority that certificates of agents and people come from; safe to repeat");
  init->fallthrough();
  declare_config(*init, flags);
  declare_data_dir(*init, flags);
  init->add_option(
          "--name", flags.init_options.names,
          "A name or address by which others reach this aggregator, besides those of this host; may be "
          "repeated")
      ->type_name("DNS-OR-IP");
  init->add_option("--person", flags.init_options.person,
                   "Whose certificate for the command line is made, the first one; with --out")
      ->type_name("NAME");
  init->add_option("--out", flags.init_options.out, "Folder for that certificate and its key")
      ->type_name("FOLDER");
  init->footer(
      "Run it as root or as the aggregator's user.\n\nExamples:\n"
      "  vigil-aggregator init --data-dir /var/lib/vigil --name monitor.example.org \\\n"
      "    --person ada --out ~/vigil\n"
      "  # Adds an address:\n"
      "  vigil-aggregator init --data-dir /var/lib/vigil --name 203.0.113.7\n"
      "Hosts are invited with `vigil agent invite`.");
  flags.init = init;
}

void declare(CLI::App& app, Flags& flags) {
  app.footer(kExamples);
  app.set_version_flag("--version", "vigil-aggregator " + std::string(kVersion));
  declare_config(app, flags);
  declare_data_dir(app, flags);
  app.add_option("--grpc-listen", flags.grpc_listen,
                 "For agents and the command line; port 0: any [127.0.0.1:8460]")
      ->type_name("HOST:PORT");
  app.add_option("--http-listen", flags.http_listen,
                 "For Grafana, people (/alerts/) and probes (/healthz, /readyz, /metrics); port 0: any "
                 "[127.0.0.1:8461]")
      ->type_name("HOST:PORT");
  app.add_option("--rules", flags.rules, "A Prometheus rule file; may be repeated")->type_name("FILE");
  app.add_flag(
      "--core-dumps", flags.core_dumps,
      "For looking into crashes: the memory, with its secrets, may be dumped and debuggers attached");
  app.add_flag("--check", flags.check, "Check configuration and rules and exit");
  CLI::App* doctor =
      app.add_subcommand("doctor", "What keeps this aggregator from its work, and what would mend it");
  doctor->add_option("-o,--output", flags.output, "table, json or text")
      ->check(CLI::IsMember({"table", "json", "text"}));
  doctor->fallthrough();
  declare_config(*doctor, flags);
  declare_data_dir(*doctor, flags);
  doctor->footer(
      "Changes nothing, and works whether the aggregator runs or not. Without --config it reads\n"
      "/etc/vigil/aggregator.yml, if that is there. Exits with 1 when it found a problem.");
  flags.doctor = doctor;
  app.add_flag("--print-config", flags.print_config, "Print every key with its default, as YAML, and exit");
  CLI::App* rules = app.add_subcommand("rules", "Rule files by themselves: no aggregator is started");
  rules->require_subcommand(1);
  rules->footer("");  // not the program's
  const auto add = [&](const char* name, const char* summary) {
    CLI::App* sub = rules->add_subcommand(name, summary);
    sub->add_option("FILE", flags.files, "YAML files")->required();
    sub->add_option("-o,--output", flags.output, "text or json")->check(CLI::IsMember({"text", "json"}));
    return sub;
  };
  flags.check_rules = add("check", "Whether rule files can be loaded; `vigil rules check` calls it");
  flags.test_rules = add("test", "Runs unit tests of rules; `vigil rules test` calls it");
  declare_init(app, flags);
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

/// The file, flags over it, and whether that is right; the warnings.
Result<std::vector<std::string>> read(const Invocation& invocation, AggregatorConfig& config) {
  if (!invocation.config_path.empty()) {
    if (auto loaded = config::load_file(invocation.config_path, config); !loaded) return loaded.error();
  }
  invocation.apply_flags(config);
  return check(config);
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

std::vector<config::OpenSecrets> open_secrets(const Invocation& invocation) {
  return config::open_secrets({invocation.config_path, invocation.config.notifications.alertmanager_file});
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
      fmt::print(stderr, "{}", usage_error("vigil-aggregator", app, error));
    }
    return invocation;
  }
  if (flags.check_rules->parsed() || flags.test_rules->parsed()) {
    invocation.mode = flags.check_rules->parsed() ? Mode::check_rules : Mode::test_rules;
    invocation.files = flags.files;
    invocation.form = flags.output == "json" ? trial::Form::json : trial::Form::text;
    return invocation;
  }
  if (flags.print_config) {
    fmt::print("{}", example_config());
    invocation.mode = Mode::done;
    return invocation;
  }
  invocation.mode = flags.init->parsed()     ? Mode::init
                    : flags.doctor->parsed() ? Mode::doctor
                    : flags.check            ? Mode::check
                                             : Mode::run;
  invocation.init = flags.init_options;
  invocation.core_dumps = flags.core_dumps;
  invocation.config_path = flags.config;
  if (invocation.mode == Mode::doctor) {
    invocation.json = flags.output == "json";
    if (flags.config.empty() && std::filesystem::exists(kUsualConfig)) invocation.config_path = kUsualConfig;
  }
  invocation.extra_rules = flags.rules;
  invocation.apply_flags = [flags](AggregatorConfig& config) { apply(flags, config); };
  auto warnings = read(invocation, invocation.config);
  if (!warnings && invocation.mode != Mode::doctor) return warnings.error();
  invocation.flags = flags_in_force(invocation);
  if (warnings) {
    invocation.warnings = std::move(*warnings);
  } else {
    invocation.trouble = warnings.error().message;
  }
  return invocation;
}

std::string example_config() {
  return config::example("vigil-aggregator", config::document(AggregatorConfig{}));
}

Result<AggregatorConfig> reread(const Invocation& invocation) {
  AggregatorConfig config;
  if (const auto warnings = read(invocation, config); !warnings) return warnings.error();
  return config;
}

}  // namespace vigil::aggregator
