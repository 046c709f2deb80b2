#include "agent/flags.h"

#include "common/config/example.h"
#include "common/flags/help.h"
#include "common/text/human.h"
#include "common/version.h"

#include <CLI/CLI.hpp>
#include <filesystem>

namespace vigil::agent {
namespace {

constexpr const char* kDescription =
    "vigil-agent watches this host: CPU, memory, disks, network, processes, units and containers, once a "
    "second, and sends what it sees to an aggregator. It only dials out, and runs nothing "
    "but what a list of this host allows.";

constexpr const char* kExamples =
    "Examples:\n"
    "  # Watch this host, send to 127.0.0.1:8460:\n"
    "  vigil-agent\n"
    "  # One look at all metrics, as Prometheus text:\n"
    "  vigil-agent --once | less\n"
    "  vigil-agent --check --config /etc/vigil/agent.yml\n"
    "  # Once, as vigil agent invite says:\n"
    "  vigil-agent enroll --aggregator mon.example.org:8460 \\\n"
    "    --token 5f0c... --fingerprint sha256:9b71...\n"
    "  # Not enrolled: needs tls or tls.plaintext in the configuration:\n"
    "  vigil-agent --config /etc/vigil/agent.yml --aggregator mon.example.org:8460\n"
    "  # From inside a container:\n"
    "  vigil-agent --path.procfs /host/proc --path.sysfs /host/sys \\\n"
    "    --path.rootfs /host";

struct Flags {
  std::string config;
  std::optional<std::string> aggregator;
  std::optional<std::string> name;
  std::optional<std::string> interval;
  std::optional<std::string> docker_socket;
  std::optional<std::string> spool;
  std::optional<std::string> procfs;
  std::optional<std::string> sysfs;
  std::optional<std::string> rootfs;
  bool once = false;
  bool check = false;
  bool list_collectors = false;
  EnrollOptions enroll_options;
  const CLI::App* enroll = nullptr;
  std::string output = "table";
  const CLI::App* doctor = nullptr;
  bool print_config = false;
  bool core_dumps = false;
};

// Flags of the program that its commands need, too: declared in both, so that the help of each lists them.

void declare_config(CLI::App& app, Flags& flags) {
  app.add_option("--config", flags.config, "YAML file; every key has a default")->type_name("FILE");
}

void declare_name(CLI::App& app, Flags& flags) {
  app.add_option("--name", flags.name, "This host's name at the aggregator [the system's name]")
      ->type_name("NAME");
}

void declare_spool(CLI::App& app, Flags& flags, const char* what) {
  app.add_option("--spool", flags.spool, what)->type_name("DIR");
}

void declare_enroll(CLI::App& app, Flags& flags) {
  CLI::App* enroll = app.add_subcommand(
      "enroll", "Gets this host a certificate, with the token of an invitation (vigil agent invite)");
  enroll->fallthrough();
  declare_config(*enroll, flags);
  declare_name(*enroll, flags);
  declare_spool(*enroll, flags,
                "Folder where the agent's samples wait: the identity is kept there, too, without --dir");
  EnrollOptions& options = flags.enroll_options;
  enroll->add_option("--aggregator", options.aggregator, "Where the aggregator listens")
      ->type_name("HOST:PORT");
  enroll->add_option("--token", options.token, "Of the invitation")
      ->type_name("TOKEN")
      ->envname("VIGIL_ENROLL_TOKEN");
  enroll
      ->add_option("--fingerprint", options.fingerprint,
                   "Of the aggregator's authority: nothing is sent to who cannot show it")
      ->type_name("sha256:HEX");
  enroll
      ->add_option("--invitation", options.invitation,
                   "File with these three, as vigil agent invite --out writes it; nobody else may read it")
      ->type_name("FILE");
  enroll->add_option("--dir", options.folder, "Where it is kept, as tls.dir [see there]")
      ->type_name("FOLDER");
  enroll->footer(
      "Run it as root, then restart the agent. `vigil agent invite` prints the whole line. Without --config "
      "it reads /etc/vigil/agent.yml, if that is there.\n\nExamples:\n"
      "  vigil-agent enroll --aggregator monitor.example.org:8460 \\\n"
      "    --token 5f0c... --fingerprint sha256:9b71...\n"
      "  VIGIL_ENROLL_TOKEN=5f0c... vigil-agent enroll \\\n"
      "    --aggregator monitor.example.org:8460 --fingerprint sha256:9b71...\n"
      "  vigil-agent enroll --invitation /run/secrets/invitation --if-needed \\\n    --name node-7");
  CLI::Option* force = enroll->add_flag_function(
      "--force", [&options](std::int64_t) { options.again = Again::allowed; },
      "Also when this host is enrolled already");
  enroll
      ->add_flag_function(
          "--if-needed", [&options](std::int64_t) { options.again = Again::if_needed; },
          "Does nothing where this host is enrolled already, under its --name, and the aggregator takes it")
      ->excludes(force);
  flags.enroll = enroll;
}

void declare(CLI::App& app, Flags& flags) {
  app.footer(kExamples);
  app.set_version_flag("--version", "vigil-agent " + std::string(kVersion));
  declare_config(app, flags);
  app.add_option("--aggregator", flags.aggregator, "Where the aggregator listens [127.0.0.1:8460]")
      ->type_name("HOST:PORT");
  declare_name(app, flags);
  app.add_option("--interval", flags.interval, "The beat [1s]")->type_name("DURATION");
  app.add_option("--docker-socket", flags.docker_socket, "Container engine's socket; auto or none [auto]")
      ->type_name("PATH");
  declare_spool(app, flags,
                "Folder for samples that wait longer [systemd's state directory, or memory only]");
  app.add_option("--path.procfs", flags.procfs, "Where the host's /proc is [/proc]")->type_name("PATH");
  app.add_option("--path.sysfs", flags.sysfs, "Where the host's /sys is [/sys]")->type_name("PATH");
  app.add_option("--path.rootfs", flags.rootfs, "Where the host's root file system is [/]")
      ->type_name("PATH");
  app.add_flag("--once", flags.once, "Print one beat's metrics as Prometheus text and exit");
  app.add_flag(
      "--core-dumps", flags.core_dumps,
      "For looking into crashes: the memory, with its secrets, may be dumped and debuggers attached");
  app.add_flag("--check", flags.check, "Check the configuration and exit");
  app.add_flag("--list-collectors", flags.list_collectors, "Print the collectors there are and exit");
  declare_enroll(app, flags);
  CLI::App* doctor =
      app.add_subcommand("doctor", "What keeps this agent from its work, and what would mend it");
  doctor->add_option("-o,--output", flags.output, "table or json")->check(CLI::IsMember({"table", "json"}));
  doctor->fallthrough();
  declare_config(*doctor, flags);
  doctor->footer(
      "Changes nothing, and works whether the agent runs or not. Without --config it reads "
      "/etc/vigil/agent.yml, if that is there.\nExits with 1 when it found a problem.");
  flags.doctor = doctor;
  app.add_flag("--print-config", flags.print_config, "Print every key with its default, as YAML, and exit");
}

/// A key, the flag that wins over it, and what the flag says.
struct Change {
  const char* key;
  const char* flag;
  std::string& value;
  const std::optional<std::string>& said;
};

Result<void> apply(const Flags& flags, AgentConfig& config) {
  Roots& roots = config.options.roots;
  for (const Change& change :
       {Change{"aggregator", "--aggregator", config.aggregator, flags.aggregator},
        Change{"name", "--name", config.name, flags.name},
        Change{"docker_socket", "--docker-socket", config.options.docker_socket, flags.docker_socket},
        Change{"spool.dir", "--spool", config.spool.dir, flags.spool},
        Change{"paths.procfs", "--path.procfs", roots.procfs, flags.procfs},
        Change{"paths.sysfs", "--path.sysfs", roots.sysfs, flags.sysfs},
        Change{"paths.rootfs", "--path.rootfs", roots.rootfs, flags.rootfs}}) {
    if (!change.said) continue;
    change.value = *change.said;
    config.at.set_flag(change.key, change.flag);
  }
  if (!flags.interval) return {};
  const auto interval = parse_duration(*flags.interval);
  if (!interval) return fail(Errc::invalid_argument, "--interval: {}", interval.error().message);
  config.interval = *interval;
  config.at.set_flag("interval", "--interval");
  return {};
}

/// Why the agent will not use what is enrolled now, or not as it is: keys of the configuration come first.
std::string caution_about(const AgentConfig& config, const std::string& enrolled_at) {
  if (says_how_to_speak(config.tls))
    return config.at.say("tls",
                         "says how to speak with the aggregator: the agent uses that and leaves "
                         "identity.pem alone; take all but tls.dir out");
  if (config.aggregator != kGrpcAddress && config.aggregator != enrolled_at)
    return config.at.say("aggregator",
                         fmt::format("the agent goes to {}, whatever identity.pem says", config.aggregator));
  return {};
}

/// The file, flags over it, and, unless it is for enrolling, whether an agent can run with that: what is
/// missing it may be about to get.
Result<void> read(const Invocation& invocation, AgentConfig& config) {
  if (!invocation.config_path.empty()) {
    if (auto loaded = config::load_file(invocation.config_path, config); !loaded) return loaded.error();
  }
  if (auto applied = invocation.apply_flags(config); !applied) return applied;
  return invocation.mode == Mode::enroll ? Result<void>() : check(config);
}

Mode mode(const Flags& flags) {
  if (flags.enroll->parsed()) return Mode::enroll;
  if (flags.doctor->parsed()) return Mode::doctor;
  if (flags.list_collectors) return Mode::list_collectors;
  if (flags.check) return Mode::check;
  return flags.once ? Mode::once : Mode::run;
}

}  // namespace

Result<Invocation> parse_command_line(int argc, const char* const* argv, const std::string& usual_config) {
  CLI::App app(kDescription, "vigil-agent");
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
      fmt::print(stderr, "{}", usage_error("vigil-agent", app, error));
    }
    return invocation;
  }
  if (flags.print_config) {
    fmt::print("{}", example_config());
    invocation.mode = Mode::done;
    return invocation;
  }
  invocation.mode = mode(flags);
  invocation.config_path = flags.config;
  invocation.core_dumps = flags.core_dumps;
  invocation.json = flags.output == "json";
  const bool looks_after = invocation.mode == Mode::doctor || invocation.mode == Mode::enroll;
  if (looks_after && flags.config.empty() && std::filesystem::exists(usual_config))
    invocation.config_path = usual_config;
  invocation.apply_flags = [flags](AgentConfig& config) { return apply(flags, config); };
  if (const auto good = read(invocation, invocation.config); !good) {
    if (invocation.mode != Mode::doctor) return good.error();
    invocation.trouble = good.error().message;
  }
  invocation.enroll = flags.enroll_options;
  invocation.enroll.name = invocation.config.name;
  invocation.enroll.caution = caution_about(invocation.config, flags.enroll_options.aggregator);
  if (invocation.enroll.folder.empty()) invocation.enroll.folder = identity_folder(invocation.config);
  return invocation;
}

Result<AgentConfig> reread(const Invocation& invocation) {
  AgentConfig config;
  if (auto good = read(invocation, config); !good) return good.error();
  return config;
}

std::string example_config() {
  return config::example("vigil-agent", config::document(AgentConfig{}));
}

}  // namespace vigil::agent
