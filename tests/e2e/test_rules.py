"""Rules as series and on trial: recorded, checked, tested and replayed, and beside Debian's promtool."""

import json
import pathlib
import re
import shutil
import subprocess
import textwrap

import pytest

from support import BIN, eventually, metric, small_host

FILES = pathlib.Path(__file__).parent / "rules"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (package prometheus)")

RECORDING = """
groups:
  - name: load
    interval: 1s
    labels: {site: berlin}
    rules:
      - record: instance:load:double
        expr: 2 * node_load1
      - record: fleet:load:max
        expr: max(instance:load:double)
      - alert: Loaded
        expr: fleet:load:max > 10
        for: 1s
        labels: {severity: critical}
"""


def vigil_rules(*args):
    return subprocess.run([BIN / "vigil", "rules", *map(str, args)], capture_output=True, text=True, timeout=60)


def start(vigil, tmp_path, rules):
    root, set_load = small_host(tmp_path)
    (tmp_path / "rules.yml").write_text(rules)
    vigil.start(f"rules: {{preset: none, files: [{tmp_path}/rules.yml]}}")
    vigil.agent("web-1", ["--path.procfs", root / "proc"])
    vigil.wait_for_host("web-1")
    return set_load


def value_of(vigil, expression, **labels):
    for series in vigil.query(expression):
        if all(series["metric"].get(name) == value for name, value in labels.items()):
            return series["value"]
    return None


def test_recorded_series_are_stored_and_end_and_alerts_are_series(vigil, tmp_path):
    set_load = start(vigil, tmp_path, RECORDING)
    set_load(8)
    eventually("the sum is recorded", lambda: value_of(vigil, "fleet:load:max") == 16)
    found = next(s for s in vigil.query("instance:load:double") if s["metric"]["instance"] == "web-1")
    assert found["metric"] == {"__name__": "instance:load:double", "instance": "web-1", "job": "node", "site": "berlin"}
    assert next(iter(vigil.query("fleet:load:max")))["metric"] == {"__name__": "fleet:load:max", "site": "berlin"}
    eventually("the alert is a series", lambda: value_of(vigil, "ALERTS", alertstate="firing", alertname="Loaded", severity="critical") == 1)
    assert value_of(vigil, "ALERTS", alertstate="pending") is None
    assert value_of(vigil, "ALERTS_FOR_STATE", alertname="Loaded") > 1.6e9
    assert metric(vigil, "vigil_aggregator_recorded_samples_total") > 0
    assert metric(vigil, "vigil_aggregator_recorded_refused_total") == 0

    set_load(1)
    eventually("its series ends with it", lambda: vigil.query("ALERTS") == [] and vigil.query("ALERTS_FOR_STATE") == [])
    # A rule that is no more takes its series with it, and a restart keeps what was recorded.
    (tmp_path / "rules.yml").write_text(RECORDING.split("      - record: fleet")[0])
    vigil.aggregator.child.send_signal(1)
    eventually("the removed rule's series ends", lambda: vigil.query("fleet:load:max") == [])
    vigil.aggregator.kill()
    vigil.start(f"rules: {{preset: none, files: [{tmp_path}/rules.yml]}}")
    assert max(float(v) for s in vigil.query("max_over_time(fleet:load:max[10m])") for v in [s["value"]]) == 16


