"""Why samples are missing: the agent was down, the aggregator was down, or a collector was blocked; and what an outage left closes its gap."""

import os
import pathlib
import signal
import time

from support import eventually

AWAY = 6  # seconds; three beats and less are no gap


def gaps(vigil, reason, *args):
    return [gap for gap in vigil.json("gaps", *args) if gap["reason"] == reason]


def kill(process):
    process.kill(signal.SIGKILL)
    return int(time.time() * 1000)


def near(a_ms, b_ms):
    return abs(a_ms - b_ms) < 3000


def agent(vigil, *flags):
    started = vigil.agent("here", ["--spool", "none", *flags])
    vigil.wait_for_host("here")
    return started


def newest(vigil):
    return eventually("a sample", lambda: vigil.query("timestamp(node_load1)"))[0]["value"] * 1000


def test_an_agent_that_was_down_an_aggregator_that_was_and_one_that_was_away_only(vigil):
    vigil.start("ingest: {down_after: 2s}\n")
    first = agent(vigil)
    newest(vigil)
    time.sleep(2)
    assert vigil.json("gaps") == []

    died = kill(first)
    vigil.wait_for_host("here", "down")
    time.sleep(AWAY)
    [gap] = gaps(vigil, "agent_down", "here")  # while it lasts, until now
    assert near(gap["first_ms"], died) and near(gap["last_ms"], time.time() * 1000)
    second = agent(vigil)
    back = time.time() * 1000
    [gap] = eventually("it is over", lambda: [g for g in gaps(vigil, "agent_down") if near(g["last_ms"], back) and newest(vigil) > back])
    assert near(gap["first_ms"], died)
    time.sleep(1)  # its first samples are durable then: without a spool the next kill would take them

    # The aggregator alone: its agents bring what they sampled meanwhile.
    kill(vigil.aggregator)
    time.sleep(AWAY)
    vigil.start("ingest: {down_after: 2s}\n")
    back = time.time() * 1000
    eventually("samples of now", lambda: newest(vigil) > back)
    eventually("it closes its own gap", lambda: not gaps(vigil, "aggregator_down"))
    assert len(gaps(vigil, "agent_down")) == 1

    # Both, as when a machine that has both is switched off.
    died = kill(second)
    kill(vigil.aggregator)
    time.sleep(AWAY + 2)
    vigil.start("ingest: {down_after: 2s}\n")
    agent(vigil)
    back = newest(vigil)
    [gap] = eventually("its gap", lambda: gaps(vigil, "aggregator_down"))
    assert near(gap["first_ms"], died) and near(gap["last_ms"], back)
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
    [gap] = eventually("it works again", lambda: [g for g in gaps(vigil, "collector_blocked") if newest(vigil) > works + 1000])
    assert gap["host"] == "here" and gap["collector"] == "loadavg"
    each = 5000  # milliseconds: so often collectors tell of themselves
    assert blocked - each < gap["first_ms"] < blocked + 2 * each and works - 2 * each < gap["last_ms"] < works + each
    assert gaps(vigil, "agent_down") == []
