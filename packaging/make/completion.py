"""Completion of a daemon's commands and flags, from its --help: completion.py bash|zsh|fish PROGRAM. (`vigil completion` makes its own.)"""

import os
import sys

from help_text import every_page


def long_flags(page):
    return [flag for flag in page.flags() if flag.startswith("--")]


def names_below(page):
    return [words.split()[0] for words, _ in page.commands]


def path_of(page):
    """"/rules/check"; "" of the program itself."""
    return "".join("/" + name for name in page.command)


def walk(pages, words):
    """Shell lines that find which command stands before the cursor, and set `flags` and `parts` to what may follow it."""
    known = "|".join(path_of(page) for page in pages if page.command)
    cases = "\n".join(f"    '{path_of(page)}') flags='{' '.join(long_flags(page))}' parts='{' '.join(names_below(page))}' ;;" for page in pages)
    return f"""  local at='' word flags='' parts=''
  for word in {words}; do
    case $at/$word in
      {known}) at=$at/$word ;;
    esac
  done
  case $at in
{cases}
  esac"""


# Behind a flag stands its value, and what is no command may be a file: both are left to the shell. (zsh has a `commands` of its own.)

def bash(name, pages):
    function = "_" + name.replace("-", "_")
    return f"""{function}() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}
{walk(pages, '"${COMP_WORDS[@]:1:COMP_CWORD-1}"')}
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  elif [[ $previous != -* ]]; then
    COMPREPLY=($(compgen -W "$parts" -- "$current"))
  fi
}}
complete -o default -o bashdefault -F {function} {name}"""


def zsh(name, pages):
    return f"""#compdef {name}
_{name}() {{
{walk(pages, '${words[2,CURRENT-1]}')}
  if [[ $words[CURRENT] == -* ]]; then
    compadd -- ${{=flags}}
  elif [[ $words[CURRENT-1] == -* ]] || ! compadd -- ${{=parts}}; then
    _files
  fi
}}
_{name} "$@\""""


def fish(name, pages):
    lines = []
    for page in pages:
        below = names_below(page)
        there = "; and ".join(f"__fish_seen_subcommand_from {part}" for part in page.command)
        here = f"not __fish_seen_subcommand_from {' '.join(below)}" if below else ""
        for flag in long_flags(page):
            lines.append(f"complete -c {name}" + (f" -n '{there}'" if there else "") + f" -l {flag.removeprefix('--')}")
        if below:
            lines.append(f"complete -c {name} -n '{'; and '.join(part for part in (there, here) if part)}' -a '{' '.join(below)}'")
    return "\n".join(lines)


def main():
    shell, program = sys.argv[1:]
    print({"bash": bash, "zsh": zsh, "fish": fish}[shell](os.path.basename(program), list(every_page(program))))


main()
