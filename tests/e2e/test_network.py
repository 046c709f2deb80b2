"""Networks that delay, cut, half-open, double and reorder connections, and a fleet that comes back all at once: nothing is lost or doubled.

VIGIL_CHAOS says for how many seconds (./dev torture), VIGIL_SEED draws other trouble."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from chaos import Chaos
from support import BIN, PATIENCE, eventually, metric

SEED = int(os.environ.get("VIGIL_SEED", 1))
BAD_SECONDS = int(os.environ.get("VIGIL_CHAOS", 20))
BEAT_MS = 200
FLEET_FITS = "ingest: {max_agents: 2000, max_hosts: 2000, max_new_hosts: 2000}\n"


@pytest.fixture
def network(vigil):
    vigil.start(FLEET_FITS)
    chaos = Chaos(vigil.grpc, SEED)
    yield chaos
    chaos.close()


class Fleet:
    """`vigil bench fleet` in the background: it reads back what was acknowledged."""

    def __init__(self, address, agents, series, seconds):
        self.patience = seconds + 5 * PATIENCE
        self.child = subprocess.Popen([BIN / "vigil", "bench", "fleet", "--aggregator", address, "--agents", str(agents), "--series", str(series),
                                       "--duration", f"{seconds}s", "-o", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def leave(self):
        """Ends it before its time; it still waits for what it sent, and reads back."""
        self.child.send_signal(signal.SIGINT)

    def report(self):
        out, err = self.child.communicate(timeout=self.patience)
        assert self.child.returncode == 0, err
        return json.loads(out), err


def assert_nothing_lost(report, notes):
    assert report["samples_lost"] == 0 and report["samples_doubled"] == 0, notes
    assert report["samples_acked"] == report["samples_sent"] > 0, notes


def times_of(vigil, host):
    return [row["time_ms"] for row in vigil.query(f'node_load1{{instance="{host}"}}[1h]')]


def test_a_network_that_cuts_delays_doubles_and_reorders_loses_nothing(vigil, network):
    hosts = ["one", "two", "three"]
    for host in hosts:
        vigil.agent(host, ["--interval", f"{BEAT_MS}ms", "--spool", vigil.folder / f"spool-{host}"], aggregator=network.address)
    for host in hosts:
        eventually("first samples", lambda: len(times_of(vigil, host)) > 3)
    network.bad = True
    network.cut_all()
    fleet = Fleet(network.address, 60, 20, BAD_SECONDS)
    time.sleep(BAD_SECONDS)
    network.bad = False
    report, notes = fleet.report()
    if os.environ.get("VIGIL_PROGRESS"):
        print(f"\nconnections: {network.seen}\n{notes}", file=sys.stderr)
    assert_nothing_lost(report, notes)
    assert set(network.seen) == {"short", "slow", "torn", "half_open", "twin", "stale"}, network.seen
    healed = int(time.time() * 1000)
    for host in hosts:
        eventually(f"{host} is back", lambda: times_of(vigil, host)[-1] > healed)

        def complete():  # what the outages left comes beside what is live
            times = times_of(vigil, host)
            missed = vigil.query(f'vigil_agent_beats_missed_total{{instance="{host}"}}')[0]["value"]  # on a busy machine
            assert len(times) == len(set(times)), "a sample was stored twice"
            holes = [(a, b) for a, b in zip(times, times[1:]) if b - a != BEAT_MS]
            return len(holes) <= missed and times

        eventually(f"{host} misses nothing", complete, patience=2 * PATIENCE)
        assert vigil.json("gaps", host) == []
    assert vigil.aggregator.child.poll() is None
    log = vigil.aggregator.text()
    assert "cannot be decoded" not in log


def test_a_thousand_agents_that_come_back_at_once_lose_nothing(vigil, network):
    fleet = Fleet(network.address, 1000, 10, 600)
    connected = lambda: sum(1 for host in vigil.json("hosts") if host["state"] == "up")
    eventually("a thousand agents send", lambda: connected() == 1000, patience=3 * PATIENCE)
    assert network.cut_all() >= 1000
    eventually("they are back", lambda: metric(vigil, "vigil_aggregator_streams ") == 1000 or None, patience=3 * PATIENCE)
    vigil.aggregator.kill(signal.SIGKILL)
    vigil.start(FLEET_FITS)
    eventually("they are back after a kill", lambda: metric(vigil, "vigil_aggregator_streams ") == 1000 or None, patience=3 * PATIENCE)
    fleet.leave()
    assert_nothing_lost(*fleet.report())
    assert vigil.json("status")["store_state"] == "ok"
