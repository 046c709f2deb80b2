"""Reads what a program says about itself: `PROGRAM [COMMAND…] --help`, as common/flags/help.cpp lays it out."""

import re
import subprocess

SECTIONS = ("Options:", "Commands:", "Arguments:")


class Help:
    """description, usage; options, commands, arguments as [(words, text)]; examples and notes as text."""

    def __init__(self, program, *command):
        text = subprocess.run([program, *command, "--help"], check=True, capture_output=True, text=True).stdout
        self.command = command
        self.description, self.usage, self.examples, self.notes = "", "", "", ""
        self.entries = {name: [] for name in SECTIONS}
        for block in re.split(r"\n\n+", text.strip("\n")):
            self._take(block)

    options = property(lambda self: self.entries["Options:"])
    commands = property(lambda self: self.entries["Commands:"])
    arguments = property(lambda self: self.entries["Arguments:"])

    def _take(self, block):
        first, _, rest = block.partition("\n")
        if first in self.entries:
            self.entries[first] = _entries(rest)
        elif first.startswith("Usage:"):
            self.usage = " ".join(block.removeprefix("Usage:").split())
        elif first == "Examples:":
            self.examples = rest
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


def _entries(text):
    entries = []
    for line in text.splitlines():
        begun = re.match(r"  (\S.*?)(?:  +(.*))?$", line)
        if begun and not line.startswith("   "):
            entries.append([begun.group(1), begun.group(2) or ""])
        elif entries:
            entries[-1][1] += (" " if entries[-1][1] else "") + line.strip()
    return [tuple(entry) for entry in entries]
