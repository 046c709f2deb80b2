"""Reading the configuration again: a bad file changes nothing, and what needs a restart is named."""

import json
import os
import signal
import urllib.request

from support import eventually, metric

RULE = "groups: [{{name: g, rules: [{{alert: {0}, expr: '{1}'}}]}}]"


def reload(vigil):
    done = vigil.cli("reload", "-o", "json", check=False)
    rows = json.loads(done.stdout)
    return done.returncode, [(row["outcome"], row["what"]) for row in rows], done.stderr


def test_vigil_reload_answers_when_it_is_in_force_and_says_what_changed(vigil, tmp_path):
    rules = tmp_path / "rules.yml"
    rules.write_text(RULE.format("One", "up > 1"))
    config = "rules: {{preset: none, files: [{0}]}}\nlog_level: {1}\nstore: {{raw: {{retention: {2}}}}}\n"
    vigil.start(config.format(rules, "info", "30d"))
    assert reload(vigil) == (0, [], "")
    assert "no key, rule" in vigil.cli("reload").stdout

    rules.write_text(RULE.format("Two", "up > 1"))
    (tmp_path / "aggregator.yml").write_text(config.format(rules, "debug", "9d"))
    code, rows, _ = reload(vigil)
    assert code == 0
    assert rows == [("changed", "log_level"), ("changed", "1 rule added: Two"), ("changed", "1 rule removed: One"),
                    ("needs a restart", "store.raw.retention")]
    assert [row["name"] for row in vigil.json("rules")] == ["Two"]  # in force when it answered
    assert metric(vigil, "vigil_aggregator_restart_needed_keys") == 1
    noted = vigil.json("audit", "--what", "reload")[-1]
    before, after = json.loads(noted["before"]), json.loads(noted["after"])
    assert before == {"settings": {"log_level": "info", "store.raw.retention": "30d"}}
    assert after == {"settings": {"log_level": "debug", "store.raw.retention": "9d"}, "changed": ["log_level", "1 rule added: Two", "1 rule removed: One"], "needs_restart": ["store.raw.retention"]}
    assert "store.raw.retention" in vigil.aggregator.wait_for(r"in force only after a restart keys=(\S+)").group(1)
    # It still waits, until it is as it was at the start.
    assert reload(vigil)[1] == [("needs a restart", "store.raw.retention")]
    (tmp_path / "aggregator.yml").write_text(config.format(rules, "debug", "30d"))
    assert reload(vigil)[1] == []


def test_a_bad_file_is_refused_with_all_its_errors_and_nothing_changes(vigil, tmp_path):
    rules = tmp_path / "rules.yml"
    rules.write_text(RULE.format("One", "up > 1"))
    vigil.start(f"rules: {{preset: none, files: [{rules}]}}")
    rules.write_text(RULE.format("Two", "sum("))
    (tmp_path / "aggregator.yml").write_text(f"grpc_listen: nowhere at all\nrules: {{preset: none, files: [{rules}]}}\nlog_level: debug")
    # --grpc-listen wins over the file at a reload, too.
    code, rows, stderr = reload(vigil)
    assert code == 1 and "all stays as it was" in stderr
    assert [outcome for outcome, _ in rows] == ["refused"] and f"{rules}:1" in rows[0][1]
    (tmp_path / "aggregator.yml").write_text("http:\n  cors_orign: x\nexternal_url: foo\nlog_level: loud")
    code, rows, _ = reload(vigil)
    assert code == 1 and len(rows) == 2  # of its keys first, all of them
    assert "aggregator.yml:2:3: http.cors_orign: unknown key; did you mean cors_origin?" in rows[0][1] and "log_level" in rows[1][1]
    assert [row["name"] for row in vigil.json("rules")] == ["One"]
    assert metric(vigil, "vigil_aggregator_reload_successful") == 0
    assert metric(vigil, 'vigil_aggregator_reloads_total{outcome="refused"}') == 2
    assert any("reload" in line for line in vigil.json("status")["problems"])
    (tmp_path / "aggregator.yml").write_text(f"rules: {{preset: none, files: [{rules}]}}")
    rules.write_text(RULE.format("Two", "up"))
    vigil.aggregator.child.send_signal(signal.SIGHUP)
    eventually("the rules are there", lambda: [row["name"] for row in vigil.json("rules")] == ["Two"])
    assert metric(vigil, "vigil_aggregator_reload_successful") == 1


