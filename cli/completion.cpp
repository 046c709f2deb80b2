#include "cli/completion.h"

namespace vigil::cli {
namespace {

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return flags;
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

std::string bash(const CLI::App& app) {
  std::string names;
  std::string cases;
  for (const CLI::App* command : app.get_subcommands({})) {
    names += (names.empty() ? "" : " ") + command->get_name();
    cases += fmt::format("    {}) words=\"{}\" ;;\n", command->get_name(), joined(flags_of(*command)));
  }
  return fmt::format(R"(_vigil() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} command= word words
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case " {0} " in *" $word "*) command=$word; break ;; esac
  done
  case $command in
    '') words="{0} {1}" ;;
{2}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -F _vigil vigil
)",
                     names, joined(flags_of(app)), cases);
}

std::string fish(const CLI::App& app) {
  std::string out = "complete -c vigil -f\n";
  for (const CLI::App* command : app.get_subcommands({})) {
    out += fmt::format("complete -c vigil -n __fish_use_subcommand -a {} -d '{}'\n", command->get_name(),
                       command->get_description());
    for (const std::string& flag : flags_of(*command)) {
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
