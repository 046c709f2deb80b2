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


def flags_of(program):
    return set(re.findall(r"--[a-z][\w.-]+", run(program, "--help")))