def test_a_replay_says_what_would_have_fired_and_what_changes(vigil, tmp_path):
    set_load = start(vigil, tmp_path, """
groups:
  - name: load
    interval: 1s
    rules:
      - alert: Loaded
        expr: node_load1 > 20
""")
    eventually("the host has a load", lambda: value_of(vigil, "node_load1") == 0.5)
    set_load(9)
    eventually("it is high", lambda: value_of(vigil, "min_over_time(node_load1[3s])") == 9)
    set_load(1)
    eventually("it is low", lambda: value_of(vigil, "max_over_time(node_load1[2s])") == 1)
    (tmp_path / "new.yml").write_text("""
groups:
  - name: load
    interval: 1s
    rules:
      - record: load:double
        expr: node_load1 * 2
      - alert: Loaded
        expr: load:double > 10
        for: 1s
      - alert: Never
        expr: node_load1 > 1000
      - alert: Seen
        expr: sum by (job) (label_replace(node_load1, "job", "other", "instance", ".*") or node_load1) > 0
""")
    done = vigil.cli("rules", "replay", str(tmp_path / "new.yml"), "--since", "5m", "-o", "json")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    loaded = rows["Loaded"]
    assert (loaded["fired"], loaded["fired_today"]) == (1, 0)
    assert loaded["firing_ms"] >= 1000 and loaded["new"] == ["web-1"] and loaded["no_longer"] == []
    assert rows["Never"]["fired"] == 0
    assert rows["load:double"]["kind"] == "recording" and rows["load:double"]["recorded_samples"] > 0
    table = vigil.cli("rules", "replay", str(tmp_path / "new.yml"), "--since", "5m")
    assert re.search(r"Loaded.* 1 .*web-1 1x", table.stdout), table.stdout
    assert "evaluated every 1s" in table.stderr
    each = json.loads(vigil.cli("rules", "replay", "--each", str(tmp_path / "new.yml"), "--since", "5m", "-o", "json").stdout)
    assert [(row["name"], row["where"]) for row in each if row["name"] == "Loaded"] == [("Loaded", "web-1")]
    assert {(row["where"], row["labels"]["job"], row["still_firing"]) for row in each if row["name"] == "Seen"} == {
        ("job=node", "node", True), ("job=other", "other", True)}
    assert vigil.query("load:double") == []  # nothing of it is stored
    (tmp_path / "bad.yml").write_text("groups: [{name: g, rules: [{alert: A, expr: up >}]}]")
    bad = vigil.cli("rules", "replay", str(tmp_path / "bad.yml"), check=False)
    assert bad.returncode == 1 and "bad.yml:1:45" in bad.stderr


def test_rule_files_are_checked_without_an_aggregator(tmp_path):
    good, bad = tmp_path / "good.yml", tmp_path / "bad.yml"
    good.write_text(RECORDING)
    bad.write_text("groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: up ==\n")
    done = vigil_rules("check", good, bad)
    assert done.returncode == 1
    assert f"{good}: 1 alerting rule, 2 recording rules" in done.stdout
    assert f"{bad}:5:15: groups[0].rules[0].expr: 1:6: parse error" in done.stderr
    assert vigil_rules("check", good).returncode == 0
    assert vigil_rules("check", tmp_path / "none.yml").returncode == 1
    assert vigil_rules("check").returncode == 2


def test_check_and_test_speak_json(tmp_path):
    good, bad, test = tmp_path / "good.yml", tmp_path / "bad.yml", tmp_path / "test.yml"
    good.write_text(RECORDING)
    bad.write_text("groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: up ==\n        fro: 1m\n")
    test.write_text("rule_files: [good.yml]\ntests:\n  - input_series: [{series: node_load1, values: '1 1'}]\n    promql_expr_test:\n"
                    "      - {expr: 'fleet:load:max', eval_time: 1m, exp_samples: [{labels: 'fleet:load:max{site=\"berlin\"}', value: 3}]}\n")
    done = vigil_rules("check", good, bad, "-o", "json")
    assert (done.returncode, done.stderr) == (1, "")
    first, second = json.loads(done.stdout)
    assert first == {"file": str(good), "ok": True, "alerting_rules": 1, "recording_rules": 2, "errors": [], "warnings": []}
    assert second["ok"] is False
    assert [(e["file"], e["line"], e["column"]) for e in second["errors"]] == [(str(bad), 5, 15), (str(bad), 6, 9)]
    assert "did you mean for?" in second["errors"][1]["message"]
    done = vigil_rules("test", test, "-o", "json")
    assert (done.returncode, done.stderr) == (1, "")
    (tested,) = json.loads(done.stdout)
    assert [tested[key] for key in ("ok", "tests", "checks", "passed", "failed", "errors")] == [False, 1, 1, 0, 1, []]
    assert tested["failures"][0]["line"] == 5 and "fleet:load:max at 1m" in tested["failures"][0]["message"]
    assert vigil_rules("check", good, "-o", "json").returncode == 0
    refused = vigil_rules("check", good, "-o", "csv")
    assert refused.returncode == 2 and "-o json" in refused.stderr


