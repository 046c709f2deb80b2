"""Expressions watched live: by lines, on a screen, over a restart, by more than the aggregator takes."""

import csv
import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest
from support import BIN, PATIENCE, Lines, Process, eventually, metric


@pytest.fixture
def watched(vigil):
    vigil.start().agent("here")
    vigil.wait_for_host()
    eventually("values", lambda: vigil.query("node_load1") and vigil.query("up"))
    return vigil


class Watch:
    """`vigil watch` in the background, and its lines as they come."""

    def __init__(self, vigil, *args):
        self.child = subprocess.Popen([BIN / "vigil", "--aggregator", vigil.grpc, "watch", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.out, self.err = Lines(self.child.stdout), Lines(self.child.stderr)
        vigil.adopt(self)

    def kill(self, sig=signal.SIGKILL):
        self.child.send_signal(sig)
        self.child.communicate(timeout=PATIENCE)


def test_values_come_line_by_line_in_all_three_forms(watched):
    out = watched.cli("watch", "node_load1", "--interval", "200ms", "--count", "3")
    lines = out.stdout.splitlines()
    assert len(lines) == 3 and all(re.fullmatch(r"\d\d:\d\d:\d\d  node_load1\{.*\}  [\d.]+", line) for line in lines), out.stdout
    rows = list(csv.DictReader(io.StringIO(watched.cli("watch", "node_load1", "--interval", "200ms", "--count", "4", "-o", "csv").stdout)))
    # The first may be late by anything, and then the second comes at the next of the instants 200 ms apart.
    assert len(rows) == 4 and int(rows[3]["time_ms"]) - int(rows[0]["time_ms"]) >= 399 and float(rows[0]["value"]) >= 0
    out = watched.cli("watch", "-vector(time())", "--interval", "100ms", "--count", "3", "-o", "json").stdout
    values = [json.loads(line)["value"] for line in out.splitlines()]
    assert len(values) == 3 and values == sorted(values, reverse=True)
    assert watched.cli("watch", "nothing_of_this_name", "--count", "1").stdout.endswith("No series match.\n")


def test_a_pipe_gets_each_line_at_once_and_its_end_ends_the_tail(watched):
    tail = Watch(watched, "time()", "--interval", "100ms", "-o", "json")
    assert json.loads(tail.out.next())["value"] > 1.7e9 and tail.child.poll() is None
    assert metric(watched, "vigil_aggregator_live_tails ") == 1
    tail.child.stdout.close()
    tail.child.wait(timeout=PATIENCE)
    eventually("nobody watches", lambda: metric(watched, "vigil_aggregator_live_tails ") == 0)
    tail.child.stderr.close()


def test_changes_only_shows_what_changes(vigil):
    vigil.start()
    tail = Watch(vigil, "count(up == 1)", "--changes", "--interval", "100ms", "-o", "json")
    vigil.agent("one", ["--docker-socket", "none"])
    assert json.loads(tail.out.next())["value"] == 1
    vigil.agent("two", ["--docker-socket", "none"])
    assert json.loads(tail.out.next())["value"] == 2


def test_wrong_usage_and_wrong_expressions_end_at_once(watched):
    wrong = watched.cli("watch", "rate(node_load1", check=False)
    assert wrong.returncode == 1 and "parse error" in wrong.stderr and wrong.stdout == ""
    assert watched.cli("watch", "up", "--interval", "1ms", check=False).returncode == 2
    nobody = subprocess.run([BIN / "vigil", "--aggregator", "127.0.0.1:1", "watch", "up"], capture_output=True, text=True, timeout=PATIENCE)
    assert nobody.returncode == 3 and "no aggregator answers" in nobody.stderr
    failing = watched.cli("watch", 'up + on() {__name__=~"node_load.*"}', "--count", "2", "--interval", "100ms")
    assert failing.stdout == "" and len(failing.stderr.splitlines()) == 2


def test_a_restart_of_the_aggregator_interrupts_a_tail_only(watched):
    tail = Watch(watched, "time()", "--interval", "100ms", "-o", "csv")
    assert tail.out.next() == "series,time_ms,value"
    assert tail.out.next().startswith("scalar,")
    watched.aggregator.kill()
    watched.start()
    assert "trying again" in tail.err.next()
    back = time.time() * 1000
    eventually("values of now", lambda: int(tail.out.next().split(",")[1]) > back)


def test_an_aggregator_that_stops_does_not_wait_for_who_watches(watched):
    tails = [Watch(watched, "node_load1", "--interval", "100ms", "-o", "json") for _ in range(5)]
    for tail in tails:
        tail.out.next()
    assert watched.aggregator.stop() == 0
    assert all(tail.child.poll() is None for tail in tails), "they go on trying"


def test_on_a_terminal_it_fills_the_screen_until_q(watched):
    terminal, inner = pty.openpty()
    child = subprocess.Popen([BIN / "vigil", "--aggregator", watched.grpc, "watch", "node_load1", "--interval", "100ms"],
                             stdin=inner, stdout=inner, stderr=inner, start_new_session=True)
    os.close(inner)
    seen = b""

    def shows(text):
        nonlocal seen
        try:
            while select.select([terminal], [], [], 0)[0]:
                seen += os.read(terminal, 65536)
        except OSError:  # nobody has its other end any more
            pass
        return text in seen

    eventually("the table", lambda: shows(b"SERIES") and shows(b"node_load1{"))
    assert b"\x1b[?1049h" in seen and b"q quit" in seen
    os.write(terminal, b"q")
    eventually("the screen is given back", lambda: shows(b"\x1b[?1049l"))
    assert child.wait(timeout=PATIENCE) == 0
    os.close(terminal)


def test_many_tails_leave_room_for_questions(watched, tmp_path):
    heavy = "count({__name__=~\"node_.*\"} offset 1s) + count(rate(node_cpu_seconds_total[10m]))"
    def five_questions():
        began = time.monotonic()
        for _ in range(5):
            assert watched.query("up")
        return time.monotonic() - began

    alone = five_questions()
    children = [watched.adopt(Process([BIN / "vigil", "--aggregator", watched.grpc, "watch", heavy, "--interval", "100ms", "-o", "csv"], tmp_path / f"watch-{n}.log")) for n in range(12)]
    eventually("all of them watch", lambda: metric(watched, "vigil_aggregator_live_tails ") == len(children))
    assert five_questions() < 5 + 10 * alone  # most of it is the command line's own start
    assert watched.host()["state"] == "up"
    eventually("each has had its turn", lambda: all("{}," in child.text() for child in children))
    for child in children:
        child.kill()
    eventually("nobody watches", lambda: metric(watched, "vigil_aggregator_live_tails ") == 0)
