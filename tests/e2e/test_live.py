"""This very machine, live: what a newcomer sees."""

import csv
import io
import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import urllib.request

import pytest
from support import BIN, PATIENCE, eventually, metric


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def test_the_machine_is_seen_within_seconds(vigil):
    vigil.start().agent("here")
    host = vigil.wait_for_host() and eventually("figures", lambda: (h := vigil.host())["cpu_busy_ratio"] is not None and h)
    assert 0 <= host["cpu_busy_ratio"] <= 1
    assert 0 < host["memory_used_ratio"] < 1
    assert host["series"] >= 400
    assert abs(host["clock_skew_seconds"]) < 1
    with open("/proc/stat") as stat:
        cores = sum(1 for line in stat if line.startswith("cpu") and line[3].isdigit())
    assert host["cpus"] == cores


def test_every_family_of_the_kernel_arrives(vigil):
    vigil.start().agent("here")
    vigil.wait_for_host()
    for metric in ("node_cpu_seconds_total", "node_memory_MemAvailable_bytes", "node_vmstat_pgfault", "node_load1", "node_boot_time_seconds",
                   "node_filesystem_avail_bytes", "node_disk_io_time_seconds_total", "node_network_receive_bytes_total",
                   "node_sockstat_TCP_inuse", "node_netstat_Tcp_CurrEstab", "node_filefd_allocated", "node_uname_info", "node_os_info",
                   "node_processes_state", "vigil_process_resident_memory_bytes", "node_scrape_collector_success", "up"):
        eventually(metric, lambda: vigil.query(metric))


def test_once_prints_text_exposition_that_prometheus_accepts():
    out = subprocess.run([BIN / "vigil-agent", "--once"], check=True, capture_output=True, text=True, timeout=60).stdout
    assert "# TYPE node_cpu_seconds_total counter" in out
    samples = [line for line in out.splitlines() if line and not line.startswith("#")]
    assert len(samples) >= 400
    checked = subprocess.run(["promtool", "check", "metrics"], input=out, capture_output=True, text=True, timeout=60)
    # promtool also lints names, and node_exporter's own names do not all please it; only a parse error is a failure here.
    said = checked.stdout + checked.stderr
    assert "parsing error" not in said and "unknown metric type" not in said and "line" not in said.split("node_")[0], said


def test_files_of_a_million_lines_delay_no_beat(vigil, tmp_path):
    net = tmp_path / "proc" / "1" / "net"
    net.mkdir(parents=True)
    numbers = " ".join(str(i) for i in range(1, 17))
    for name, heading, line in (("dev", "Inter-| Receive | Transmit\n face |bytes\n", f"e{{}}: {numbers}\n"), ("sockstat", "", "P{}: inuse 1\n"),
                                ("softnet_stat", "", "{} 1 2\n"), ("arp", "IP address Device\n", "192.0.2.1 0x1 0x2 02:fc:00:00:00:05 * e{}\n"),
                                ("udp", "sl local\n", "{}: 00000000:0035 00000000:0000 07 00000001:00000001 0\n")):
        (net / name).write_text(heading + "".join(line.format(i) for i in range(1000)) * 1000)
    (tmp_path / "short").mkdir()
    for proc in ("proc", "short"):
        (tmp_path / proc / "loadavg").write_text("0.52 0.58 0.59 1/467 12345\n")
    vigil.start()
    agent = vigil.agent("long", ["--path.procfs", tmp_path / "proc"])
    vigil.agent("short", ["--path.procfs", tmp_path / "short"])  # for comparison, on the same machine at the same time

    def value(expression, name="long"):
        return eventually(expression, lambda: [row for row in vigil.query(expression) if row["metric"]["instance"] == name])[0]["value"]

    eventually("a dozen beats", lambda: value("count_over_time(node_load1[10m])") >= 12, patience=2 * PATIENCE)
    assert value("vigil_agent_beats_missed_total") <= value("vigil_agent_beats_missed_total", "short") + 3
    used = lambda name: value("vigil_agent_cpu_seconds_total / on(instance) count_over_time(node_load1[10m])", name)
    assert used("long") < used("short") + 0.5
    assert value("vigil_agent_cut_reads_total") > 10
    assert vigil.query('node_scrape_collector_success{collector="netdev", instance="long"} == 0')
    assert vigil.query('node_network_receive_bytes_total{device="e7"}')
    said = [line for line in agent.text().splitlines() if "longer than" in line and "net/dev" in line]
    assert len(said) == 1, "logged once"