def test_rule_files_by_pattern_are_found_again_at_a_reload(vigil, tmp_path):
    rule = "groups: [{{name: {0}, rules: [{{alert: {0}, expr: up}}]}}]"
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "one.yml").write_text(rule.format("One"))
    (folder / "notes.txt").write_text("none of them")
    vigil.start(f"rules: {{preset: none, files: [{tmp_path}/r*/*.yml, {tmp_path}/none/*.yml]}}")

    def names():
        return sorted(row["name"] for row in json.loads(vigil.cli("rules", "-o", "json").stdout))

    assert names() == ["One"]
    assert f"no file fits {tmp_path}/none/*.yml" in vigil.aggregator.text()
    (folder / "two.yml").write_text(rule.format("Two"))
    vigil.aggregator.child.send_signal(1)
    eventually("the new file is read", lambda: names() == ["One", "Two"])
    (folder / "one.yml").unlink()
    vigil.aggregator.child.send_signal(1)
    eventually("the old one is gone", lambda: names() == ["Two"])


# Files as people have them, and what is wrong in one place each: (name, text).
GROUP = "groups:\n  - name: g\n    rules:\n"
BAD = {
    "an expression that does not parse": GROUP + "      - {alert: A, expr: 'up >'}\n",
    "a rule of two kinds": GROUP + "      - {alert: A, record: b, expr: up}\n",
    "a rule of no kind": GROUP + "      - {expr: up}\n",
    "no expression": GROUP + "      - {alert: A}\n",
    "an unknown key in a rule": GROUP + "      - {alert: A, expr: up, fro: 5m}\n",
    "an unknown key in a group": "groups:\n  - {name: g, rule: []}\n",
    "an unknown key at the top": "group: []\n",
    "a group twice": "groups:\n  - {name: g, rules: []}\n  - {name: g, rules: []}\n",
    "a group without a name": "groups:\n  - {rules: [{alert: A, expr: up}]}\n",
    "a recorded name that is none": GROUP + "      - {record: '', expr: up}\n",
    "a label that is none": GROUP + "      - {alert: A, expr: up, labels: {'': x}}\n",
    "the label __name__": GROUP + "      - {alert: A, expr: up, labels: {__name__: x}}\n",
    "an annotation that is none": GROUP + "      - {alert: A, expr: up, annotations: {'': x}}\n",
    "for in a recording rule": GROUP + "      - {record: a, expr: up, for: 5m}\n",
    "keep_firing_for in a recording rule": GROUP + "      - {record: a, expr: up, keep_firing_for: 5m}\n",
    "annotations in a recording rule": GROUP + "      - {record: a, expr: up, annotations: {a: b}}\n",
    "a time without a unit": GROUP + "      - {alert: A, expr: up, for: 5}\n",
    "a time in words": GROUP + "      - {alert: A, expr: up, for: 5 minutes}\n",
    "a template that is not closed": GROUP + "      - {alert: A, expr: up, annotations: {a: '{{ $value'}}\n",
    "a template's unknown function": GROUP + "      - {alert: A, expr: up, annotations: {a: '{{ nonsense $value }}'}}\n",
    "a template's unknown variable": GROUP + "      - {alert: A, expr: up, labels: {a: '{{ $nonsense }}'}}\n",
    "a template's open if": GROUP + "      - {alert: A, expr: up, annotations: {a: '{{ if true }}x'}}\n",
    "no YAML": "groups: [\n",
    "a key twice": GROUP + "      - alert: A\n        expr: up\n        expr: down\n",
    "a list for a text": GROUP + "      - {alert: A, expr: [up]}\n",
    "a wrong matcher": GROUP + "      - {alert: A, expr: 'up{job=~\"(\"}'}\n",
    "an aggregation of nothing": GROUP + "      - {record: a, expr: 'sum by (x)'}\n",
    "a range of a vector": GROUP + "      - {record: a, expr: 'rate(up)'}\n",
    "text for a limit": "groups:\n  - {name: g, limit: many, rules: []}\n",
}
GOOD = {
    "nothing": "",
    "no groups": "groups: []\n",
    "a group without rules": "groups:\n  - {name: g}\n",
    "an interval of 0": "groups:\n  - {name: g, interval: 0s, limit: 0, rules: []}\n",
    "a number for an expression": GROUP + "      - {record: a, expr: 1}\n",
    "a for of 0": GROUP + "      - {record: a, expr: up, for: 0s}\n",
    "numbers for labels": GROUP + "      - {alert: A, expr: up, labels: {level: 5, page: true}}\n",
    "recording rules of one name": GROUP + "      - {record: a, expr: up, labels: {q: x}}\n      - {record: a, expr: up, labels: {q: y}}\n",
    "two of the same": GROUP + "      - {record: a, expr: up}\n      - {record: a, expr: up}\n",
    "long texts": GROUP + "      - alert: A\n        expr: |\n          up\n            == 0\n        annotations:\n          a: >-\n            x\n            y\n",
    "an anchor": "groups:\n  - name: g\n    rules:\n      - &a {alert: A, expr: up}\n      - *a\n",
    "a template that asks": GROUP + "      - alert: A\n        expr: up\n        annotations:\n          a: '{{ range query \"up\" }}{{ .Labels.instance }}{{ end }}{{ with $x := $value }}{{ $x | humanize }}{{ end }}'\n",
    "a template in a recording rule's label": GROUP + "      - {record: a, expr: up, labels: {a: '{{ nonsense'}}\n",
    "comments": GROUP + "      # of the fleet\n      - {alert: A, expr: up}  # here\n",
}
# Files that promtool takes and vigil does not, as docs/rules.md lists them.
STRICTER = {
    "a limit below 0": "groups:\n  - {name: g, limit: -1, rules: []}\n",
    "a label without a value": GROUP + "      - {alert: A, expr: up, labels: {a: }}\n",
    "an annotation without a value": GROUP + "      - {alert: A, expr: up, annotations: {a: }}\n",
    "an interval without a value": "groups:\n  - {name: g, interval: , rules: []}\n",
    "a second document": GROUP + "      - {alert: A, expr: up}\n---\ngroups: []\n",
    "a function of native histograms": GROUP + "      - {record: a, expr: histogram_count(x)}\n",
    "holt_winters": GROUP + "      - {record: a, expr: 'holt_winters(x[5m], 0.5, 0.5)'}\n",
    "a range for a vector": GROUP + "      - {record: a, expr: 'x[5m]'}\n",
    "a text for a vector": GROUP + "      - {record: a, expr: '\"x\"'}\n",
    "a template that always fails": GROUP + "      - {alert: A, expr: up, annotations: {a: '{{ .Nonsense }}'}}\n",
    "an expression nested too deep": GROUP + "      - {alert: A, expr: '" + 250 * "(" + "up" + 250 * ")" + "'}\n",
    "a file over 1 MiB": GROUP + "      - {alert: A, expr: up}\n" + "# so it goes\n" * 90_000,
}


