"""Actions of alerts, for real: programs, webhooks, agents with their own list, approval, restarts."""

import json
import os
import re

import pytest
from support import eventually, small_host

RULES = """
groups:
  - name: test
    interval: 1s
    rules:
      - alert: LoadHigh
        expr: node_load1 > 5
        labels: {severity: critical}
        actions: [relieve, note, there, {run: thanks, on: resolved}]
      - alert: LoadElevated
        expr: node_load1 > 2
        labels: {severity: warning}
        actions: [careful]
"""


def settings(folder, sink, rules=RULES):
    (folder / "rules.yml").write_text(rules)
    return f"""
rules: {{preset: none, files: [{folder}/rules.yml]}}
notifications: {{receivers: [{{name: ops, webhook: {{url: '{sink.url}/ops'}}}}]}}
actions:
  - name: relieve
    command: [/bin/sh, -c, 'echo "$VIGIL_ALERT on $VIGIL_HOST"; cat > {folder}/input; echo {folder} >&2; exit 0']
    effect_after: 1s
  - {{name: note, webhook: {{url: '{sink.url}/act', headers: {{X-Team: web}}}}}}
  - {{name: there, agent: restart, timeout: 20s}}
  - {{name: thanks, command: [/bin/sh, -c, 'exit 7'], cooldown: 0s}}
  - {{name: careful, command: [/bin/touch, '{folder}/careful'], approval: true}}
"""


def allow_list(folder):
    trusted = folder / "trusted"
    trusted.mkdir(mode=0o755)
    path = trusted / "actions.yml"
    path.write_text(f"actions: {{restart: {{command: [/bin/sh, -c, 'echo restarted $VIGIL_ACTION; date >> {folder}/restarted']}}}}\n")
    path.chmod(0o644)
    return path


def runs(vigil, *flags):
    """The latest run of each action."""
    return {run["action"]: run for run in reversed(vigil.json("actions", "log", *flags))}


