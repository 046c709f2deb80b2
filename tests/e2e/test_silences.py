"""Silences: an alert fires without a message for a time; set by the command line, by amtool, by recurrence; kept over a kill."""

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request

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
"""


def start(vigil, sink, tmp_path):
    (tmp_path / "rules.yml").write_text(RULES)
    vigil.start(f"""
rules: {{preset: none, files: [{tmp_path}/rules.yml]}}
notifications:
  receivers:
    - name: program
      webhook: {{url: "{sink.url}/hook"}}
""")


def loaded_host(vigil, tmp_path, load):
    root, set_load = small_host(tmp_path)
    set_load(load)
    vigil.agent("web-1", ["--path.procfs", root / "proc"])
    vigil.wait_for_host("web-1")
    return set_load


def alert(vigil):
    return next((a for a in vigil.json("alerts") if a["name"] == "LoadHigh" and a["state"] == "firing"), None)


def silences(vigil, *flags):
    return vigil.json("silence", "list", *flags)


def told(sink):
    return [body for body in sink.bodies("/hook") if "LoadHigh" in json.dumps(body)]


def test_a_silenced_alert_fires_without_a_message_and_tells_once_the_silence_ends(vigil, sink, tmp_path):
    start(vigil, sink, tmp_path)
    made = vigil.cli("silence", "add", "LoadHigh", "instance=~web-.+", "--for", "1h", "--comment", "new disks", "--author", "ada").stdout.strip()
    set_load = loaded_host(vigil, tmp_path, 9.5)
    firing = eventually("it fires", lambda: alert(vigil))
    assert firing["silenced_by"] == [made]
    assert "(silenced)" in vigil.cli("alerts").stdout
    listed = silences(vigil)
    assert [(s["id"], s["state"], s["author"], s["comment"]) for s in listed] == [(made, "active", "ada", "new disks")]
    assert listed[0]["matchers"] == ['alertname="LoadHigh"', 'instance=~"web-.+"']

    vigil.aggregator.kill()
    start(vigil, sink, tmp_path)
    vigil.wait_for_host("web-1")
    assert [s["id"] for s in silences(vigil)] == [made]
    eventually("it fires on", lambda: alert(vigil))
    assert told(sink) == []

    assert made[:8] in vigil.cli("silence").stdout
    [ended] = vigil.json("silence", "expire", made[:8])
    assert (ended["id"], ended["kind"], ended["state"]) == (made, "silence", "expired")
    eventually("now it is told", lambda: told(sink))
    assert silences(vigil) == [] and silences(vigil, "--expired")[0]["state"] == "expired"
    again = vigil.cli("silence", "expire", made, check=False)
    assert again.returncode == 1 and "over already" in again.stderr

    # Who was told that it fires is told its end, also when it is silenced by then.
    again = vigil.json("silence", "add", "alertname=LoadHigh", "--end", "in 2h", "--comment", "again")
    assert again["matchers"] == ['alertname="LoadHigh"'] and again["state"] == "active" and again["id"]
    set_load(0.1)
    eventually("its end is told", lambda: len(told(sink)) == 2)


def test_a_silence_that_is_hardly_meant_is_set_with_a_warning(vigil, sink, tmp_path):
    start(vigil, sink, tmp_path)

    def warned(*args):
        done = vigil.cli("silence", "add", *args, "--comment", "x")
        assert len(done.stdout.split()) == 1, done.stdout
        return done.stderr

    assert "there is no alert LoadHihg; did you mean LoadHigh?" in warned("LoadHihg", "--for", "1h")
    assert "without a break it holds for ever" in warned("LoadHigh", "--repeat", "FREQ=DAILY", "--for", "30h", "--zone", "UTC")
    assert warned("LoadHigh", "--for", "1h") == ""
    assert 'nothing has severity="warning"' in warned("LoadHigh", "severity=warning", "--for", "1h")
    assert "nothing has a label severty; did you mean severity?" in warned("severty=critical", "--for", "1h")
    assert 'nothing has severity="citical"' in warned("severity=citical", "--for", "1h")
    assert warned("severity=~crit.*", "team!=db", "--for", "1h") == ""
    assert warned("LoadHigh", "--repeat", "FREQ=WEEKLY;BYDAY=TU", "--for", "30h", "--zone", "UTC") == ""


def test_what_is_wrong_with_a_silence_is_said(vigil):
    vigil.start("rules: {preset: none}")

    def refused(*args):
        done = vigil.cli("silence", "add", *args, check=False)
        assert done.returncode in (1, 2) and done.stdout == ""
        return done.stderr

    assert "at least one matcher must not" in refused("instance=~.*", "--for", "1h", "--comment", "x")
    assert "matcher a=~(" in refused("a=~(", "--for", "1h", "--comment", "x")
    assert "--comment" in refused("a=b", "--for", "1h")
    assert "for how long?" in refused("a=b", "--comment", "x")
    assert "write for example 2h" in refused("a=b", "--for", "soon", "--comment", "x")
    assert "--end" in (said := refused("a=b", "--end", "2h", "--comment", "x")) and "is past" in said
    assert "one alert" in refused("A", "B", "--for", "1h", "--comment", "x")
    assert "too large" in refused("a=~\"([é-ž][Ā-Ͽ][Ā-Ͽ]){1,900}\"", "--for", "1h", "--comment", "x")
    assert "still to come" in refused("a=b", "--repeat", "FREQ=DAILY;COUNT=3", "--start", "2000-01-01", "--for", "1h", "--comment", "x")
    assert "is past" in refused("a=b", "--start", "30m", "--for", "2h", "--comment", "x")
    assert "Europe/Berlin" in refused("a=b", "--repeat", "FREQ=DAILY", "--for", "1h", "--zone", "Europe/Berlim", "--comment", "x")
    assert "YEARLY" in refused("a=b", "--repeat", "FREQ=YEARLY", "--for", "1h", "--comment", "x")
    assert "no silence nothing" in vigil.cli("silence", "expire", "nothing", check=False).stderr
    assert silences(vigil, "--expired") == []


def test_a_silence_that_comes_again_is_active_at_its_times_only(vigil):
    vigil.start("rules: {preset: none}")
    vigil.cli("silence", "add", "a=b", "--repeat", "FREQ=DAILY", "--start", "now", "--for", "1h", "--zone", "UTC", "--comment", "backup")
    vigil.cli("silence", "add", "a=c", "--repeat", "FREQ=MONTHLY;BYDAY=TU", "--start", "2027-02-01 22:30", "--for", "1h", "--zone", "Europe/Berlin", "--comment", "patches")
    now, later = silences(vigil)
    assert now["state"] == "active" and later["state"] == "pending"
    assert (later["recurrence"], later["zone"], later["length_ms"]) == ("FREQ=MONTHLY;BYDAY=TU", "Europe/Berlin", 3_600_000)
    table = vigil.cli("silence").stdout
    assert "2027-02-02" in table and "1h from 22:30 Europe/Berlin, FREQ=MONTHLY;BYDAY=TU" in table
    # The API of Alertmanager cannot say when it comes again: a change there would silence for ever.
    there = next(s for s in json.loads(request(vigil, "GET", "/api/v2/silences")[1]) if s["id"] == now["id"])
    status, answer = request(vigil, "POST", "/api/v2/silences", json.dumps(there | {"comment": "x"}).encode())
    assert status == 400 and "comes again" in json.loads(answer)


def request(vigil, method, path, body=None, headers=None):
    asked = urllib.request.Request(f"http://{vigil.http}{path}", body, headers or {}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_the_api_of_alertmanager_refuses_in_its_own_words(vigil):
    vigil.start("rules: {preset: none}")
    post = lambda body, headers=None: request(vigil, "POST", "/api/v2/silences", json.dumps(body).encode(), {"Content-Type": "application/json"} | (headers or {}))
    moment = lambda seconds: time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + seconds))
    good = {"matchers": [{"name": "a", "value": "b", "isRegex": False, "isEqual": True}], "startsAt": moment(0), "endsAt": moment(3600), "createdBy": "me", "comment": "c"}
    status, answer = post(good)
    made = json.loads(answer)["silenceID"]
    assert status == 200 and re.fullmatch(r"[0-9a-f-]{36}", made)
    for wrong, word in (({"matchers": 1}, "array"), ({"matchers": [{}]}, "no name"), ({"endsAt": "soon"}, "endsAt"), ({"createdBy": ""}, "author"),
                        ({"matchers": [{"name": "a", "value": "(", "isRegex": True}]}, "("), ({"endsAt": moment(-60)}, "end"), ({"id": 7}, "id"),
                        ({"matchers": [{"name": "a", "value": "b", "isRegex": "true"}]}, "isRegex"), ({"matchers": [{"name": "a", "value": "b\tc"}]}, "control"),
                        ({"endsAt": "9000000000000"}, "year"), ({"endsAt": "260000000000"}, "year")):
        status, answer = post(good | wrong)
        assert status == 400 and word in json.loads(answer)
    assert request(vigil, "POST", "/api/v2/silences", b"{" * 5000)[0] == 400
    assert post(good | {"comment": "x" * 100_000})[0] == 413
    assert post(good | {"id": "00000000-0000-0000-0000-000000000000"})[0] == 404
    assert post(good, {"Origin": "http://elsewhere.example"})[0] == 403
    assert request(vigil, "DELETE", f"/api/v2/silence/{made}", None, {"Origin": "http://elsewhere.example"})[0] == 403
    assert json.loads(request(vigil, "GET", f"/api/v2/silence/{made}")[1])["status"] == {"state": "active"}
    assert request(vigil, "GET", "/api/v2/silence/none")[0] == 404
    assert request(vigil, "DELETE", f"/api/v2/silence/{made}") == (200, b"")
    assert [s["status"]["state"] for s in json.loads(request(vigil, "GET", "/api/v2/silences")[1])] == ["expired"]


@pytest.mark.skipif(not shutil.which("amtool"), reason="Debian's prometheus-alertmanager is not installed")
def test_amtool_drives_silences_and_lists_alerts(vigil, sink, tmp_path):
    start(vigil, sink, tmp_path)

    def amtool(*args):
        done = subprocess.run(["amtool", f"--alertmanager.url=http://{vigil.http}", *args], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    made = amtool("silence", "add", "alertname=LoadHigh", "instance!=db-1", "--duration=2h", "--author=ada", "--comment=from amtool").strip()
    assert "from amtool" in amtool("silence", "query") and made in amtool("silence", "query", "alertname=LoadHigh", "-q")
    assert amtool("silence", "query", "alertname=Other", "-q").strip() == ""
    assert silences(vigil)[0]["matchers"] == ['alertname="LoadHigh"', 'instance!="db-1"']
    loaded_host(vigil, tmp_path, 9.5)
    eventually("it fires", lambda: alert(vigil))
    assert amtool("alert", "query", "-o", "json", "--active").strip() in ("[]", "null")
    suppressed = json.loads(amtool("alert", "query", "-o", "json", "--silenced", "alertname=LoadHigh"))
    assert suppressed[0]["status"]["silencedBy"] == [made] and suppressed[0]["labels"]["instance"] == "web-1"
    amtool("silence", "update", made, "--duration=3h", "--comment=longer")
    updated = silences(vigil)[0]
    assert updated["comment"] == "longer" and updated["ends_ms"] > updated["starts_ms"] + 2.5 * 3_600_000
    assert told(sink) == []
    amtool("silence", "expire", updated["id"])
    eventually("now it is told", lambda: told(sink))
    assert json.loads(amtool("alert", "query", "-o", "json", "--active"))[0]["status"]["state"] == "active"