def test_an_agent_takes_what_it_can_and_names_what_needs_a_restart(vigil, tmp_path):
    vigil.start()
    agent = vigil.agent(config="log_level: info\n")
    vigil.wait_for_host()
    config = tmp_path / "agent-here.yml"
    config.write_text("log_level: debug\nmax_series: 300\nbuffer: 8MiB\nspool: {max_size: 8MiB}\n")
    agent.child.send_signal(signal.SIGHUP)
    agent.wait_for(r"agent: reloaded changed=\"max_series, log_level\"")
    assert agent.wait_for(r'in force only after a restart keys="([^"]+)"').group(1) == "buffer, spool.max_size"
    eventually("it sends fewer series", lambda: float(vigil.query("vigil_agent_series")[0]["value"]) <= 300)
    assert eventually("it says so", lambda: float(vigil.query("vigil_agent_restart_needed_keys")[0]["value"])) == 2

    config.write_text("log_level: info\nintervall: 2s\nbuffer: 4096\n")
    start = len(agent.text())
    agent.child.send_signal(signal.SIGHUP)
    said = agent.wait_for(r"not reloaded, all stays as it was.*", start).group(0)
    assert "did you mean interval?" in said and "must be at least 4MiB" in said
    eventually("it says so", lambda: float(vigil.query("vigil_agent_reload_successful")[0]["value"]) == 0)
    assert agent.child.poll() is None and vigil.host()["state"] == "up"
    config.write_text("log_level: debug\nmax_series: 300\n")
    agent.child.send_signal(signal.SIGHUP)
    eventually("it says so", lambda: float(vigil.query("vigil_agent_reload_successful")[0]["value"]) == 1)
    assert float(vigil.query("vigil_agent_restart_needed_keys")[0]["value"]) == 0


def test_collectors_intervals_and_labels_of_an_agent_need_no_restart(vigil, tmp_path):
    vigil.start()
    agent = vigil.agent(config="interval: 500ms\n")
    vigil.wait_for_host()
    eventually("it samples", lambda: vigil.query("node_load1") and vigil.query("node_memory_MemAvailable_bytes"))
    config = tmp_path / "agent-here.yml"

    config.write_text("interval: 500ms\nlabels: {env: prod}\ncollectors: {loadavg: {enabled: false}, meminfo: {interval: 2s}}\n")
    agent.child.send_signal(signal.SIGHUP)
    assert agent.wait_for(r'agent: reloaded changed="([^"]+)"').group(1) == "labels, collectors"
    eventually("the label is there", lambda: vigil.host()["labels"] == {"env": "prod"})
    eventually("the collector is off", lambda: vigil.query("node_load1") == [])
    stamps = lambda: [row["time_ms"] for row in vigil.query("node_memory_MemAvailable_bytes[20s]")]
    eventually("it runs every two seconds", lambda: [b - a for a, b in zip(stamps()[-3:], stamps()[-2:])] == [2000, 2000])

    config.write_text("interval: 1s\ncollectors: {meminfo: {interval: 2s}}\n")
    start = len(agent.text())
    agent.child.send_signal(signal.SIGHUP)
    assert agent.wait_for(r'agent: reloaded changed="([^"]+)"', start).group(1) == "interval, labels, collectors.loadavg"
    eventually("the label is gone", lambda: vigil.host()["labels"] == {})
    eventually("the collector is back", lambda: vigil.query("node_load1"))
    beats = lambda: [row["time_ms"] for row in vigil.query("node_load1[20s]")]
    eventually("a beat a second", lambda: [b - a for a, b in zip(beats()[-3:], beats()[-2:])] == [1000, 1000])
    assert vigil.json("gaps", "--start", "5m") == [], "nothing is missing over it"
    assert "not connected" not in agent.text() and agent.child.poll() is None


def test_status_and_post_say_what_waits_for_a_restart(vigil, tmp_path):
    vigil.start("log_level: info\n")
    config = tmp_path / "aggregator.yml"
    assert vigil.json("status")["needs_restart"] == []
    config.write_text("log_level: debug\nstore: {raw: {retention: 9d}}\nnotifications: {receivers: [{name: ops, webhook: {url: 'http://127.0.0.1:9/'}}]}\n")
    request = urllib.request.Request(f"http://{vigil.http}/-/reload", method="POST", headers={"Host": "localhost"})
    said = urllib.request.urlopen(request, timeout=30).read().decode()
    assert said == "reloaded\nchanged: log_level\nneeds a restart: store.raw.retention\nneeds a restart: notifications.receivers\n", said
    assert vigil.json("status")["needs_restart"] == ["store.raw.retention", "notifications.receivers"]
    assert "needs a restart" in vigil.cli("status").stdout
    config.write_text("log_level: info\n")
    assert vigil.cli("reload").returncode == 0
    assert vigil.json("status")["needs_restart"] == []


def test_a_reload_asked_for_while_it_stops_is_answered(vigil):
    vigil.start()
    vigil.aggregator.child.send_signal(signal.SIGSTOP)
    vigil.aggregator.child.send_signal(signal.SIGTERM)
    vigil.aggregator.child.send_signal(signal.SIGCONT)
    assert vigil.cli("reload", check=False).returncode in (0, 3)
    assert vigil.aggregator.child.wait(timeout=60) == 0