@pytest.mark.skipif(os.geteuid() != 0, reason="an agent's list must be root's")
def test_an_alert_runs_what_its_rule_names_and_everything_is_told(vigil, sink, tmp_path):
    vigil.start(settings(tmp_path, sink))
    root, set_load = small_host(tmp_path)
    agent = vigil.agent("web-1", ["--path.procfs", root / "proc"], config=f"actions_file: {allow_list(tmp_path)}\n")
    vigil.wait_for_host("web-1")
    set_load(9.75)

    done = eventually("three runs end", lambda: (r := runs(vigil)) and all(r.get(n, {}).get("state") == "succeeded" for n in ("relieve", "note", "there")) and r)
    shown = lambda run: vigil.json("actions", "show", run["id"])[0]
    relieved = shown(done["relieve"])
    assert relieved["output"] == f"LoadHigh on web-1\n{tmp_path}\n" and relieved["code"] == 0 and relieved["trigger"] == "firing"
    told = json.loads((tmp_path / "input").read_text())
    assert told["version"] == 1 and told["action"] == "relieve" and told["alert"]["labels"]["instance"] == "web-1"
    assert shown(done["there"])["output"] == "restarted restart\n" and (tmp_path / "restarted").read_text().count("\n") == 1
    request = next(r for r in sink.requests if r["path"] == "/act")
    assert request["headers"]["X-Team"] == "web" and request["headers"]["Idempotency-Key"] == done["note"]["id"]
    assert json.loads(request["body"])["alert"]["name"] == "LoadHigh"
    assert relieved["before"] == 9.75 and relieved["effect"] == "node_load1"
    eventually("its effect is measured", lambda: runs(vigil)["relieve"]["after"] == 9.75)

    # Nobody lets it run but people.
    waiting = runs(vigil, "--waiting")["careful"]
    assert waiting["state"] == "needs_approval" and not (tmp_path / "careful").exists()
    message = eventually("the message says so", lambda: [b for b in sink.bodies("/ops") if b["alert"] == "LoadElevated"])[0]
    evidence = message["alerts"][0]["evidence"][0]
    assert evidence["title"] == "Actions" and [row["name"] for row in evidence["rows"]] == ["careful"]
    assert re.fullmatch(rf"\d\d:\d\d:\d\d UTC: needs approval: vigil actions approve {waiting['id'][:8]}", evidence["rows"][0]["value"])
    approved = vigil.json("actions", "approve", waiting["id"][:8], "--comment", "go on", "--author", "ada")
    assert approved[0]["author"] == "ada"
    eventually("it ran", lambda: runs(vigil)["careful"]["state"] == "succeeded" and (tmp_path / "careful").exists())
    assert vigil.cli("actions", "reject", waiting["id"][:8], check=False).returncode == 1

    listed = {action["name"]: action for action in vigil.json("actions")}
    assert listed["there"]["kind"] == "agent" and listed["careful"]["needs_approval"] and listed["relieve"]["rules"] == ["LoadHigh"]
    explained = vigil.cli("alerts", "explain", "LoadHigh", "web-1").stdout
    assert re.search(r"action\s+relieve\s+succeeded", explained)
    told = vigil.cli("actions", "show", relieved["id"][:8]).stdout
    assert "LoadHigh on web-1" in told and "9.75 before" in told

    # By hand: cooldown holds, another host has its own.
    again = vigil.cli("actions", "run", "there", "web-1", check=False)
    assert again.returncode == 1 and "cooldown of 5m" in again.stdout
    for action in ("there", "note"):
        unknown = vigil.cli("actions", "run", action, "nohost", check=False)
        assert unknown.returncode == 1 and "no host is called nohost; there are web-1" in unknown.stderr, unknown.stderr
    assert "did you mean web-1?" in vigil.cli("actions", "run", "there", "web-11", check=False).stderr
    assert vigil.json("actions", "run", "thanks", "web-1", "--dry-run")[0]["state"] == "dry_run"
    assert "no action is called x" in vigil.cli("actions", "run", "x", check=False).stderr

    set_load(0.5)
    failed = eventually("the end runs another", lambda: (r := runs(vigil).get("thanks")) and r["state"] == "failed" and r)
    assert failed["reason"] == "exit status 7" and failed["trigger"] == "resolved"

    # All of it survives.
    before = {run["id"]: run["state"] for run in vigil.json("actions", "log")}
    vigil.aggregator.kill()
    vigil.start(settings(tmp_path, sink))
    assert {run["id"]: run["state"] for run in vigil.json("actions", "log")} == before
    assert (tmp_path / "restarted").read_text().count("\n") == 1
    vigil.wait_for_host("web-1")
    agent.stop()
    eventually("it has left", lambda: vigil.json("hosts")[0]["state"] == "left")
    away = vigil.cli("actions", "run", "there", "web-1", check=False)
    assert away.returncode == 1 and "the agent of web-1 is not connected" in away.stderr, away.stdout + away.stderr


def test_a_kill_while_it_runs_leaves_it_unknown_and_does_not_run_it_again(vigil, sink, tmp_path):
    config = settings(tmp_path, sink).replace(f"[/bin/touch, '{tmp_path}/careful'], approval: true", f"[/bin/sh, -c, 'echo x >> {tmp_path}/ran; sleep 600'], timeout: 20m")
    vigil.start(config)
    vigil.cli("actions", "run", "careful")
    eventually("it runs", lambda: (tmp_path / "ran").exists() and runs(vigil)["careful"]["state"] == "running")
    vigil.aggregator.kill()
    vigil.start(config)
    run = runs(vigil)["careful"]
    assert run["state"] == "unknown" and run["reason"] == "the aggregator stopped while it ran"
    assert (tmp_path / "ran").read_text() == "x\n"


def test_an_agent_runs_nothing_that_root_did_not_allow(vigil, sink, tmp_path):
    vigil.start(settings(tmp_path, sink, "groups: []\n"))
    open_to_all = tmp_path / "actions.yml"
    open_to_all.write_text(f"actions: {{restart: {{command: [/bin/touch, '{tmp_path}/no']}}}}\n")
    open_to_all.chmod(0o666)
    vigil.agent("web-1", config=f"actions_file: {open_to_all}\n")
    vigil.agent("web-2")
    vigil.wait_for_host("web-1")
    vigil.wait_for_host("web-2")
    for host, why in (("web-1", "changed by others|belong to root"), ("web-2", "names no actions_file")):
        asked = vigil.cli("actions", "run", "there", host, check=False)
        assert asked.returncode == 0, asked.stdout + asked.stderr
        refused = eventually(f"{host} refuses", lambda: [r for r in vigil.json("actions", "log") if r["host"] == host and r["state"] == "failed"])
        assert re.search(why, refused[0]["reason"])
    assert not (tmp_path / "no").exists()


