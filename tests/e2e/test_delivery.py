"""Nothing acknowledged is lost, nothing is stored twice, whatever dies."""

import pathlib
import random
import signal
import time

import pytest

from support import CountingProxy, durable, eventually, metric

BEAT_MS = 200


def times_of(vigil, window="5m", selector=""):
    """Sample times of a series that has a value at every beat."""
    return [row["time_ms"] for row in vigil.query(f"node_load1{selector}[{window}]")]


def holes(times):
    return {later - earlier for earlier, later in zip(times, times[1:])} - {BEAT_MS}


def beats_missed(vigil, selector=""):
    """Beats the agent itself could not keep on a busy machine; it counts them."""
    return vigil.query("vigil_agent_beats_missed_total" + selector)[0]["value"]


def test_the_aggregator_killed_mid_stream_misses_and_doubles_nothing(vigil):
    vigil.start()
    agent = vigil.agent("here", ["--interval", f"{BEAT_MS}ms"])
    eventually("first samples", lambda: len(times_of(vigil)) > 5)
    for _ in range(3):
        vigil.aggregator.kill(signal.SIGKILL)
        time.sleep(0.7)  # an outage of a few beats
        vigil.start()
        resumed = int(time.time() * 1000)
        eventually("samples from after the restart", lambda: times_of(vigil) and times_of(vigil)[-1] > resumed)
    # What the outages left comes beside what is live.
    eventually("no hole", lambda: holes(times_of(vigil)) == set() or beats_missed(vigil) > 0)
    times = times_of(vigil)
    assert len(times) == len(set(times)), "a sample was stored twice"


def test_kill_9_of_either_or_both_again_and_again_loses_nothing_that_was_seen(vigil):
    """Ten rounds on one data folder: what a query has answered once it answers for ever, each time once."""
    choose = random.Random(5)
    vigil.start()
    agent = vigil.agent("here")
    seen = set()
    for round_number in range(10):
        known = len(seen)
        seen_now = eventually("new samples", lambda: (t := times_of(vigil, "10m")) and len(t) >= known + 2 and t)
        assert len(seen_now) == len(set(seen_now)), "a sample was stored twice"
        assert seen <= set(seen_now), f"round {round_number}: lost {sorted(seen - set(seen_now))}"
        durable(vigil)
        seen = set(seen_now)
        which = choose.choice(["aggregator", "aggregator", "agent", "both"])
        if which != "agent":
            vigil.aggregator.kill(signal.SIGKILL)
        if which != "aggregator":
            agent.kill(signal.SIGKILL)
        if which != "agent":
            vigil.start()
        if which != "aggregator":
            agent = vigil.agent("here")
    log = (vigil.folder / "aggregator.log").read_text()
    assert "undecodable" not in log and "cannot be decoded" not in log


def test_a_clean_restart_of_the_aggregator_keeps_history(vigil):
    vigil.start()
    agent = vigil.agent("here", ["--interval", f"{BEAT_MS}ms"])
    eventually("samples", lambda: len(times_of(vigil)) > 10)
    agent.stop()
    vigil.wait_for_host(state="left")
    before = times_of(vigil)
    assert vigil.aggregator.stop() == 0
    vigil.start()
    assert times_of(vigil) == before


def test_a_killed_agent_is_down_and_comes_back(vigil):
    vigil.start("ingest: {down_after: 3s}")
    agent = vigil.agent("here")
    vigil.wait_for_host(state="up")
    agent.kill(signal.SIGKILL)
    vigil.wait_for_host(state="down")
    eventually("up is 0", lambda: vigil.query('up{job="node"}')[0]["value"] == 0)
    eventually("HostDown", lambda: [a for a in vigil.json("alerts") if a["name"] == "HostDown"])
    vigil.agent("here")
    vigil.wait_for_host(state="up")
    eventually("up is 1", lambda: vigil.query('up{job="node"}')[0]["value"] == 1)


def test_two_agents_with_one_name_are_told_and_not_mixed(vigil):
    vigil.start()
    vigil.agent("twin", ["--interval", f"{BEAT_MS}ms"])
    vigil.wait_for_host("twin")
    second = vigil.agent("twin", ["--interval", f"{BEAT_MS}ms"])
    second.wait_for("refused: an agent named twin is connected")
    assert eventually("the duplicate is shown", lambda: vigil.host("twin")["duplicates"] > 0)
    times = times_of(vigil)
    assert len(times) == len(set(times))
    assert any("two agents" in problem for problem in vigil.json("status")["problems"])
    # It tries again and again, each time from another port.
    eventually("its address", lambda: f"second agent at {vigil.host('twin')['duplicate_remote']}" in vigil.cli("hosts").stdout)


