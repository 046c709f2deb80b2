#include "cli/completion.h"

#include <algorithm>
#include <map>

namespace vigil::cli {
namespace {

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return flags;
}

/// Those of a command, of what it consists of (with its name), and of the program, which may stand behind the
/// command, too.
std::vector<std::string> flags_behind(const CLI::App& app, const CLI::App& command) {
  std::vector<std::string> flags = flags_of(command);
  for (const CLI::App* part : command.get_subcommands({})) {
    for (const std::string& flag : flags_of(*part)) {
      if (std::find(flags.begin(), flags.end(), flag) == flags.end()) flags.push_back(flag);
    }
  }
  for (const std::string& flag : flags_of(app)) {
    if (flag != "--version" && std::find(flags.begin(), flags.end(), flag) == flags.end())
      flags.push_back(flag);
  }
  return flags;
}

/// The parts it consists of, such as `fleet` of `bench`, and its flags.
std::vector<std::string> words_behind(const CLI::App& app, const CLI::App& command) {
  std::vector<std::string> words;
  for (const CLI::App* part : command.get_subcommands({})) words.push_back(part->get_name());
  for (std::string& flag : flags_behind(app, command)) words.push_back(std::move(flag));
  return words;
}

/// The words an option takes, "table json csv", when it takes no others: CLI11 prints them as
/// "{table,json,csv}".
std::string words_of(const CLI::Option& option) {
  std::string words = option.get_type_name();
  const std::size_t open = words.find('{');
  const std::size_t close = words.find('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  words = words.substr(open + 1, close - open - 1);
  std::replace(words.begin(), words.end(), ',', ' ');
  return words;
}

/// The words a command takes in place of a flag.
std::string operands_of(const CLI::App& command) {
  std::string words;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional() && !words_of(*option).empty()) words += words_of(*option) + ' ';
  }
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

/// The options of all commands that take one of a few words: their names, and the words.
std::map<std::string, std::string> choices(const CLI::App& app) {
  std::map<std::string, std::string> out;
  const auto add = [&out](const CLI::App& of) {
    for (const CLI::Option* option : of.get_options()) {
      const std::string words = words_of(*option);
      if (words.empty()) continue;
      for (const std::string& name : option->get_lnames()) out["--" + name] = words;
      for (const std::string& name : option->get_snames()) out["-" + name] = words;
    }
  };
  add(app);
  for (const CLI::App* command : app.get_subcommands({})) {
    add(*command);
    for (const CLI::App* part : command->get_subcommands({})) add(*part);
  }
  return out;
}

std::string bash(const CLI::App& app) {
  std::string names;
  std::string cases;
  std::string values;
  for (const auto& [option, words] : choices(app))
    values += fmt::format("    {}) words=\"{}\" ;;\n", option, words);
  for (const CLI::App* command : app.get_subcommands({})) {
    names += (names.empty() ? "" : " ") + command->get_name();
    cases += fmt::format("    {}) words=\"{}{}\" ;;\n", command->get_name(), operands_of(*command),
                         operands_of(*command).empty() ? joined(words_behind(app, *command)) : "");
  }
  return fmt::format(R"(_vigil() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} command= word words
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case " {0} " in *" $word "*) command=$word; break ;; esac
  done
  case $command in
    '') words="{0} {1}" ;;
{2}  esac
  case ${{COMP_WORDS[COMP_CWORD-1]}} in
{3}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -o bashdefault -F _vigil vigil
)",
                     names, joined(flags_of(app)), cases, values);
}

std::string fish(const CLI::App& app) {
  std::string out = "complete -c vigil -n __fish_use_subcommand -f\n";  // files are for behind a command
  for (const auto& [option, words] : choices(app)) {
    if (option.starts_with("--"))
      out += fmt::format("complete -c vigil -l {} -xa '{}'\n", option.substr(2), words);
  }
  for (const CLI::App* command : app.get_subcommands({})) {
    out += fmt::format("complete -c vigil -n __fish_use_subcommand -a {} -d '{}'\n", command->get_name(),
                       command->get_description());
    for (const CLI::App* part : command->get_subcommands({}))
      out += fmt::format("complete -c vigil -n '__fish_seen_subcommand_from {}' -a {} -d '{}'\n",
                         command->get_name(), part->get_name(), part->get_description());
    if (const std::string words = operands_of(*command); !words.empty()) {
      out += fmt::format("complete -c vigil -n '__fish_seen_subcommand_from {}' -xa '{}'\n",
                         command->get_name(), words);
    }
    for (const std::string& flag : flags_behind(app, *command)) {
      out += fmt::format("complete -c vigil -n '__fish_seen_subcommand_from {}' -l {}\n", command->get_name(),
                         flag.substr(2));
    }
  }
  return out;
}

}  // namespace

Result<std::string> completion_script(const CLI::App& app, const std::string& shell) {
  if (shell == "bash") return bash(app);
  if (shell == "zsh") return "autoload -U +X bashcompinit && bashcompinit\n" + bash(app);
  if (shell == "fish") return fish(app);
  return fail(Errc::invalid_argument, "'{}' is not a shell known here; use bash, zsh or fish", shell);
}

}  // namespace vigil::cli
