"""Why samples are missing: the agent was down, the aggregator was down, or a collector was blocked; and what an outage left closes its gap."""

import os
import pathlib
import signal
import time

from support import durable, eventually

AWAY = 6  # seconds; three beats and less are no gap


def gaps(vigil, reason, *args):
    return [gap for gap in vigil.json("gaps", *args) if gap["reason"] == reason]


def samples(vigil):
    return [row["time_ms"] for row in vigil.query("node_load1[10m]")]


def near(a_ms, b_ms):
    return abs(a_ms - b_ms) <= 1000  # a beat


def agent(vigil, *flags):
    started = vigil.agent("here", ["--spool", vigil.folder / "spool", *flags])
    vigil.wait_for_host("here")
    return started


def newest(vigil):
    return eventually("a sample", lambda: vigil.query("timestamp(node_load1)"))[0]["value"] * 1000


def beats(vigil, count):
    """Waits for so many more."""
    until = newest(vigil) + count * 1000
    eventually(f"{count} more beats", lambda: newest(vigil) >= until)


def test_an_agent_that_was_down_an_aggregator_that_was_and_one_that_was_away_only(vigil):
    vigil.start("ingest: {down_after: 2s}\n")
    first = agent(vigil)
    beats(vigil, 3)
    assert vigil.json("gaps") == []

    first.kill(signal.SIGKILL)
    vigil.wait_for_host("here", "down")
    last = samples(vigil)[-1]
    time.sleep(AWAY)
    asked = time.time() * 1000
    [gap] = gaps(vigil, "agent_down", "here")  # while it lasts, until now
    assert near(gap["first_ms"], last + 1000) and asked - 1000 <= gap["last_ms"] <= time.time() * 1000
    second = agent(vigil)
    back = eventually("samples again", lambda: [t for t in samples(vigil) if t > last])[0]
    [gap] = eventually("it is over", lambda: [g for g in gaps(vigil, "agent_down") if near(g["last_ms"], back - 1000)])
    assert near(gap["first_ms"], last + 1000)
    beats(vigil, 1)
    durable(vigil)  # its first samples, too: without a spool the next kill would take them

    # The aggregator alone: its agents bring what they sampled meanwhile.
    vigil.aggregator.kill(signal.SIGKILL)
    time.sleep(AWAY)
    vigil.start("ingest: {down_after: 2s}\n")
    back = time.time() * 1000
    eventually("samples of now", lambda: newest(vigil) > back)
    # What it brings late comes in parts; until all is there, the rest may look like the agent's own.
    eventually("it closes its own gap", lambda: [gap["reason"] for gap in vigil.json("gaps")] == ["agent_down"])
    durable(vigil)  # that, too

    # Both, as when a machine that has both is switched off.
    second.kill(signal.SIGKILL)
    vigil.aggregator.kill(signal.SIGKILL)
    time.sleep(AWAY + 2)
    vigil.start("ingest: {down_after: 2s}\n")
    last = samples(vigil)[-1]
    agent(vigil)
    back = eventually("samples again", lambda: [t for t in samples(vigil) if t > last])[0]
    [gap] = eventually("its gap", lambda: [g for g in gaps(vigil, "aggregator_down") if near(g["last_ms"], back - 1000)])
    assert near(gap["first_ms"], last + 1000)
    assert len(gaps(vigil, "agent_down")) == 1

    # A plot says why its line has holes.
    drawn = vigil.cli("plot", "node_load1", "--start", "2m").stdout
    assert "here: no samples from" in drawn and "(agent_down)" in drawn and "(aggregator_down)" in drawn
    table = vigil.cli("query", "node_load1", "--start", "2m")
    assert "(aggregator_down)" in table.stderr and "aggregator_down" not in table.stdout
    assert gaps(vigil, "agent_down", "here", "--end", "1h") == []


def test_a_collector_that_brought_nothing_is_named(vigil, tmp_path):
    procfs = tmp_path / "proc"
    procfs.mkdir()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            (procfs / name).symlink_to(f"/proc/{name}")
    loadavg = procfs / "loadavg"
    loadavg.unlink()
    good = pathlib.Path("/proc/loadavg").read_text()
    loadavg.write_text(good)
    vigil.start()
    agent(vigil, "--path.procfs", procfs)
    newest(vigil)
    blocked = time.time() * 1000
    loadavg.write_text("no load\n")
    time.sleep(AWAY)
    loadavg.write_text(good)
    works = time.time() * 1000
    each = 5000  # milliseconds: so often collectors tell of themselves
    of_load = lambda: [g for g in gaps(vigil, "collector_blocked") if g["collector"] == "loadavg"]  # a busy machine may block others
    [gap] = eventually("it works again", lambda: newest(vigil) > works + 1000 and [g for g in of_load() if g["last_ms"] < works + each])
    assert gap["host"] == "here"
    assert blocked - each < gap["first_ms"] < blocked + 2 * each and works - 2 * each < gap["last_ms"]
    assert gaps(vigil, "agent_down") == []
