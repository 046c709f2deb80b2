"""The dashboards in packaging/grafana: they are what their sources say, and each expression in them gives data, asked as Grafana asks."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import pytest
from support import PATIENCE, ROOT, eventually

sys.path.insert(0, str(pathlib.Path(__file__).parent / "docker"))

import docker_engine  # noqa: E402
from differential.servers import Http  # noqa: E402

FOLDER = ROOT / "packaging" / "grafana"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "dashboards").glob("*.json"))}
HOSTS = ROOT / "tests" / "fixtures" / "hosts"

# What gives no data here, and why: a pattern of the expression. Each must fit some expression.
NOTHING_HERE = {
    r"container_network_": "the test's Engine gives its containers no network",
    r"container_fs_": "not every kernel counts the disk operations of a control group",
    r"increase\(container_oom_events_total\{[^}]*\}\[\$__rate_interval\]\) > 0": "it shows kills of the last minute only, and there may be none",
    r"node_vmstat_oom_kill.* > 0": "it shows kills of the last minute only, and there should be none",
    r"node_systemd_": "not every machine that runs tests has systemd",
    r"node_md_": "the recorded machines have no RAID",
}

RULES = """
groups:
  - name: for-dashboards
    interval: 1s
    rules:
      - {alert: Fires, expr: up == 1, labels: {severity: critical}}
      - {alert: Warns, expr: up == 1, labels: {severity: warning}}
      - {alert: Waits, expr: up == 1, for: 1h, labels: {severity: warning}}
"""


def panels():
    for name, dashboard in DASHBOARDS.items():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield name, panel["title"], target


def expressions():
    return sorted({(name, title, target["expr"], target["instant"]) for name, title, target in panels()})


def substituted(text, values):
    """As Grafana does it: of several values an alternative in a regular expression, of one the value itself."""
    text = text.replace("$__rate_interval", "1m").replace("$__range", "15m")
    escaped = lambda value: re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", value)
    for name, value in values.items():
        text = text.replace(f"${name}", value if isinstance(value, str) else "(" + "|".join(escaped(each) for each in value) + ")")
    assert "$" not in text, text
    return text


def test_they_are_what_their_sources_say():
    done = subprocess.run([sys.executable, FOLDER / "generate.py", "--check"], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert len(DASHBOARDS) == 5


def test_they_are_sound_dashboards():
    uids = {dashboard["uid"] for dashboard in DASHBOARDS.values()}
    assert len(uids) == len(DASHBOARDS)
    for name, dashboard in DASHBOARDS.items():
        variables = {variable["name"] for variable in dashboard["templating"]["list"]}
        assert "datasource" in variables
        taken = set()
        for panel in dashboard["panels"]:
            where = f"{name}: {panel['title']}"
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24, where
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
            assert not cells & taken, f"{where} lies on another panel"
            taken |= cells
            if panel["type"] in ("row", "text"):
                continue
            assert panel["description"] and panel["targets"] and panel["datasource"]["uid"] == "${datasource}", where
            assert panel["type"] in ("table", "state-timeline") or panel["fieldConfig"]["defaults"]["unit"], where
            for target in panel["targets"]:
                assert {used.strip("{}") for used in re.findall(r"\$(\w+)", target["expr"])} - {"__rate_interval", "__range", "__interval"} <= variables, where
            for link in re.findall(r'"/d/([\w-]+)\?', json.dumps(panel)):
                assert link in uids, f"{where} leads to {link}, which is no dashboard"


@pytest.fixture
def engine():
    """A Docker Engine of the test's own where there can be one, else None."""
    if docker_engine.why_not():
        yield None
        return
    folder = tempfile.mkdtemp(prefix="vigil-grafana-")
    started = docker_engine.Engine(folder)
    try:
        assert started.start(), started.log_tail()
        started.api("POST", f"/images/create?fromSrc=-&repo={docker_engine.IMAGE.split(':')[0]}&tag={docker_engine.IMAGE.split(':')[1]}", docker_engine.image_tar(), "application/x-tar")
        docker_engine.fill(started)
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder, ignore_errors=True)