def test_all_three_output_forms_and_ranges(vigil):
    vigil.start().agent("here")
    vigil.wait_for_host()
    eventually("three points", lambda: len(vigil.query("node_load1[1m]")) >= 3)
    assert "node_load1{" in vigil.cli("query", "node_load1").stdout
    rows = list(csv.DictReader(io.StringIO(vigil.cli("query", "node_load1", "-o", "csv").stdout)))
    assert rows[0]["series"].startswith("node_load1{") and float(rows[0]["value"]) >= 0
    ranged = vigil.json("query", "node_load1", "--start", "10s", "--step", "1s")
    assert len(ranged) >= 2
    drawing = vigil.cli("plot", "node_load1", "--start", "1m", "--width", "60", "--height", "5").stdout
    assert "━━ node_load1{" in drawing and "┤" in drawing
    assert any("node_load1{" in row["series"] for row in vigil.json("series", "node_load1"))
    assert vigil.cli("top").stdout.startswith("vigil ")
    status = vigil.json("status")
    assert status["hosts_up"] == 1 and status["store_state"] == "ok" and status["problems"] == []
    for start in ("24h", "7d", "30d"):
        assert len(vigil.json("query", "node_load1", "--start", start)) >= 2, start
        assert len(vigil.json("plot", "node_load1", "--start", start)) >= 2, start
    assert any(rule["name"] for rule in vigil.json("rules"))


def test_a_query_in_json_has_the_labels_one_by_one_and_may_begin_with_a_minus(vigil):
    vigil.start().agent("here")
    vigil.wait_for_host()
    row = eventually("a value", lambda: vigil.query("-node_load1"))[0]
    assert row["metric"] == {"instance": "here", "job": "node"} and row["value"] <= 0
    row = eventually("the system's name", lambda: vigil.query("node_uname_info"))[0]
    assert row["metric"]["__name__"] == "node_uname_info" and row["metric"]["sysname"] == "Linux"
    assert vigil.json("series", "node_load1")[0]["metric"]["__name__"] == "node_load1"


def test_a_host_that_left_has_no_figures_of_old(vigil):
    vigil.start()
    agent = vigil.agent("here")
    eventually("figures", lambda: vigil.host()["cpu_busy_ratio"] is not None and vigil.host()["network_bytes_per_second"] is not None)
    agent.stop()
    gone = vigil.wait_for_host(state="left") and vigil.host()
    assert gone["cpu_busy_ratio"] is None and gone["network_bytes_per_second"] is None and gone["load1"] is None
    assert "0 B/s" not in vigil.cli("hosts").stdout


def test_a_plot_of_a_young_host_begins_with_the_host_and_says_its_range(vigil):
    vigil.start().agent("here")
    vigil.wait_for_host()
    eventually("three points", lambda: len(vigil.query("node_load1[1m]")) >= 3)
    drawing = vigil.cli("plot", "node_load1").stdout
    said = drawing.splitlines()[-1]
    assert " to " in said and "a point every 1s" in said, drawing
    assert "a point every 1m" in vigil.cli("plot", "node_load1", "--start", "1h", "--step", "1m").stdout


def test_ctrl_c_leaves_top_while_an_answer_is_under_way():
    with socket.socket() as deaf:  # takes connections, and never answers
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        terminal, inner = pty.openpty()
        child = subprocess.Popen([BIN / "vigil", "--aggregator", f"127.0.0.1:{deaf.getsockname()[1]}", "--timeout", "1h", "top"],
                                 stdin=inner, stdout=inner, stderr=inner, start_new_session=True)
        os.close(inner)
        deaf.settimeout(60)
        connection, _ = deaf.accept()  # the question is on its way
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=30) == 0
        connection.close()
        os.close(terminal)


