"""Completion of a daemon's flags, from its --help: completion.py bash|zsh|fish PROGRAM. (`vigil completion` makes its own.)"""

import os
import sys

from help_text import Help


def main():
    shell, program = sys.argv[1:]
    name = os.path.basename(program)
    flags = [flag for flag in Help(program).flags() if flag.startswith("--")]
    if shell == "bash":
        function = "_" + name.replace("-", "_")
        print(f"""{function}() {{
  local current=${{COMP_WORDS[COMP_CWORD]}}
  [[ $current == -* ]] && COMPREPLY=($(compgen -W "{' '.join(flags)}" -- "$current"))
}}
complete -o default -o bashdefault -F {function} {name}""")
    elif shell == "zsh":
        print(f"#compdef {name}\n_arguments {' '.join(repr(flag) for flag in flags)} '*:file:_files'")
    else:
        for flag in flags:
            print(f"complete -c {name} -l {flag.removeprefix('--')}")


main()