def test_another_machine_that_takes_over_a_name_is_told(vigil, tmp_path):
    vigil.start()
    first = vigil.agent("twin")
    vigil.wait_for_host("twin")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    second = vigil.agent("twin", ["--path.rootfs", tmp_path])
    second.wait_for("refused: an agent named twin is connected")
    assert vigil.host("twin")["machine_changed_ms"] is None
    first.kill(signal.SIGKILL)
    eventually("it is told", lambda: vigil.host("twin")["machine_changed_ms"])
    assert "another machine since" in vigil.cli("hosts").stdout
    assert any("another machine took the name twin" in problem for problem in vigil.json("status")["problems"])
    assert eventually("its gap", lambda: [gap for gap in vigil.json("gaps", "twin") if gap["reason"] == "machine_changed"])
    assert metric(vigil, "vigil_aggregator_machine_changes_total") == 1


def test_an_agent_waits_for_its_aggregator_and_sends_what_it_kept(vigil, tmp_path):
    vigil.start()
    address = vigil.grpc
    vigil.aggregator.stop()
    started = int(time.time() * 1000)
    agent = vigil.agent("early", ["--interval", f"{BEAT_MS}ms"])
    agent.wait_for("(?i)aggregator")
    while int(time.time() * 1000) < started + 1500:
        time.sleep(0.05)
    vigil.grpc = address
    vigil.start()
    # Beside the live ones, and after the first of them, when there are more than a few.
    eventually("what was sampled while the aggregator was away", lambda: times_of(vigil)[0] < started + 1500)


def test_a_clock_that_jumps_harms_nothing(vigil, tmp_path):
    faketime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
    if not pathlib.Path(faketime).exists():
        pytest.skip("faketime is not installed")
    offset = tmp_path / "offset"
    offset.write_text("+0")
    vigil.start()
    env = {"LD_PRELOAD": faketime, "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1"}
    agent = vigil.agent("jumper", ["--interval", f"{BEAT_MS}ms"], env=env)
    vigil.wait_for_host("jumper")
    newest = lambda: max(row["time_ms"] for row in vigil.json("query", "node_load1[10m]", "--at", str(int(time.time()) + 120)))
    eventually("samples", newest)
    offset.write_text("+60")
    eventually("samples a minute ahead", lambda: newest() > time.time() * 1000 + 50_000)
    eventually("the skew is seen", lambda: vigil.host("jumper")["clock_skew_seconds"] > 30 or None, patience=90)
    offset.write_text("+0")
    eventually("samples of now again", lambda: vigil.query("count_over_time(node_load1[3s]) > 1"))
    assert vigil.host("jumper")["state"] == "up"
    assert agent.child.poll() is None


def test_a_batch_and_its_acknowledgement_are_one_packet_each_way(vigil):
    """Reads are posted when something is due (docs/decisions/0005): posted early, each costs a packet and a wake of its own."""
    vigil.start()
    proxy = CountingProxy(vigil.grpc)
    vigil.agent("here", aggregator=proxy.address)
    eventually("ten beats", lambda: len(vigil.query("node_load1[1m]")) >= 10)
    before = list(proxy.sent)
    eventually("ten more", lambda: len(vigil.query("node_load1[1m]")) >= 20)
    to_aggregator, to_agent = (after - then for after, then in zip(proxy.sent, before))
    proxy.close()
    assert to_aggregator >= 10
    assert to_agent <= 1.4 * to_aggregator + 2, f"{to_agent} packets to the agent for {to_aggregator} from it"


def test_samples_of_an_outage_outlive_the_agent_in_its_spool(vigil):
    """Aggregator away, agent killed -9 twice meanwhile: what three runs sampled is there in the end, each time once."""
    vigil.start()
    flags = ["--interval", f"{BEAT_MS}ms", "--spool", vigil.folder / "spool"]
    agent = vigil.agent("here", flags)
    eventually("first samples", lambda: len(times_of(vigil)) > 3)
    vigil.aggregator.kill(signal.SIGKILL)
    outage = int(time.time() * 1000)
    runs = []
    for _ in range(2):
        began = int(time.time() * 1000)
        time.sleep(25 * BEAT_MS / 1000)
        agent.kill(signal.SIGKILL)
        runs.append((began, int(time.time() * 1000)))
        agent = vigil.agent("here", flags)
        agent.wait_for("ready aggregator")
    vigil.start()
    back = int(time.time() * 1000)
    eventually("samples of now", lambda: times_of(vigil)[-1] > back + 1000)
    eventually("the end of the back-fill", lambda: agent.text().count("what had waited is delivered") >= 2)
    eventually("an empty spool", lambda: vigil.query("vigil_agent_spool_bytes")[0]["value"] < 200_000)
    times = times_of(vigil)
    assert len(times) == len(set(times)), "a sample was stored twice"
    for began, ended in runs:
        # A busy machine misses some. The first beat of a run comes after its start; what has waited for a second since its delivery was due is on disk.
        of_run = [t for t in times if began + 2 * BEAT_MS < t < ended]
        assert of_run and of_run[-1] > ended - 2800
        count = len(of_run)
        assert count >= 5, f"{count} samples of the run from {began} to {ended}, outage from {outage}: {times}"
    assert not [host for host in vigil.json("hosts") if host["state"] != "up"]
    assert "two agents claim one name" not in vigil.aggregator.text()