# Collectors that are slow by default; a test need not wait for them.
FAST = "collectors:\n" + "".join(f"  {name}: {{interval: 1s}}\n" for name in (
    "filesystem processes netclass sockstat netstat conntrack filefd hwmon thermal_zone mdadm systemd cpufreq timex bonding uname os".split()))


def fleet(vigil, engine):
    """This machine, recorded ones with the hardware it lacks, one that has died, and rules that fire."""
    (vigil.folder / "rules.yml").write_text(RULES)
    vigil.start("rules: {files: [rules.yml]}\nnotifications:\n  receivers:\n    - {name: nobody, webhook: {url: 'http://127.0.0.1:9/'}}\n")
    vigil.agent("here", ["--docker-socket", engine.socket if engine else "none"], config=FAST)
    vigil.agent("metal", ["--path.sysfs", HOSTS / "hardware" / "sys", "--docker-socket", "none"], config=FAST)
    vigil.agent("bonded", ["--path.sysfs", HOSTS / "cgroup2-host" / "sys", "--path.procfs", HOSTS / "cgroup2-host" / "proc", "--docker-socket", "none"], config=FAST)
    dying = vigil.agent("gone", ["--docker-socket", "none"], config=FAST)
    vigil.wait_for_host("gone")
    dying.kill()


def answer(http, expression, instant):
    """As the panel asks: at one instant, or over the range it shows."""
    now = time.time()
    if instant:
        status, _, body = http.ask("/api/v1/query", {"query": expression, "time": f"{now:.3f}"})
    else:
        status, _, body = http.ask("/api/v1/query_range", {"query": expression, "start": f"{now - 900:.3f}", "end": f"{now:.3f}", "step": "15"})
    assert status == 200, f"{expression}: {body}"
    return body["data"]["result"]


def choices(http, dashboard):
    """What a user may choose in the variables, as Grafana finds it out: of one value each, of several all of them."""
    chosen = [{}]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] != "query":
            continue
        selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
        following = []
        for values in chosen:
            status, _, body = http.ask(f"/api/v1/label/{label}/values", {"match[]": substituted(selector, values)}, "GET")
            assert status == 200, body
            following += [{**values, variable["name"]: value} for value in ([body["data"]] if variable["multi"] else body["data"])]
        chosen = following
    return chosen


def reason_for(expression, engine):
    if engine is None and re.search(r"container_", expression):
        return "there is no Docker here"
    return next((reason for pattern, reason in NOTHING_HERE.items() if re.search(pattern, expression)), None)


def test_every_expression_gives_data_from_a_running_vigil(vigil, engine):
    fleet(vigil, engine)
    http = Http(vigil.http)
    missing = expressions()
    assert len(missing) > 150
    eventually("values for all variables", lambda: all(choices(http, dashboard) for name, dashboard in DASHBOARDS.items() if engine or name != "containers"))

    def look():
        nonlocal missing
        values = {name: choices(http, dashboard) or [{"instance": ["x"], "name": ["x"]}] for name, dashboard in DASHBOARDS.items()}
        missing = [each for each in missing if not any(answer(http, substituted(each[2], chosen), each[3]) for chosen in values[each[0]])]
        return all(reason_for(expression, engine) for _, _, expression, _ in missing)

    try:
        eventually("data for every expression", look)
    except AssertionError as error:
        unexplained = [each for each in missing if not reason_for(each[2], engine)]
        pytest.fail(f"{error}\nno data for:\n" + "\n".join(f"{name}: {title}: {expression}" for name, title, expression, _ in unexplained))
    nothing = {}
    for name, title, expression, _ in missing:
        nothing.setdefault(reason_for(expression, engine), []).append(f"{name}: {title}")
    for reason, places in nothing.items():
        print(f"no data, since {reason}: {', '.join(places)}")


def test_what_is_said_to_give_no_data_stands_in_some_dashboard():
    for pattern in NOTHING_HERE:
        assert any(re.search(pattern, expression) for _, _, expression, _ in expressions()), pattern
