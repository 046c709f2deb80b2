"""The shipped programs killed -9 at random instants, and on a disk that is full again and again: what was acknowledged stays.

VIGIL_KILLS says how often (./dev torture), VIGIL_SEED draws other instants, VIGIL_PROGRESS=1 shows how far it is."""

import concurrent.futures
import itertools
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

from support import Vigil, durable, eventually

KILLS = int(os.environ.get("VIGIL_KILLS", 300))
LANES = 6  # aggregators side by side, each with its agent: most of the time they wait
SEED = int(os.environ.get("VIGIL_SEED", 1))
KILLS_PER_FOLDER = 100  # a query over all of it stays short
BEAT_MS = 200
UNWRITTEN_MS = 2000  # an agent that is killed loses this much of what was not acknowledged, see docs/storage.md
DELIVERY_SECONDS = 1  # so often an agent sends


kills_done = itertools.count(1)


def progress():
    done = next(kills_done)
    if os.environ.get("VIGIL_PROGRESS"):
        print(f"\rkills of the shipped programs: {done} of {KILLS}", end="", file=sys.stderr, flush=True)


def samples_of(vigil):
    return [(row["time_ms"], row["value"]) for row in vigil.query("node_load1[6h]")]


def times_of(vigil):
    return [time_ms for time_ms, _ in samples_of(vigil)]


def holes(times):
    return [(earlier, later) for earlier, later in zip(times, times[1:]) if later - earlier != BEAT_MS]


class Torture:
    """One data folder and one spool, and who was killed when."""

    def __init__(self, folder, choose):
        folder.mkdir()
        self.vigil = Vigil(folder).start()
        self.choose = choose
        self.flags = ["--interval", f"{BEAT_MS}ms", "--spool", self.vigil.folder / "spool"]
        self.agent = self.start_agent()
        self.explained = []  # (from, to) in milliseconds: the agent was away, or too busy
        self.durable = {}  # value by time

    def start_agent(self):
        self.agent_began = int(time.time() * 1000)
        return self.vigil.agent("here", self.flags)

    def explain_missed(self):
        """On a busy machine an agent misses beats. It counts them, but tells only each 5 s; that its beat waited for a CPU the kernel tells at once."""
        told = sum(row["value"] for row in self.vigil.query("vigil_agent_beats_missed_total"))
        try:
            waited_ms = int(pathlib.Path(f"/proc/{self.agent.child.pid}/schedstat").read_text().split()[1]) / 1e6
        except FileNotFoundError:  # not every kernel does
            waited_ms = 0
        if told > 0 or waited_ms > BEAT_MS / 2:
            self.explained.append((self.agent_began, int(time.time() * 1000) + BEAT_MS))

    def look(self):
        """What is stored now: each sample once, and all that was durable, with the values it had then."""
        samples = eventually("new samples", lambda: (s := samples_of(self.vigil)) and (not self.durable or s[-1][0] > max(self.durable)) and s)
        values = dict(samples)
        assert len(samples) == len(values), "a sample was stored twice"
        lost = sorted(self.durable.keys() - values.keys())
        assert not lost, f"lost: {lost[:5]}"
        changed = [(t, value, values[t]) for t, value in self.durable.items() if values[t] != value]
        assert not changed, f"other values than before: {changed[:5]}"
        return values

    def kill_once(self):
        seen = self.look()
        durable(self.vigil)
        self.durable = seen
        time.sleep(self.choose.random() * DELIVERY_SECONDS)
        self.explain_missed()
        which = self.choose.choice(["aggregator", "agent", "both"])
        if which != "agent":
            self.vigil.aggregator.kill(signal.SIGKILL)
        if which != "aggregator":
            self.agent.kill(signal.SIGKILL)
            self.agent = self.start_agent()
            self.agent.wait_for("ready aggregator")
            self.explained.append((self.agent_began - UNWRITTEN_MS - 2 * BEAT_MS, int(time.time() * 1000) + 3 * BEAT_MS))
        if which != "agent":
            if self.choose.random() < 0.3:
                time.sleep(self.choose.random())  # an outage of some beats, for the spool
            self.vigil.start()

    def finish(self):
        """Nothing is missing but what was not sampled: around a kill of the agent."""
        latest = int(time.time() * 1000)
        eventually("samples of now", lambda: times_of(self.vigil)[-1] > latest + 1000)
        times = list(self.look())
        self.explain_missed()
        unexplained = [hole for hole in holes(times) if not any(a <= hole[1] and hole[0] <= b for a, b in self.explained)]
        assert not unexplained, f"nobody was killed between {unexplained[:5]}"
        log = self.vigil.aggregator.text()
        assert "cannot be decoded" not in log and "damaged" not in log
        self.vigil.close()


def kill_in_a_lane(folder, lane, kills):
    choose = random.Random(SEED * 1000 + lane)
    done = 0
    while done < kills:
        torture = Torture(folder / f"{lane}-{done}", choose)
        try:
            for _ in range(min(KILLS_PER_FOLDER, kills - done)):
                torture.kill_once()
                done += 1
                progress()
            torture.finish()
        finally:
            torture.vigil.close()


def test_kill_9_of_either_or_both_at_random_instants_loses_and_doubles_nothing(tmp_path):
    with concurrent.futures.ThreadPoolExecutor(LANES) as lanes:
        running = [lanes.submit(kill_in_a_lane, tmp_path, lane, -(-KILLS // LANES)) for lane in range(LANES)]
        for lane in concurrent.futures.as_completed(running):
            lane.result()


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    # ext4 tells of a full disk at other calls than tmpfs does, but loop devices are not everywhere.
    image = tmp_path / "image"
    with open(image, "wb") as file:
        file.truncate(12 << 20)
    subprocess.run(["/usr/sbin/mkfs.ext4", "-q", "-m", "0", image], capture_output=True)
    mounted = subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True, text=True)
    if mounted.returncode != 0:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk):
    """Takes all that is left; the name of what took it."""
    filler = disk / "filler"
    with open(filler, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1 << 8, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass
    return filler


def test_a_disk_that_is_full_again_and_again_loses_nothing_and_recovers_alone(tmp_path, small_disk):
    vigil = Vigil(tmp_path)
    vigil.data = small_disk / "data"
    vigil.start()
    try:
        vigil.agent("here", ["--interval", f"{BEAT_MS}ms"])
        for _ in range(4):
            eventually("samples", lambda: len(times_of(vigil)) > 3)
            start = len(vigil.aggregator.text())
            filler = fill(small_disk)
            vigil.aggregator.wait_for("no room: nothing is acknowledged", start)
            assert times_of(vigil), "queries go on while the disk is full"
            filler.unlink()
            vigil.aggregator.wait_for("there is room again", start)
            assert vigil.aggregator.child.poll() is None
        seen = times_of(vigil)
        assert len(seen) == len(set(seen))
        durable(vigil)
        vigil.aggregator.kill(signal.SIGKILL)
        vigil.start()
        after = int(time.time() * 1000)
        times = eventually("samples of now", lambda: (t := times_of(vigil)) and t[-1] > after and t)
        assert len(times) == len(set(times)), "a sample was stored twice"
        assert set(seen) <= set(times), f"lost: {sorted(set(seen) - set(times))[:5]}"
    finally:
        vigil.close()
