"""Man pages from what the programs say: man.py PROGRAM (its own page) or man.py --config PROGRAM (the page of its file), on standard output.

A page cannot fall behind its program: it is made from --help and --print-config of the one that is packaged.
"""

import datetime
import os
import re
import subprocess
import sys

from help_text import every_page

PAGES = {
    "vigil": (1, "look at a fleet of hosts and their containers", "vigil-aggregator(8), vigil-agent(8)", """\
.SH FILES
.TP
.I /usr/share/doc/vigil/
What commands, rules, notifications and metrics mean, at length.
.SH ENVIRONMENT
The options name the variables that stand for them.
"""),
    "vigil-agent": (8, "watch this host and send what it sees to an aggregator", "vigil-agent.yml(5), vigil(1), vigil-aggregator(8)", """\
.SH FILES
.TP
.I /etc/vigil/agent.yml
Its configuration, see vigil-agent.yml(5).
.TP
.I /var/lib/vigil-agent/
Samples that wait for the aggregator, and the host's certificate.
.SH SIGNALS
.TP
.B SIGHUP
Reads the configuration again, which is what a reload of its unit does. What is wrong is logged, and the old one stays; keys that wait for a restart are named there.
.TP
.B SIGTERM, SIGINT
It says goodbye and ends: its host has then left, and is not down.
.SH EXIT STATUS
0: it ended as it was asked to. 1: it could not go on. 2: wrong usage or configuration.
"""),
    "vigil-docker-reader": (8, "ask a container engine for the vigil agent", "vigil-agent(8)", """\
.SH FILES
.TP
.I /run/vigil/docker.sock, /run/vigil/podman.sock
Where systemd listens for it: vigil\\-docker\\-reader.socket, vigil\\-podman\\-reader.socket. The group vigil\\-agent may ask.
.SH REQUESTS
GET of /version, /_ping, /containers/json?all=1, /containers/ID/json and /events with one of two filters, each also below
an API version such as /v1.41. Everything else is answered with 403 and why, and counted in the log, one line a minute.
.SH EXIT STATUS
0: it was idle, or ended as it was asked to. 2: wrong usage, or no socket to listen at.
"""),
    "vigil-aggregator": (8, "take in what agents see, keep it, alert, and answer", "vigil-aggregator.yml(5), vigil(1), vigil-agent(8)", """\
.SH FILES
.TP
.I /etc/vigil/aggregator.yml
Its configuration, see vigil-aggregator.yml(5).
.TP
.I /var/lib/vigil/
Everything it knows.
.TP
.I /usr/share/vigil/rules/
The rules it brings along, for reading: they are part of the program.
.SH SIGNALS
.TP
.B SIGHUP
Reads the configuration, rules, actions and routes again. What is wrong is logged, and the old ones stay.
.TP
.B SIGTERM, SIGINT
Seals and commits what it holds, and ends. A second one ends it once the journal is committed.
.SH EXIT STATUS
0: it ended as it was asked to. 1: it could not go on. 2: wrong usage or configuration.
"""),
}


def escaped(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in text.splitlines())


def version_of(program):
    return subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.split()[-1]


def header(name, section, program):
    day = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc).date()
    return f'.TH {name.upper()} {section} {day} "vigil {version_of(program)}" "vigil"\n'


def listed(entries):
    return "".join(f".TP\n.B {escaped(words)}\n{escaped(text) or 'See above.'}\n" for words, text in entries)


def literal(text):
    return f".nf\n{escaped(text)}\n.fi\n" if text else ""


def command_section(page):
    """A command, with what it says about itself."""
    out = f".SS {escaped(page.usage)}\n{escaped(page.description)}\n"
    out += listed(page.arguments)
    out += listed([entry for entry in page.options if not entry[0].startswith("-h,")])
    for part in (page.examples, page.notes):
        out += ".PP\n" + literal(part) if part else ""
    return out


def program_page(program):
    name = os.path.basename(program)
    section, what, also, rest = PAGES[name]
    page, *commands = every_page(program)
    out = header(name, section, program)
    out += f".SH NAME\n{escaped(name)} \\- {escaped(what)}\n"
    out += f".SH SYNOPSIS\n.B {escaped(page.usage)}\n"
    out += f".SH DESCRIPTION\n{escaped(page.description)}\n"
    out += ".SH OPTIONS\n" + listed(page.options)
    if commands:
        out += ".SH COMMANDS\n" + "".join(map(command_section, commands))
    if page.examples:
        out += ".SH EXAMPLES\n" + literal(page.examples)
    if page.notes:
        out += ".SH NOTES\n" + literal(page.notes)
    return out + rest + f".SH SEE ALSO\n{escaped(also)}\n"


def config_page(program):
    name = os.path.basename(program)
    file = f"/etc/vigil/{name.removeprefix('vigil-')}.yml"
    text = subprocess.run([program, "--print-config"], check=True, capture_output=True, text=True).stdout
    out = header(name + ".yml", 5, program)
    out += f".SH NAME\n{escaped(name)}.yml \\- configuration of {escaped(name)}\n"
    out += f".SH DESCRIPTION\n.I {escaped(file)}\nis YAML. Every key has a default; unknown keys are errors. Flags win over the file.\n"
    out += f".B {escaped(name)} \\-\\-check \\-\\-config {escaped(file)}\nsays what is wrong with it, by line and column.\n"
    out += ".PP\nA duration is 90s, 1h30m or 2d; a size is 64MB or 16MiB. Paths begin at the file's folder. Secrets stand in files of their own.\n"
    out += ".SH KEYS\nWith their defaults, and each switched off by the first # of its line:\n.PP\n" + literal(re.sub(r"^(##[^\n]*\n)+\n", "", text))
    return out + f".SH SEE ALSO\n{escaped(name)}(8)\n"


def main():
    if sys.argv[1] == "--config":
        sys.stdout.write(config_page(sys.argv[2]))
    else:
        sys.stdout.write(program_page(sys.argv[1]))


main()
