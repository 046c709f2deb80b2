"""Commands that tests of packages share."""

import re
import shutil
import subprocess

import pytest

PROGRAMS = {"vigil": "vigil.1", "vigil-agent": "vigil-agent.8", "vigil-aggregator": "vigil-aggregator.8"}


def run(*command, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def needs(tool):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")


def one(packages, pattern):
    found = sorted(packages.glob(pattern))
    if not found:
        pytest.skip(f"no {pattern} in {packages}: ./dev package makes it")
    assert len(found) == 1, found
    return found[0]


def flags_of(program, *command):
    return set(re.findall(r"^  (?:-\w,)?(--[\w.-]+)", run(program, *command, "--help"), re.MULTILINE))


def names_below(program, *command):
    """The commands, or parts of a command, that its --help lists."""
    listed = re.search(r"^(?:Subc|C)ommands:\n((?:  .*\n)+)", run(program, *command, "--help"), re.MULTILINE)
    return [name for name in re.findall(r"^  ([a-z]+) ", listed[1], re.MULTILINE) if name != "help"] if listed else []


def commands_of(program, *above):
    """Every command as the words that call it."""
    for name in names_below(program, *above):
        yield (*above, name)
        yield from commands_of(program, *above, name)
