"""The history on disk: what it takes, whether it is sound, and a copy of the running system that can be started."""

import json
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess

import pytest
from support import BIN, Process, Vigil, durable, eventually

BEAT_MS = 200
SEALING = "store: {slot: 10s, window: 10s}\n"


def times_of(vigil, window="10m"):
    return [row["time_ms"] for row in vigil.query(f"node_load1[{window}]")]


def sealed(vigil):
    """Samples that are in blocks."""
    return next(row for row in vigil.json("db", "status") if row["what"] == "raw")["samples"]


def start_with_blocks(vigil):
    vigil.start(SEALING)
    agent = vigil.agent("here", ["--interval", f"{BEAT_MS}ms"])
    eventually("sealed blocks", lambda: sealed(vigil) > 1000)
    return agent


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """A data folder with blocks, left in order: they take their time."""
    vigil = Vigil(tmp_path_factory.mktemp("history"))
    try:
        start_with_blocks(vigil).stop()
        assert vigil.aggregator.stop() == 0
    finally:
        vigil.close()
    return vigil.data


@pytest.fixture
def filled(vigil, history):
    """An aggregator on a copy of it, without an agent. It seals nothing for two minutes: the aggregator's own figures are samples, too."""
    shutil.copytree(history, vigil.data)
    return vigil.start()


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x20]))


def test_status_and_plan_tell_what_is_on_disk_and_what_will_be(filled):
    filled.agent("here", ["--interval", f"{BEAT_MS}ms"])
    status = lambda: {row["what"]: row for row in filled.json("db", "status")}
    eventually("series of now", lambda: status()["all"]["series"] > 300)
    rows = status()
    assert list(rows) == ["raw", "minute", "hour", "journal", "index", "alerts", "all"]
    assert rows["raw"]["keep_ms"] == 30 * 86_400_000
    assert rows["raw"]["bytes_per_sample"] is None, "of a few samples it says nothing"
    assert rows["all"]["hosts"] >= 1 and rows["raw"]["samples"] > 1000
    assert rows["all"]["disk_bytes"] >= rows["raw"]["disk_bytes"] + rows["index"]["disk_bytes"]
    assert 0 < rows["all"]["free_bytes"] <= rows["all"]["disk_size_bytes"]
    on_disk = lambda: {path.name for path in filled.data.glob("*.db")}
    # Files of the journal come and go.
    eventually("all files are listed", lambda: {file["file"] for file in filled.json("db", "status", "--files")} == on_disk() >= {"history.db", "meta.db"})
    assert max(len(line) for line in filled.cli("db", "status").stdout.splitlines()[:8]) <= 80

    plan = {row["tier"]: row for row in filled.json("db", "plan", "--raw", "10d", "--hosts", "1000", "--series", "100", "--interval", "1s")}
    assert plan["raw"]["keep_ms"] == 10 * 86_400_000
    of_hosts = 1000 * 100 * 86_400 * plan["raw"]["unit_bytes"]
    assert of_hosts <= plan["raw"]["bytes_per_day"] < 1.01 * of_hosts, "with what rules and the aggregator itself add"
    assert "does not fit" in filled.cli("db", "plan", "--raw", "99y", "--hosts", "100000", "--series", "1000").stdout
    wrong = filled.cli("db", "plan", "--raw", "soon", check=False)
    assert wrong.returncode == 2 and "--raw" in wrong.stderr
    for args, said in ((("plan", "--series", "0"), "--series: '0' is not a number from 1 to"), (("plam",), "did you mean db plan?"),
                       (("plan", "--nothing"), "`vigil db plan --help` explains it")):
        wrong = filled.cli("db", *args, check=False)
        assert wrong.returncode == 2 and said in wrong.stderr, wrong.stderr
    assert "--series" in filled.cli("help", "db", "plan").stdout


def test_a_backup_of_the_running_system_is_restored_after_a_kill_and_has_all_that_was_in_it(vigil, tmp_path):
    agent = start_with_blocks(vigil)
    folder = tmp_path / "backup"
    before = times_of(vigil)
    durable(vigil)
    first = vigil.json("backup", str(folder))[0]
    assert first["sent_bytes"] == first["bytes"] > 0
    eventually("more samples", lambda: len(times_of(vigil)) > len(before) + 5)
    second = vigil.json("backup", str(folder), "--keep", "2")[0]
    assert len(list(folder.glob("set-*.json"))) == 2
    agent.stop()
    vigil.aggregator.kill(signal.SIGKILL)

    restored = tmp_path / "restored"
    assert "every checksum is right" in vigil.cli("restore", str(folder), "--verify").stdout
    out = vigil.cli("restore", str(folder), "--set", first["set"], "--data-dir", str(restored)).stdout
    assert f"vigil-aggregator --data-dir {restored}" in out
    refused = vigil.cli("restore", str(folder), "--data-dir", str(restored), check=False)
    assert refused.returncode == 1 and "not empty" in refused.stderr

    other = Vigil(tmp_path)
    other.data = restored
    vigil.processes.append(other.start(SEALING).aggregator)
    after = times_of(other)
    assert set(before) <= set(after), f"lost {sorted(set(before) - set(after))}"
    assert len(after) == len(set(after))
    assert other.cli("db", "check").stdout.strip() == "Nothing is wrong."
    assert second["set"] > first["set"]


