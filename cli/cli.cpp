#include "cli/cli.h"

#include "cli/arguments.h"
#include "cli/commands/command.h"
#include "cli/completion.h"
#include "cli/doctor/own_certificate.h"
#include "common/clock.h"
#include "common/config/files.h"
#include "common/flags/help.h"
#include "common/grpc/runtime.h"
#include "common/log/log.h"
#include "common/text/address.h"
#include "common/text/human.h"
#include "common/text/utf8.h"
#include "common/tls/certificate.h"
#include "common/version.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>

namespace vigil::cli {
namespace {

constexpr std::array kCommands = {
    Command{"hosts", declare_hosts, "Hosts: state, CPU, memory, disk, load"},
    Command{"containers", declare_containers, "Containers: state, health, restarts, usage"},
    Command{"top", declare_top, "The fleet on a full screen, live"},
    Command{"query", declare_query, "Evaluate a PromQL expression"},
    Command{"watch", declare_watch, "A PromQL expression again and again, live"},
    Command{"plot", declare_plot, "Draw a PromQL expression in the terminal"},
    Command{"series", declare_series, "Series that exist"},
    Command{"alerts", declare_alerts, "Alerts that are pending, firing or just resolved"},
    Command{"ack", declare_ack, "Say that you look after an alert: nobody is reminded of it"},
    Command{"silence", declare_silence, "Silences: alerts that fire without a message for a time"},
    Command{"maintenance", declare_maintenance, "Maintenances: silences that people are told of"},
    Command{"receivers", declare_receivers, "Who is told of alerts, and whether they can be reached"},
    Command{"routes", declare_routes, "Which receiver has which alerts, and what calendars mute now"},
    Command{"actions", declare_actions, "What is done about alerts"},
    Command{"rules", declare_rules, "Alert rules, their state and where they come from"},
    Command{"gaps", declare_gaps, "Times for which samples are missing, and why"},
    Command{"status", declare_status, "The aggregator itself"},
    Command{"agent", declare_agent, "Agents: invite a host, list, revoke"},
    Command{"certificate", declare_certificate, "Certificates of people: issue, list, revoke"},
    Command{"doctor", declare_doctor,
            "What is wrong here, at the aggregator or in the fleet, and what would mend it"},
    Command{"reload", declare_reload, "Have the aggregator read its configuration and rules again"},
    Command{"forget", declare_forget, "Remove a host that will not come back"},
    Command{"bench", declare_bench, "Measure how much an aggregator takes"},
    Command{"db", declare_db, "The history on disk: status, plan, check"},
    Command{"backup", declare_backup, "Copy the running aggregator's data into a folder"},
    Command{"restore", declare_restore, "Make a data folder of a backup"},
    Command{"token", declare_token, "Tokens, by which programs and people are let in"},
    Command{"user", declare_user, "Users: names, roles and passwords"},
    Command{"audit", declare_audit, "What was changed, and by whom"},
    Command{"login", declare_login, "Sign in at the OpenID Connect provider of an aggregator"},
    Command{"logout", declare_logout, "Forget that login"},
    Command{"whoami", declare_whoami, "Who the aggregator takes you for"},
};

constexpr const char* kHelp = "help";

struct Globals {
  std::string aggregator = kGrpcAddress;
  std::string output = "table";
  std::string timeout = "30s";
  bool tls = false;
  std::string tls_ca;
  std::string tls_cert;
  std::string tls_key;
  std::string token_file;
  std::string shell;  // of `completion`
  Named named = Named::elsewhere;
};

void declare_globals(CLI::App& app, Globals& globals) {
  app.description(
      "vigil looks at your fleet: hosts, containers, metrics, alerts.\nAsks an aggregator over gRPC.");
  app.name("vigil");
  app.formatter(help_formatter());
  app.add_option("--aggregator", globals.aggregator, "Address of the aggregator's gRPC port")
      ->type_name("HOST:PORT|unix:PATH")
      ->envname("VIGIL_AGGREGATOR")
      ->capture_default_str();
  app.add_flag("--tls", globals.tls, "The aggregator speaks TLS")->envname("VIGIL_TLS");
  app.add_option("--tls-ca", globals.tls_ca,
                 "PEM file of who signed its certificate, when the system does not know; means --tls")
      ->type_name("FILE")
      ->envname("VIGIL_TLS_CA");
  app.add_option("--tls-cert", globals.tls_cert,
                 "PEM file with your certificate, where the aggregator asks for one; with --tls-key")
      ->type_name("FILE")
      ->envname("VIGIL_TLS_CERT");
  app.add_option("--tls-key", globals.tls_key, "PEM file with its private key; not readable by everybody")
      ->type_name("FILE")
      ->envname("VIGIL_TLS_KEY");
  app.add_option("--token-file", globals.token_file,
                 "File with a token of `vigil token create`; not readable by others. Or the token itself in "
                 "$VIGIL_TOKEN")
      ->type_name("FILE")
      ->envname("VIGIL_TOKEN_FILE");
  app.add_option("-o,--output", globals.output, "table, json or csv")
      ->check(CLI::IsMember({"table", "json", "csv"}))
      ->capture_default_str();
  app.add_option("--timeout", globals.timeout, "How long to wait for an answer")
      ->type_name("TIME")
      ->capture_default_str();
  app.set_version_flag("--version", "vigil " + std::string(kVersion));
  app.require_subcommand(1);
  app.fallthrough();  // --output may stand behind the command, too
  app.footer(
      "Examples:\n  vigil hosts\n  vigil query 'topk(5, node_load1)'\n  vigil plot "
      "'node_memory_MemAvailable_bytes' --start 6h\n"
      "  vigil alerts -o json\n\nvigil COMMAND --help tells more.\nExit codes: 0 fine, 1 the aggregator said "
      "no, 2 wrong usage, 3 no aggregator answers, 4 alerts --fail-on found one, 5 db check found something "
      "wrong, 6 doctor found a problem.");
}

/// Sends what the user must read to standard error, and says which exit code fits.
Exit report(const Error& error) {
  fmt::print(stderr, "vigil: {}\n", error.message);
  if (error.code == Errc::unavailable) return Exit::unreachable;
  return error.code == Errc::invalid_argument ? Exit::usage : Exit::failed;
}

/// Behind the command's own text: the flags that all commands have.
void finish_help(CLI::App& command) {
  const std::string own = command.get_footer();
  command.footer(
      (own.empty() ? "" : own + "\n\n") +
      "Also: -o table|json|csv, --aggregator HOST:PORT, --timeout TIME, --tls and its kin, --token-file; see "
      "vigil --help.");
}

/// HOST:PORT, or the socket in an aggregator's data folder.
struct Target {
  std::string text;
  bool is_here = false;    // what is sent stays on this machine
  bool is_socket = false;  // a Unix socket
};

Result<Target> parse_target(const std::string& text) {
  if (text.starts_with("unix:")) return Target{text, true, true};
  const auto address = parse_address(text, kGrpcPort);
  if (!address) return fail(Errc::invalid_argument, "--aggregator: {}", address.error().message);
  return Target{address->to_string(), address->is_loopback(), false};
}

Result<std::string> read_token(const Globals& globals) {
  if (!globals.token_file.empty()) {
    auto token = config::read_secret(globals.token_file);
    if (!token) return fail(Errc::invalid_argument, "--token-file: {}", token.error().message);
    return token;
  }
  const char* token = std::getenv("VIGIL_TOKEN");
  return std::string(token == nullptr ? "" : token);
}

/// How to speak TLS, with the files read.
Result<void> add_tls(const Globals& globals, ClientOptions& options) {
  options.tls = globals.tls || !globals.tls_ca.empty() || !globals.tls_cert.empty();
  if (globals.tls_cert.empty() != globals.tls_key.empty())
    return fail(Errc::invalid_argument, "--tls-cert and --tls-key belong together: give both or neither");
  const auto read = [](const char* flag, const std::string& path, auto reader,
                       std::string& out) -> Result<void> {
    if (path.empty()) return {};
    auto text = reader(path);
    if (!text) return fail(Errc::invalid_argument, "{}: {}", flag, text.error().message);
    out = std::move(*text);
    return {};
  };
  if (auto done = read("--tls-ca", globals.tls_ca, config::read_certificates, options.ca_pem); !done)
    return done;
  if (auto done = read("--tls-cert", globals.tls_cert, config::read_certificates, options.cert_pem); !done)
    return done;
  if (auto done = read("--tls-key", globals.tls_key, config::read_private_key, options.key_pem); !done)
    return done;
  if (options.cert_pem.empty()) return {};
  // gRPC would say of such a pair that the aggregator has no address.
  if (const auto pair = tls::check_pair(options.cert_pem, options.key_pem); !pair)
    return fail(Errc::invalid_argument, "--tls-cert {} and --tls-key {}: {}", globals.tls_cert,
                globals.tls_key, pair.error().message);
  return {};
}

Result<ClientOptions> client_options(const Globals& globals) {
  const auto address = parse_target(globals.aggregator);
  if (!address) return address.error();
  const auto timeout = parse_duration(globals.timeout);
  if (!timeout || timeout->count() <= 0) {
    return fail(Errc::invalid_argument, "--timeout: '{}' is not a duration; write for example 10s",
                globals.timeout);
  }
  ClientOptions options;
  options.address = address->text;
  options.timeout = *timeout;
  // A socket speaks plain text, and its folder says who may: VIGIL_TLS_* of the shell is for other addresses.
  if (!address->is_socket) {
    if (auto added = add_tls(globals, options); !added) return added.error();
    options.cert_path = globals.tls_cert;
  }
  auto token = read_token(globals);
  if (!token) return token.error();
  if (!token->empty() && !options.tls && !address->is_here)
    return fail(Errc::invalid_argument,
                "a token is not sent in plain text to {}: use --tls or --tls-ca FILE, or connect without it",
                options.address);
  options.token = std::move(*token);
  options.keeps_secrets = options.tls || address->is_here;
  if (options.token.empty() && options.cert_pem.empty() && options.keeps_secrets)
    options.token_source = login_tokens(options, wall_ms);
  return options;
}

Exit execute(const Globals& globals, const Run& run) {
  const auto options = client_options(globals);
  if (!options) return report(options.error());
  Context context;
  context.client = Client::create(*options);
  context.aggregator = *options;
  context.named = globals.named;
  context.format = *parse_format(globals.output);
  context.colours = detect_colours();
  context.width = terminal_width();
  context.now_ms = wall_ms();
  if (const std::string ending = warn_of_end(*options, context.now_ms); !ending.empty())
    fmt::print(stderr, "vigil: warning: {}\n", ending);
  const auto exit = run(context);
  return exit ? *exit : report(exit.error());
}

}  // namespace

int run(int argc, char** argv) {
  ::tzset();
  log::set_level(log::Level::error);  // what fails is said once, by the command
  // Nobody polls the connection while `watch` waits to dial again; unlike the daemons we may wake for it each
  // second.
  ::setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "1000", 0);
  prepare_grpc();
  for (int i = 1; i < argc; ++i) {
    if (is_utf8(argv[i])) continue;  // or the aggregator could not be told of it
    fmt::print(stderr, "vigil: '{}' is not UTF-8\n", printable(argv[i]));
    return static_cast<int>(Exit::usage);
  }
  CLI::App app;
  Globals globals;
  declare_globals(app, globals);
  std::vector<std::pair<const CLI::App*, Run>> runs;
  for (const Command& command : kCommands) {
    CLI::App* sub = app.add_subcommand(std::string(command.name), std::string(command.summary));
    sub->footer("");  // not the program's
    sub->group("Commands");
    runs.emplace_back(sub, command.declare(*sub));
    finish_help(*sub);
  }
  CLI::App* completion = app.add_subcommand("completion", "A completion script: bash, zsh or fish");
  completion->add_option("shell", globals.shell, "The shell")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->required();
  completion->group("Commands");
  app.add_subcommand(kHelp, "This text, or that of a command: vigil help db plan")->group("Commands");
  completion->footer("For bash: vigil completion bash > /etc/bash_completion.d/vigil");

  try {
    std::vector<std::string> arguments =
        shield_expressions(app, spell_out_help(app, {argv + 1, argv + argc}, kHelp));
    if (names_aggregator(arguments)) globals.named = Named::on_command_line;
    std::reverse(arguments.begin(), arguments.end());  // as the library wants them
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {  // the library's way of saying help, version and wrong usage
    if (error.get_exit_code() == 0) return app.exit(error, std::cout, std::cerr);
    fmt::print(stderr, "{}", usage_error("vigil", app, error));
    return static_cast<int>(Exit::usage);
  }
  if (completion->parsed()) {
    const auto script = completion_script(app, globals.shell);
    if (!script) return static_cast<int>(report(script.error()));
    fmt::print("{}", *script);
    return static_cast<int>(Exit::ok);
  }
  for (const auto& [sub, command] : runs) {
    if (!sub->parsed()) continue;
    const Exit exit = execute(globals, command);
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return static_cast<int>(exit);
    fmt::print(stderr, "vigil: the output could not be written\n");
    return static_cast<int>(Exit::failed);
  }
  return app.exit(CLI::CallForHelp(), std::cout, std::cerr);  // `vigil -o json help`
}

}  // namespace vigil::cli
