"""Waiting for what is to come, in tests of programs that run by themselves: looked for again and again, never slept for."""

import subprocess
import time

# What a look may fail with while what it looks for is not there yet.
NOT_YET = (AssertionError, KeyError, IndexError, ValueError, StopIteration, TypeError, OSError, subprocess.SubprocessError)


def eventually(what, check, patience=60):
    """The first true value of check(); fails with `what` and the last value or error when none comes within `patience` seconds."""
    deadline = time.monotonic() + patience
    last = None
    while time.monotonic() < deadline:
        try:
            last = check()
            if last:
                return last
        except NOT_YET as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {patience} s; last seen: {last!r}")
