"""Maintenances and escalation with the shipped programs: who is told what and when, over kill -9, too."""

import re

from support import eventually, small_host

RULES = """
groups:
  - name: test
    interval: 1s
    rules:
      - alert: LoadHigh
        expr: node_load1 > 5
        labels: {severity: critical}
        annotations: {summary: 'Load of {{ $labels.instance }} is {{ $value }}'}
        clear: 2
        runbook: https://wiki.example.org/load
        evidence: {Load: 'node_load1{instance="{{ $labels.instance }}"}'}
"""


def start(vigil, sink, tmp_path):
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "alertmanager.yml").write_text(f"""
route: {{receiver: nobody, escalate: [{{after: 2s, receiver: lead}}]}}
receivers:
  - name: nobody
  - name: lead
    webhook_configs: [{{url: {sink.url}/lead}}]
""")
    config = f"""
rules: {{preset: none, files: [{tmp_path}/rules.yml]}}
notifications:
  alertmanager_file: alertmanager.yml
  receivers:
    - {{name: ops, webhook: {{url: {sink.url}/ops}}}}
    - {{name: late, after: 2s, webhook: {{url: {sink.url}/late}}}}
"""
    vigil.start(config)
    root, set_load = small_host(tmp_path)
    vigil.agent("web-1", ["--path.procfs", root / "proc"])
    vigil.wait_for_host("web-1")
    return config, set_load


def notes(sink, path):
    """What a plain webhook was told: alert, status and summary of each message."""
    return [(alert["labels"]["alertname"], alert["status"], alert["annotations"]["summary"])
            for body in sink.bodies(path) for alert in body["alerts"]]


def titles(sink, path):
    return [alert["title"] for body in sink.bodies(path) for alert in body["alerts"]]


def refusal(vigil, *args):
    done = vigil.cli(*args, check=False)
    assert done.returncode != 0
    return done.stderr


def firing(vigil):
    return [alert for alert in vigil.json("alerts") if alert["state"] == "firing"]


def test_a_maintenance_is_told_of_and_holds_back_what_fires_inside(vigil, sink, tmp_path):
    config, set_load = start(vigil, sink, tmp_path)
    refused = refusal(vigil, "maintenance", "add", "instance=web-1", "--title", "Disks", "--for", "1h", "--comment", "x", "--tell", "opps")
    assert "there is no receiver opps; there are" in refused and "ops" in refused
    assert "the check after 'up =='" in refusal(vigil, 
        "maintenance", "add", "instance=web-1", "--title", "Disks", "--for", "1h", "--comment", "x", "--check-after", "up ==")
    planned = vigil.cli("maintenance", "add", "instance=web-1", "--title", "New disks", "--start", "in 30m", "--for", "1h", "--impact",
                        "slow logins", "--tell", "ops", "--tell", "lead", "--notice", "1h", "--comment", "CHG-1", "--author", "ada").stdout.strip()
    told = eventually("a notice", lambda: notes(sink, "/ops"))
    assert told[0][:2] == ("Maintenance", "firing") and told[0][2].startswith("New disks begins in 30m, at ")
    assert eventually("a notice by alertmanager.yml", lambda: notes(sink, "/lead"))[0][2] == told[0][2]
    assert re.fullmatch(r"Maintenance announced: New disks on web-1 from \d{4}-\d\d-\d\d \d\d:\d\d UTC", titles(sink, "/ops")[0])
    [plan] = vigil.json("maintenance")
    assert plan["phase"] == "announced" and plan["notices_ms"] == [3_600_000]
    assert vigil.cli("maintenance", "end", planned[:8]).stdout == f"maintenance {planned[:8]} is over: New disks\n"
    assert eventually("it is cancelled", lambda: notes(sink, "/ops")[1:])[0][2].startswith("New disks is cancelled\nImpact: slow logins\n")

    running = vigil.cli("maintenance", "add", "instance=web-1", "--title", "New disks", "--for", "1h", "--tell", "ops", "--comment", "CHG-2",
                        "--check-before", 'up{instance="web-1"} == 1', "--check-before", "node_load1 > 1000", "--check-after", "vector(1)").stdout.strip()
    begun = eventually("it begins", lambda: [b for b in sink.bodies("/ops") if "has begun" in b["alerts"][0]["annotations"]["summary"]])[0]
    details = begun["alerts"][0]["annotations"]["summary"]
    assert 'up{instance="web-1"} == 1: well' in details and "node_load1 > 1000: NOT WELL" in details
    set_load(9)
    alert = eventually("an alert fires", lambda: firing(vigil))[0]
    assert alert["standing"] == "in maintenance" and alert["silenced_by"] == [running]
    assert "(in maintenance)" in vigil.cli("alerts").stdout
    why = vigil.json("alerts", "explain", "LoadHigh", "web-1")
    [held] = [e for e in why["events"] if e["kind"] == "maintenance"]
    assert held["by"] == running and held["at_ms"] > alert["fired_at_ms"] and held["text"].startswith("New disks; ")
    assert "in maintenance until" in vigil.cli("alerts", "explain", "LoadHigh", "web-1").stdout
    assert why["rules"][0]["series"][0]["held_back_by"] == [f"maintenance {running[:8]}: New disks"]
    [listed] = vigil.json("silence")
    assert (listed["kind"], listed["title"], listed["id"]) == ("maintenance", "New disks", running)
    assert f"{running[:8]} is a maintenance: vigil maintenance end" in refusal(vigil, "silence", "expire", running[:8])
    assert "no maintenance nothing" in refusal(vigil, "maintenance", "end", "nothing")
    vigil.aggregator.kill()
    vigil.start(config)
    eventually("it is known again", lambda: firing(vigil))
    [ended] = vigil.json("maintenance", "end", running)
    assert (ended["id"], ended["kind"], ended["phase"]) == (running, "maintenance", "ended")
    over = eventually("it is over", lambda: [b for b in sink.bodies("/ops") if "is over" in b["alerts"][0]["annotations"]["summary"]])[0]
    digest = over["alerts"][0]["annotations"]["summary"]
    assert "vector(1): well" in digest and "Still firing: 1\n- LoadHigh on web-1 (critical): " in digest
    # What fires still is told now; the maintenance was told once over the kill.
    eventually("the alert is told", lambda: [n for n in notes(sink, "/ops") if n[0] == "LoadHigh"])
    why = vigil.json("alerts", "explain", "LoadHigh", "web-1")["events"]
    [past] = [e for e in why if e["kind"].startswith("maintenance")]
    assert (past["kind"], past["by"], past["text"]) == ("maintenance_over", running, "New disks; at its end: still firing, begun inside; its receivers: ops")
    assert alert["fired_at_ms"] < past["at_ms"] and "maintenance ended" in vigil.cli("alerts", "explain", "LoadHigh", "web-1").stdout
    assert len([n for n in notes(sink, "/ops") if "has begun" in n[2]]) == 1
    assert len([n for n in notes(sink, "/ops") if "is over" in n[2]]) == 1
    said = [title.split(" UTC")[0] for title in titles(sink, "/ops")]
    assert said[1] == "Maintenance cancelled: New disks on web-1" and said[2].startswith("Maintenance begins: New disks on web-1 until 2")
    assert "Maintenance ends: New disks on web-1" in said and "Critical: LoadHigh on web-1" in said, said