def test_check_reports_what_would_fail_later(tmp_path):
    check = lambda program, *args: subprocess.run([BIN / program, "--check", *args], capture_output=True, text=True, timeout=60)
    missing = check("vigil-agent", "--path.procfs", "/nonexistent")
    assert missing.returncode == 2 and "--path.procfs: /nonexistent is no directory" in missing.stderr
    once = subprocess.run([BIN / "vigil-agent", "--once", "--path.procfs", "/nonexistent"], capture_output=True, text=True, timeout=60)
    assert once.returncode == 2 and once.stderr == missing.stderr
    spool = check("vigil-agent", "--spool", "/proc/nope")
    assert spool.returncode == 2 and "--spool: /proc/nope cannot be used" in spool.stderr
    typo = check("vigil-agent", "--docker-socket", "/nonexistent.sock")
    assert typo.returncode == 0 and "warning: --docker-socket: /nonexistent.sock is not there" in typo.stdout
    unusable = check("vigil-aggregator", "--data-dir", "/dev/null/data")
    assert unusable.returncode == 2 and "--data-dir: /dev/null/data cannot be used" in unusable.stderr
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "web.yml").write_text("groups: [{name: g, rules: [{record: 'a:b', expr: up}]}]\n")
    (tmp_path / "aggregator.yml").write_text("rules: {files: [rules/web.yml]}\n")
    warned = check("vigil-aggregator", "--config", tmp_path / "aggregator.yml", "--data-dir", tmp_path / "data")
    assert warned.returncode == 0 and "warning: " not in warned.stdout  # recording rules have an effect
    assert not (tmp_path / "data").exists()


def test_exit_codes_and_errors_a_script_can_use(vigil):
    vigil.start()
    wrong = vigil.cli("query", "rate(node_load1", check=False)
    assert wrong.returncode == 1 and "parse error" in wrong.stderr and wrong.stdout == ""
    assert vigil.cli("query", check=False).returncode == 2
    assert vigil.cli("hosts", "nobody", check=False).returncode == 1
    nobody = subprocess.run([BIN / "vigil", "--aggregator", "127.0.0.1:1", "hosts"], capture_output=True, text=True, timeout=60)
    assert nobody.returncode == 3 and "vigil-aggregator" in nobody.stderr and "UNKNOWN" not in nobody.stderr
    misspelt = vigil.cli("top", "--intervall", "1s", check=False)
    assert misspelt.returncode == 2 and "did you mean --interval?" in misspelt.stderr
    for program in ("vigil-agent", "vigil-aggregator"):
        misspelt = subprocess.run([BIN / program, "--confg", "x.yml"], capture_output=True, text=True, timeout=60)
        assert misspelt.returncode == 2 and "there is no flag --confg; did you mean --config?" in misspelt.stderr
    second = subprocess.run([BIN / "vigil-aggregator", "--data-dir", vigil.folder / "other", "--grpc-listen", vigil.grpc, "--http-listen", "127.0.0.1:0"],
                            capture_output=True, text=True, timeout=60)
    assert f"cannot listen on {vigil.grpc} for gRPC: Address already in use" in second.stderr and "./src/core" not in second.stderr


def grpc_call(address, method, message=b""):
    """A call as any gRPC client makes it: the answer's first message."""
    sent = b"\0" + len(message).to_bytes(4, "big") + message
    done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-H", "content-type: application/grpc", "-H", "te: trailers",
                           "--data-binary", "@-", f"http://{address}/{method}"], input=sent, capture_output=True, check=True, timeout=60)
    return done.stdout[5:]


def test_the_grpc_port_speaks_health_and_reflection(vigil):
    vigil.start()
    serving = b"\x08\x01"
    assert grpc_call(vigil.grpc, "grpc.health.v1.Health/Check") == serving
    name = b"vigil.v1.Query"
    assert grpc_call(vigil.grpc, "grpc.health.v1.Health/Check", b"\x0a" + bytes([len(name)]) + name) == serving
    listed = grpc_call(vigil.grpc, "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", b"\x3a\x00")
    for service in (b"vigil.v1.Query", b"vigil.v1.Fleet", b"vigil.v1.Ingest", b"grpc.health.v1.Health"):
        assert service in listed
    assert vigil.cli("alerts", "--fail-on", "critical").returncode == 0