def promtool(*args):
    return subprocess.run([PROMTOOL, *map(str, args)], capture_output=True, text=True, timeout=60)


@needs_promtool
@pytest.mark.parametrize("name", [*BAD, *GOOD])
def test_check_agrees_with_promtool(tmp_path, name):
    path = tmp_path / "rules.yml"
    path.write_text({**BAD, **GOOD}[name])
    ours, theirs = vigil_rules("check", path), promtool("check", "rules", path)
    assert ours.returncode == theirs.returncode == (1 if name in BAD else 0), (ours.stderr, theirs.stdout + theirs.stderr)
    if name in BAD:
        assert re.match(rf"{path}:\d+:\d+: ", ours.stderr), ours.stderr


@needs_promtool
@pytest.mark.parametrize("name", STRICTER)
def test_check_says_no_where_only_it_does(tmp_path, name):
    path = tmp_path / "rules.yml"
    path.write_text(STRICTER[name])
    ours, theirs = vigil_rules("check", path), promtool("check", "rules", path)
    assert (ours.returncode, theirs.returncode) == (1, 0), (ours.stderr, theirs.stdout + theirs.stderr)
    assert re.match(rf"{path}:(\d+:\d+: | larger than 1 MiB)", ours.stderr), ours.stderr


@needs_promtool
@pytest.mark.parametrize("path", sorted(FILES.glob("*rules.yml")), ids=lambda path: path.name)
def test_rules_as_people_publish_them_load_here_and_there(path):
    ours, theirs = vigil_rules("check", path), promtool("check", "rules", path)
    assert theirs.returncode == 0, theirs.stdout + theirs.stderr
    assert ours.returncode == 0, ours.stderr
    count = int(re.search(r"SUCCESS: (\d+) rules found", theirs.stdout).group(1))
    assert sum(int(n) for n in re.findall(r"(\d+) (?:alerting|recording) rules?", ours.stdout)) == count


def cases_of(path):
    """Each document of a file of cases: its name, rules, test, and whether it passes."""
    for part in path.read_text().split("\n=== ")[1:]:
        title, text = part.split("\n", 1)
        verdict, name = title.split(": ", 1)
        rules, test = text.split("\n---\n", 1)
        yield pytest.param(verdict == "passes", rules, test, id=name)