def test_a_second_agent_does_not_share_a_spool(vigil):
    vigil.start()
    vigil.agent("here", ["--spool", vigil.folder / "spool"]).wait_for("ready aggregator")
    second = vigil.agent("there", ["--spool", vigil.folder / "spool"])
    second.wait_for("in memory only.*another agent")
    vigil.wait_for_host("there")


def test_a_power_cut_of_the_agent_does_not_hold_back_its_next_run(vigil):
    """The aggregator has batches that the cut took from the agent's disk: the earlier run's stream is simply over."""
    vigil.start()
    flags = ["--spool", vigil.folder / "spool"]
    agent = vigil.agent("here", flags)
    eventually("samples", lambda: len(times_of(vigil)) > 8)
    assert not list((vigil.folder / "spool").iterdir()), "written although the aggregator answers"
    vigil.aggregator.child.send_signal(signal.SIGSTOP)  # what is sent waits in the network
    began = time.monotonic()
    while time.monotonic() - began < 4:
        time.sleep(0.1)
    agent.kill(signal.SIGKILL)
    (segment,) = (vigil.folder / "spool").iterdir()
    whole = segment.read_bytes()
    segment.write_bytes(whole[: len(whole) - 1500])
    vigil.aggregator.child.send_signal(signal.SIGCONT)
    began = int(time.time() * 1000)
    agent = vigil.agent("here", flags)
    eventually("samples of the new run", lambda: times_of(vigil)[-1] > began, patience=20)
    eventually("the end of the earlier run's stream", lambda: "what had waited is delivered" in agent.text())
    assert "refused: Hello" not in agent.text()
    times = times_of(vigil)
    assert len(times) == len(set(times))


def test_after_an_outage_live_samples_come_first_and_the_rest_behind_them(vigil):
    """15 s without an aggregator: samples of now are there before those of the outage, and in the end nothing is missing. Of an agent
    that keeps them in memory and of one that has a spool."""
    vigil.start()
    flags = ["--interval", f"{BEAT_MS}ms"]
    agents = {"memory": vigil.agent("memory", flags), "spool": vigil.agent("spool", [*flags, "--spool", vigil.folder / "spool"])}
    times = lambda name: times_of(vigil, selector=f'{{instance="{name}"}}')
    for name in agents:
        eventually("first samples", lambda: len(times(name)) > 5)
    assert metric(vigil, "vigil_aggregator_backfilled_rows_total") == 0
    vigil.aggregator.kill(signal.SIGKILL)
    time.sleep(15)
    told = len(vigil.aggregator.text())
    back = time.time() * 1000
    vigil.start()

    def live(name):
        backfill = f"back-fill begins host={name} " in vigil.aggregator.text()[told:]
        now = times(name)[-1] > back
        if backfill and not now:
            pytest.fail(f"samples that {name} took in the outage came before those of now")
        return now

    for name in agents:
        eventually("samples of now", lambda: live(name))
    for name, agent in agents.items():
        eventually("an end of the back-fill", lambda: "what had waited is delivered" in agent.text())
        eventually("no hole", lambda: holes(times(name)) == set() or beats_missed(vigil, f'{{instance="{name}"}}') > 0)
        assert len(found := times(name)) == len(set(found)), "a sample was stored twice"
        log = vigil.aggregator.text()[told:]
        assert log.index(f"agent connected host={name} ") < log.index(f"back-fill begins host={name} ")
    assert metric(vigil, "vigil_aggregator_backfilled_rows_total") >= 2 * 13_000 / BEAT_MS
    eventually("no gap stays", lambda: vigil.json("gaps") == [])
    eventually("an empty spool", lambda: vigil.query('vigil_agent_spool_bytes{instance="spool"}')[0]["value"] < 200_000)