def test_health_readiness_and_own_metrics_over_http(vigil):
    vigil.start().agent("here")
    vigil.wait_for_host()
    read = lambda path: urllib.request.urlopen(f"http://{vigil.http}{path}", timeout=30)
    assert read("/healthz").status == 200
    for path, code in (("/alerts", 308), ("/", 302)):
        with pytest.raises(urllib.error.HTTPError) as moved:
            urllib.request.build_opener(NoRedirect).open(f"http://{vigil.http}{path}", timeout=30)
        assert moved.value.code == code and moved.value.headers["Location"] == "/alerts/"
    assert read("/alerts/").status == 200
    assert "vector(1) &lt; 2" in read("/graph?g0.expr=vector(1)+%3C+2&g0.tab=0").read().decode()
    assert read("/readyz").status == 200
    metrics = read("/metrics").read().decode()
    assert metric(vigil, "vigil_aggregator_delivery_interval_seconds ") == 1
    assert 0 <= metric(vigil, "vigil_aggregator_ingest_load_ratio ") < 1
    status = vigil.json("status")
    assert status["delivery_interval_ms"] == 1000 and 0 <= status["ingest_load_ratio"] < 1 and status["backfill_streams"] == 0
    checked = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    with pytest.raises(urllib.error.HTTPError) as missing:
        read("/nothing-here")
    assert missing.value.code == 404 and json.loads(missing.value.read())["error"]


@pytest.mark.parametrize("program", ["vigil", "vigil-agent", "vigil-aggregator"])
def test_version_and_help(program):
    assert subprocess.run([BIN / program, "--version"], check=True, capture_output=True, text=True).stdout.split()[-1].count(".") == 2
    assert "--help" in subprocess.run([BIN / program, "--help"], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("program, command, flags", [
    ("vigil-aggregator", "init", ("--config", "--data-dir", "--name", "--person", "--out")),
    ("vigil-aggregator", "doctor", ("--config", "--data-dir")),
    ("vigil-agent", "enroll", ("--config", "--aggregator", "--name", "--spool", "--dir")),
    ("vigil-agent", "doctor", ("--config",)),
])
def test_the_help_of_a_command_lists_what_it_takes_of_its_program(program, command, flags):
    said = subprocess.run([BIN / program, command, "--help"], check=True, capture_output=True, text=True).stdout
    listed = {line.split()[0] for line in said.splitlines() if line.startswith("  --")}
    assert set(flags) <= listed, said


def helps(program, *command):
    """The --help of a program and of all its commands, each with its name."""
    said = subprocess.run([BIN / program, *command, "--help"], check=True, capture_output=True, text=True).stdout
    yield " ".join((program, *command)), said
    listed = re.search(r"^(?:Sub)?[Cc]ommands:\n((?:  .*\n)+)", said, re.MULTILINE)
    for name in re.findall(r"^  (\w\S*)", listed[1], re.MULTILINE) if listed else ():
        if name != "help":
            yield from helps(program, *command, name)


@pytest.mark.parametrize("program", ["vigil", "vigil-agent", "vigil-aggregator"])
def test_the_examples_of_every_help_can_be_pasted(program):
    found = 0
    for name, said in helps(program):
        at = re.search(r"^(?:.* )?Examples?:\n((?:  .*\n)*)(.*)", said, re.MULTILINE)
        if not at:
            continue
        assert max(map(len, said.splitlines())) <= 80, name
        lines = [shlex.split(line, comments=True) for line in at[1].replace("\\\n", "").splitlines()]
        for words in filter(None, lines):
            words = [word for word in words if not re.match(r"[A-Z_]+=", word)]
            assert words[0] == program, (name, words)
            found += 1
        assert subprocess.run(["bash", "-n"], input=at[1], text=True, capture_output=True).stderr == "", name
        assert re.match(r"[A-Z`]|$", at[2]), (name, "what follows is prose, not the rest of a line", at[2])
    assert found >= 5


@pytest.mark.parametrize("program", ["vigil-agent", "vigil-aggregator"])
def test_a_misspelt_key_is_found_before_anything_starts(program, tmp_path):
    config = tmp_path / "wrong.yml"
    good = tmp_path / "good.yml"
    config.write_text("log_levle: debug\n")
    good.write_text("log_level: debug\n")
    wrong = subprocess.run([BIN / program, "--config", config, "--check"], capture_output=True, text=True, timeout=60)
    assert wrong.returncode != 0
    assert f"{config}:1:1: log_levle: unknown key; did you mean log_level?" in wrong.stderr
    assert subprocess.run([BIN / program, "--config", good, "--check"], capture_output=True, text=True, timeout=60).returncode == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_every_command(shell):
    script = subprocess.run([BIN / "vigil", "completion", shell], check=True, capture_output=True, text=True).stdout
    for command in ("hosts", "containers", "top", "query", "plot", "series", "alerts", "rules", "status"):
        assert command in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, check=True, text=True)