@needs_promtool
@pytest.mark.parametrize("passes,rules,test", cases_of(FILES / "unit_tests.txt"))
def test_unit_tests_have_the_verdict_of_promtool(tmp_path, passes, rules, test):
    (tmp_path / "rules.yml").write_text(rules)
    path = tmp_path / "test.yml"
    path.write_text("rule_files: [rules.yml]\n" + textwrap.dedent(test))
    ours, theirs = vigil_rules("test", path), promtool("test", "rules", path)
    assert theirs.returncode == (0 if passes else 1), theirs.stdout + theirs.stderr
    assert ours.returncode == (0 if passes else 1), ours.stdout + ours.stderr


@needs_promtool
@pytest.mark.parametrize("name", ["node-tests.yml", "hosts-tests.yml"])
def test_the_published_rules_pass_their_tests_here_and_there(name):
    path = FILES / name
    ours, theirs = vigil_rules("test", path), promtool("test", "rules", path)
    assert theirs.returncode == 0, theirs.stdout + theirs.stderr
    assert ours.returncode == 0, ours.stdout + ours.stderr


def firing(vigil, name):
    return [alert for alert in vigil.json("alerts") if alert["name"] == name and alert["state"] == "firing"]


def test_a_series_that_came_steadily_and_stops_is_an_alert_until_it_comes_again(vigil, tmp_path):
    root, _ = small_host(tmp_path)
    devices = root / "proc" / "1" / "net" / "dev"
    whole = devices.read_text()
    vigil.start("""rules:
  preset: none
  steady_series:
    - {series: 'node_network_receive_bytes_total{device="eth0"}', hosts: ['web-*'], steady: 1s, for: 1s}
""")
    vigil.agent("web-1", ["--path.procfs", root / "proc"])
    vigil.wait_for_host("web-1")
    assert [(rule["name"], rule["severity"]) for rule in vigil.json("rules")] == [("SeriesStale", "warning")]
    # Rules of it look each 15 seconds: two looks are more than `steady`.
    eventually("it came for long", lambda: value_of(vigil, 'count_over_time(node_network_receive_bytes_total{device="eth0"}[5m])') >= 35)
    assert firing(vigil, "SeriesStale") == []

    def write(text):
        with open(devices, "r+") as file:  # the agent keeps it open
            file.truncate(0)
            file.write(text)

    write("".join(line for line in whole.splitlines(True) if "eth0" not in line))
    alert = eventually("it is missed", lambda: firing(vigil, "SeriesStale"), patience=90)[0]
    assert alert["annotations"]["summary"] == 'node_network_receive_bytes_total{device="eth0"} of web-1 has stopped (no data)'
    assert alert["labels"]["device"] == "eth0"
    write(whole)
    eventually("it is back", lambda: firing(vigil, "SeriesStale") == [], patience=90)


def test_what_waits_for_clear_has_the_value_of_now_and_its_end_that_of_then(vigil, sink, tmp_path):
    root, set_load = small_host(tmp_path)
    (tmp_path / "rules.yml").write_text("""
groups:
  - name: load
    interval: 1s
    rules:
      - {alert: Loaded, expr: node_load1 > 10, clear: 5, annotations: {summary: 'Load is {{ $value }}'}}
""")
    vigil.start(f"""rules: {{preset: none, files: [{tmp_path}/rules.yml]}}
notifications: {{receivers: [{{name: program, webhook: {{url: "{sink.url}/hook"}}}}]}}
""")
    vigil.agent("web-1", ["--path.procfs", root / "proc"])
    vigil.wait_for_host("web-1")
    set_load(20)
    eventually("it fires", lambda: firing(vigil, "Loaded"))
    set_load(7)
    alert = eventually("it waits", lambda: [a for a in firing(vigil, "Loaded") if a["value"] == 7])[0]
    assert alert["annotations"]["summary"] == "Load is 7 (not true any more, waits for clear)"
    set_load(2)
    eventually("it is over", lambda: [b for b in sink.bodies("/hook") if "resolved" in json.dumps(b)])
    resolved = [b for b in sink.bodies("/hook") if "resolved" in json.dumps(b)][0]
    assert "Load is 2" in json.dumps(resolved) and "waits for clear" not in json.dumps(resolved)