def test_what_is_wrong_with_actions_is_named_at_its_place(vigil, sink, tmp_path):
    from support import BIN
    import subprocess
    (tmp_path / "rules.yml").write_text(RULES)
    (tmp_path / "vigil.yml").write_text(f"""
rules: {{preset: none, files: [{tmp_path}/rules.yml]}}
actions:
  - {{name: relieve, command: [sh]}}
  - {{name: relieve, agent: x, command: [/bin/true]}}
  - {{name: 'a b', agent: x, cool_down: 5m}}
""")
    refused = subprocess.run([BIN / "vigil-aggregator", "--check", "--config", tmp_path / "vigil.yml"], capture_output=True, text=True)
    assert refused.returncode != 0
    (tmp_path / "vigil.yml").write_text((tmp_path / "vigil.yml").read_text().replace("'a b'", "ab").replace(", cool_down: 5m", ""))
    said = refused.stderr
    assert "actions[2].name: must be 1 to 128 letters" in said and "cool_down: unknown key; did you mean cooldown?" in said
    said = subprocess.run([BIN / "vigil-aggregator", "--check", "--config", tmp_path / "vigil.yml"], capture_output=True, text=True).stderr
    for part in ("actions[0].command[0]: sh is no absolute path", "there are two actions called relieve", "give one of command, webhook and agent", "no action is called note; the configuration has relieve, relieve, ab"):
        assert part in said, part


def test_a_maintenance_waits_for_its_backup_and_tells_how_it_went(vigil, sink, tmp_path):
    vigil.start(settings(tmp_path, sink) + f"""
  - {{name: backup, command: [/bin/sh, -c, 'while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo saved']}}
  - {{name: verify, command: [/bin/sh, -c, 'echo table users is missing; exit 1']}}
""")
    refused = vigil.cli("maintenance", "add", "instance=web-1", "--title", "Upgrade", "--for", "1h", "--comment", "x", "--run-before", "bakcup", check=False)
    assert refused.returncode == 1 and "no action is called bakcup" in refused.stderr
    vigil.cli("maintenance", "add", "instance=web-1", "--title", "Upgrade", "--for", "1h", "--comment", "CHG-7", "--tell", "ops", "--run-before", "backup", "--run-after", "verify")
    told = lambda: [alert["annotations"].get("summary", "") for body in sink.bodies("/ops") for alert in body["alerts"]]
    summaries = lambda: [text for text in told() if text.startswith("Upgrade")]
    eventually("the backup runs", lambda: runs(vigil)["backup"]["state"] == "running")
    assert not summaries(), "nobody is told before it is done"
    vigil.aggregator.kill()  # and what was under way is not begun again
    (tmp_path / "go").touch()
    vigil.start(settings(tmp_path, sink) + f"\n  - {{name: backup, command: [/bin/false]}}\n  - {{name: verify, command: [/bin/sh, -c, 'echo table users is missing; exit 1']}}\n")
    vigil.agent("web-1")  # after a start its host is waited for
    begun = eventually("its begin is told", summaries)[0]
    assert begun.startswith("Upgrade has begun") and "backup: unknown: the aggregator stopped while it ran" in begun
    vigil.cli("maintenance", "end", vigil.json("maintenance")[0]["id"])
    over = eventually("its end is told", lambda: len(summaries()) > 1 and summaries()[-1])
    assert over.startswith("Upgrade is over") and "Actions after: 1\n- verify: failed: exit status 1" in over
    assert runs(vigil)["verify"]["trigger"] == "maintenance" and vigil.json("actions", "show", runs(vigil)["verify"]["id"])[0]["output"] == "table users is missing\n"
