"""Reads what a program says about itself: `PROGRAM [COMMAND…] --help`, as common/flags/help.cpp lays it out."""

import re
import subprocess

# As they are called here, and in the texts: a command's parts are "Subcommands" where nobody gave them another name.
SECTIONS = {"Options:": "options", "Commands:": "commands", "Subcommands:": "commands", "Arguments:": "arguments"}


class Help:
    """description, usage; options, commands, arguments as [(words, text)]; examples and notes as text."""

    def __init__(self, program, *command):
        text = subprocess.run([program, *command, "--help"], check=True, capture_output=True, text=True).stdout
        self.command = command
        self.description, self.usage, self.examples, self.notes = "", "", "", ""
        self.options, self.commands, self.arguments = [], [], []
        for block in re.split(r"\n\n+", text.strip("\n")):
            self._take(block)

    def _take(self, block):
        first, _, rest = block.partition("\n")
        if first in SECTIONS:
            setattr(self, SECTIONS[first], _entries(rest))
        elif first.startswith("Usage:"):
            self.usage = " ".join(block.removeprefix("Usage:").split())
        elif first in ("Examples:", "Example:"):
            self.examples = rest
        elif re.fullmatch(r"[A-Z]\w+:", first) and re.match(r"  \S", rest):
            raise ValueError(f"--help of {' '.join(self.command) or 'the program'} has a section that is not known here: {first}")
        elif not self.usage:
            self.description = " ".join(block.split())
        else:
            self.notes += ("\n\n" if self.notes else "") + block

    def flags(self):
        """Every "--name" and "-x"."""
        found = []
        for words, _ in self.options:
            found += re.findall(r"(?<![\w-])--?[A-Za-z][\w.-]*", words)
        return found


def every_page(program, *command):
    """The program's own, and those of its commands and their commands."""
    page = Help(program, *command)
    yield page
    for words, _ in page.commands:
        if words.split()[0] != "help":
            yield from every_page(program, *command, words.split()[0])


def _entries(text):
    entries = []
    for line in text.splitlines():
        begun = re.match(r"  (\S.*?)(?:  +(.*))?$", line)
        if begun and not line.startswith("   "):
            entries.append([begun.group(1), begun.group(2) or ""])
        elif entries:
            entries[-1][1] += (" " if entries[-1][1] else "") + line.strip()
    return [tuple(entry) for entry in entries]