def test_what_a_restored_backup_lacks_comes_from_the_agent_again(vigil, tmp_path):
    agent = start_with_blocks(vigil)
    folder = tmp_path / "backup"
    vigil.cli("backup", str(folder))
    cut = times_of(vigil)
    eventually("samples after the backup", lambda: len(times_of(vigil)) > len(cut) + 10)
    lacking = [t for t in times_of(vigil) if t > cut[-1]]
    vigil.aggregator.kill(signal.SIGKILL)
    vigil.data = tmp_path / "restored"
    vigil.cli("restore", str(folder), "--data-dir", str(vigil.data))
    vigil.start(SEALING)
    eventually("they are back", lambda: set(lacking) <= set(times_of(vigil)))
    assert agent.child.poll() is None


def test_files_that_do_not_change_are_sent_once(filled, tmp_path):
    """Blocks of a day that is over, in a file of their own: what a restart leaves of it is the same at each backup."""
    folder = tmp_path / "backup"
    first = filled.json("backup", str(folder))[0]
    second = filled.json("backup", str(folder))[0]
    raw = next(file for file in filled.json("db", "status", "--files") if file["kind"] == "raw")
    assert first["sent_bytes"] == first["bytes"]
    assert second["bytes"] >= first["bytes"]
    assert second["sent_bytes"] <= second["bytes"] - (filled.data / raw["file"]).stat().st_size
    assert len(list(folder.glob("set-*.json"))) == 2


def test_a_flipped_byte_in_the_backup_is_refused_by_name(filled, tmp_path):
    folder = tmp_path / "backup"
    filled.cli("backup", str(folder))
    file = next((folder / "files").glob("raw-*"))
    flip(file, file.stat().st_size // 2)
    for arguments in (["--verify"], ["--data-dir", str(tmp_path / "new")]):
        refused = filled.cli("restore", str(folder), *arguments, check=False)
        assert refused.returncode == 1 and file.name in refused.stderr
    assert not (tmp_path / "new").exists()


def test_a_check_of_the_running_system_is_clean_until_a_byte_is_flipped(filled):
    clean = filled.cli("db", "check")
    assert clean.stdout.strip() == "Nothing is wrong."
    assert "0 findings" in clean.stderr
    filled.aggregator.stop()
    raw = next(filled.data.glob("raw-*.db"))
    for block in re.finditer(b"VGB\x01", raw.read_bytes()):  # some may be remains of blocks that were replaced
        # Of its checksum, and of no page that follows: its first bytes say where the next one is.
        if block.start() % 4096 < 4000:
            flip(raw, block.start() + 6)
    filled.start(SEALING)
    found = filled.cli("db", "check", "-o", "json", check=False)
    assert found.returncode == 5
    # The aggregator's own figures lie in the file, too.
    finding = next(finding for finding in json.loads(found.stdout) if finding["host"] == "here")
    assert finding["file"] == raw.name
    assert finding["first_ms"] > 0 and "damaged" in finding["what"]


def test_two_backups_at_once_are_refused_and_a_client_that_goes_away_frees_the_way(filled, tmp_path):
    slow = filled.adopt(Process([BIN / "vigil", "--aggregator", filled.grpc, "backup", tmp_path / "slow"], tmp_path / "slow.log"))
    slow.kill(signal.SIGKILL)
    eventually("the next one gets through", lambda: filled.cli("backup", str(tmp_path / "next"), check=False).returncode == 0)
    assert not (filled.data / "backup.tmp").exists() or eventually(
        "the copies are removed", lambda: not (filled.data / "backup.tmp").exists())


def test_no_aggregator_no_backup_but_a_restore_needs_none(vigil, tmp_path):
    vigil.start()
    vigil.cli("backup", str(tmp_path / "backup"))
    vigil.aggregator.stop()
    away = vigil.cli("backup", str(tmp_path / "backup"), check=False)
    assert away.returncode == 3 and "no aggregator answers" in away.stderr
    vigil.cli("restore", str(tmp_path / "backup"), "--data-dir", str(tmp_path / "new"))
    assert (pathlib.Path(tmp_path) / "new" / "history.db").stat().st_mode & 0o777 == 0o600


def test_a_meta_db_that_somebody_removed_is_told_of(vigil):
    problems = lambda: [row for row in vigil.cli("status").stdout.splitlines() if "meta.db" in row]
    vigil.start()
    durable(vigil)
    assert problems() == []
    vigil.aggregator.stop()
    for path in vigil.data.glob("meta.db*"):
        path.unlink()
    vigil.start()
    assert "missing" in " ".join(problems())
    vigil.aggregator.stop()
    vigil.start()
    assert problems() == []


def test_damage_in_the_journal_is_told_by_status_and_a_newer_one_refuses_the_start(vigil):
    vigil.start()
    vigil.agent("here", ["--interval", f"{BEAT_MS}ms"])
    vigil.wait_for_host("here")
    durable(vigil)
    vigil.aggregator.kill(signal.SIGKILL)

    def change(sql):
        journal = sqlite3.connect(next(vigil.data.glob("journal-*.db")), isolation_level=None)
        journal.execute(sql)
        journal.close()

    change("PRAGMA user_version=99")
    refused = subprocess.run([BIN / "vigil-aggregator", "--data-dir", vigil.data, "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"],
                             capture_output=True, text=True, timeout=60)
    assert refused.returncode != 0
    assert re.search(r"journal-\d+\.db has format 99, this program knows formats up to 1: start the newer vigil-aggregator", refused.stderr), refused.stderr
    change("PRAGMA user_version=1")
    change("UPDATE entry_group SET entries=x'00' WHERE id=1")
    vigil.start()
    assert any("group of the journal was damaged" in problem for problem in vigil.json("status")["problems"]), vigil.json("status")["problems"]