def test_what_nobody_acknowledges_goes_to_others(vigil, sink, tmp_path):
    _, set_load = start(vigil, sink, tmp_path)
    set_load(9)
    told = eventually("ops are told", lambda: sink.bodies("/ops"))[0]["alerts"][0]
    assert told["annotations"]["runbook_url"] == "https://wiki.example.org/load"
    explained = vigil.cli("alerts", "explain", "LoadHigh", "web-1").stdout
    assert "escalates to" in explained and "lead" in explained
    for path in ("/late", "/lead"):
        name, status, summary = eventually(f"{path} is told", lambda: notes(sink, path))[0]
        assert (name, status) == ("LoadHigh", "firing") and re.fullmatch(r"Nobody acknowledged it for \d+s. Load of web-1 is 9", summary)
    set_load(3)  # false, not cleared
    eventually("it lasts", lambda: "not cleared" in vigil.cli("alerts", "explain", "LoadHigh", "web-1").stdout)
    set_load(1)
    for path in ("/ops", "/late", "/lead"):
        eventually(f"{path} hears of the end", lambda path=path: notes(sink, path)[1:] and notes(sink, path)[1][1] == "resolved")
    assert [len(notes(sink, path)) for path in ("/ops", "/late", "/lead")] == [2, 2, 2]

    def told():
        events = vigil.json("alerts", "explain", "LoadHigh", "web-1")["events"]
        return {(e["kind"], e["by"]): e["at_ms"] for e in events if e["kind"] in ("told", "escalated", "told_over")}

    everybody = {("told", "ops"), ("escalated", "late"), ("escalated", "lead/webhook[0]")} | {("told_over", by) for by in ("ops", "late", "lead/webhook[0]")}
    eventually("who was told stays known", lambda: set(told()) == everybody)
    times = told()
    assert times["escalated", "late"] >= times["told", "ops"] + 2000 and times["told_over", "late"] > times["escalated", "late"]


def test_an_acknowledgement_stops_what_is_to_come(vigil, sink, tmp_path):
    _, set_load = start(vigil, sink, tmp_path)
    vigil.cli("silence", "add", "LoadHigh", "--for", "1h", "--comment", "until it is acknowledged")
    set_load(9)
    alert = eventually("it fires", lambda: firing(vigil))[0]
    vigil.cli("ack", "LoadHigh", "web-1", "--comment", "mine")
    vigil.cli("silence", "expire", alert["silenced_by"][0][:8])
    eventually("ops are told", lambda: notes(sink, "/ops"))
    set_load(1)
    eventually("it is over", lambda: notes(sink, "/ops")[1:])
    assert not notes(sink, "/late") and not notes(sink, "/lead")
