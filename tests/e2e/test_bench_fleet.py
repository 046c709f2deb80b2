"""`vigil bench fleet`: a fleet of simulated agents, the aggregator it starts for itself, and what it says."""

import json
import os
import pathlib
import re
import signal
import subprocess

from support import BIN, PATIENCE, eventually

KEYS = {"version", "trace", "agents", "series", "interval_ms", "duration_s", "samples_sent", "samples_acked", "samples_lost",
        "samples_doubled", "aggregator_cpu_seconds", "samples_per_cpu_second", "aggregator_rss_bytes", "rss_bytes_per_series",
        "disk_bytes", "bytes_per_sample", "written_bytes_per_sample", "ack_latency_ms", "delivery_interval_ms"}
TRACE = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "traces" / "vm-proc-1hz.tsv.zst"


def bench(folder, *args, **more):
    folder.mkdir(exist_ok=True)
    environment = dict(os.environ, TMPDIR=str(folder), **more)
    return subprocess.run([BIN / "vigil", "bench", "fleet", *map(str, args)], capture_output=True, text=True, timeout=3 * PATIENCE,
                          env=environment)


def test_a_small_fleet_loses_and_doubles_nothing(tmp_path):
    # An address in the environment is that of a real aggregator: no load for it.
    done = bench(tmp_path / "tmp", "--agents", 20, "--series", 50, "--duration", "5s", "--verify-restart", "-o", "json",
                 VIGIL_AGGREGATOR="192.0.2.1:1")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert set(report) == KEYS
    assert set(report["ack_latency_ms"]) == {"p50", "p99", "max"}
    assert (report["agents"], report["series"], report["trace"], report["interval_ms"]) == (20, 50, "synthetic", 1000)
    assert report["samples_lost"] == 0 and report["samples_doubled"] == 0
    assert report["samples_acked"] == report["samples_sent"] >= 5 * 20 * 50
    assert 5 <= report["duration_s"] < 10
    assert 0 < report["ack_latency_ms"]["p50"] <= report["ack_latency_ms"]["p99"] <= report["ack_latency_ms"]["max"]
    assert report["aggregator_cpu_seconds"] > 0 and report["samples_per_cpu_second"] > 0
    assert report["aggregator_rss_bytes"] > 1e6 and report["disk_bytes"] > 1000
    assert list((tmp_path / "tmp").iterdir()) == [], "its folder is removed"


def test_a_recorded_host_against_a_running_aggregator(vigil, tmp_path):
    vigil.start()
    done = bench(tmp_path / "tmp", "--agents", 3, "--duration", "2s", "--trace", TRACE, "-o", "json", "--aggregator", vigil.grpc)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["series"] == 332 and report["trace"] == str(TRACE)
    assert report["samples_lost"] == 0 and report["samples_doubled"] == 0
    assert report["aggregator_rss_bytes"] > 1e6
    assert report["written_bytes_per_sample"] is None, "of another's process that is not known"
    assert vigil.json("hosts") == [], "its hosts are forgotten"


def test_ctrl_c_ends_with_a_report(tmp_path):
    folder = tmp_path / "tmp"
    folder.mkdir()
    log = open(tmp_path / "out", "w+")
    child = subprocess.Popen([BIN / "vigil", "bench", "fleet", "--agents", "2", "--series", "10", "--duration", "1h"], stdout=log,
                             stderr=log, env=dict(os.environ, TMPDIR=str(folder)), start_new_session=True)
    sizes = set()

    def commits():  # of a row each second
        sizes.add(sum(path.stat().st_size for path in folder.glob("*/data/journal-*")))
        return len(sizes) >= 6

    eventually("some seconds of samples", commits)
    os.killpg(child.pid, signal.SIGINT)  # as a terminal sends it: to all of the group
    assert child.wait(timeout=PATIENCE) == 0
    log.seek(0)
    text = log.read()
    assert re.search(r"samples lost\s+0\n", text) and re.search(r"samples acknowledged\s+[1-9]", text), text
    assert list(folder.iterdir()) == []


def test_what_cannot_be_is_refused_with_the_reason(tmp_path):
    for args, reason in ((("--agents", 0), "--agents"), (("--interval", "1ms"), "--interval: '1ms' must be a duration of 100ms to 1h"),
                         (("--duration", "x"), "--duration: 'x'"), (("--trace", "/nowhere"), "--trace: read /nowhere: No such file"),
                         (("--agents", 25000, "--series", 5000), "at most 20000000"), (("--phase", "odd"), "--phase"),
                         (("--aggregator", "127.0.0.1:1", "--verify-restart"), "--verify-restart")):
        done = bench(tmp_path / "tmp", *args)
        assert done.returncode == 2 and reason in done.stderr, (args, done.returncode, done.stderr)
    done = bench(tmp_path / "tmp", "--aggregator", "127.0.0.1:1")
    assert done.returncode == 3 and "no aggregator answers at 127.0.0.1:1" in done.stderr


def test_too_few_open_files_are_said_at_once(tmp_path):
    command = f"ulimit -n 300; exec {BIN / 'vigil'} bench fleet --agents 1000"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode != 0 and "1000 agents need 1128 open files, and only 300 are allowed" in done.stderr
