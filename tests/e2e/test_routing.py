"""alertmanager.yml in force: routes, groups, inhibition and every kind of receiver, with the messages parsed back; over kill -9, too."""

import html
import json
import socket
import subprocess
import time
import urllib.parse
import urllib.request

from support import MailSink, durable, eventually, small_host

RULES = """
groups:
  - name: test
    interval: 1s
    rules:
      - alert: LoadHigh
        expr: node_load1 > 5
        labels: {severity: critical, team: web}
        annotations: {summary: 'Load of {{ $labels.instance }} is <b>{{ $value }}</b>'}
      - alert: LoadElevated
        expr: node_load1 > 2
        labels: {severity: notice, team: web}
"""


def settings(folder, routing):
    (folder / "rules.yml").write_text(RULES)
    (folder / "alertmanager.yml").write_text(routing)
    return f"rules: {{preset: none, files: [{folder}/rules.yml]}}\nnotifications: {{alertmanager_file: alertmanager.yml}}\n"


def route(receivers, more=""):
    return f"""
route:
  receiver: all
  group_by: [team]
  group_wait: 1s
  group_interval: 2s
{more}
receivers:
{receivers}
"""


def test_groups_are_told_of_and_of_their_end_by_every_kind_of_receiver(vigil, sink, mail, tmp_path):
    password = tmp_path / "password"
    password.write_text(MailSink.PASSWORD)
    password.chmod(0o600)
    key = tmp_path / "key"
    key.write_text("0123456789")
    key.chmod(0o600)
    vigil.start(settings(tmp_path, route(f"""
  - name: all
    webhook_configs:
      - url: {sink.url}/hook
        http_config: {{authorization: {{credentials: secret}}}}
    slack_configs:
      - {{api_url: {sink.url}/slack, channel: '#ops', send_resolved: true}}
      - {{api_url: {sink.url}/own, title: '{{{{ .Status | toUpper }}}} {{{{ len .Alerts.Firing }}}}', text: '{{{{ range .Alerts }}}}{{{{ .Labels.instance }}}}{{{{ end }}}}'}}
    pagerduty_configs: [{{routing_key_file: {key}, url: {sink.url}/pagerduty}}]
    discord_configs: [{{webhook_url: {sink.url}/discord}}]
    telegram_configs: [{{api_url: {sink.url}, bot_token: token, chat_id: 7}}]
    msteams_configs: [{{webhook_url: {sink.url}/teams}}]
    msteamsv2_configs: [{{webhook_url: {sink.url}/teams2}}]
    email_configs:
      - to: oncall@example.org
        from: vigil@example.org
        smarthost: localhost:{mail.port}
        auth_username: {MailSink.USER}
        auth_password_file: {password}
        tls_config: {{ca_file: {mail.certificate}}}
        send_resolved: true
""")))
    root, set_load = small_host(tmp_path)
    vigil.agent("web-1", ["--path.procfs", root / "proc"])
    vigil.wait_for_host("web-1")
    set_load(9.75)
    hook = eventually("the webhook hears of both alerts", lambda: [b for b in sink.bodies("/hook") if len(b["alerts"]) == 2])[0]
    assert hook["version"] == "4" and hook["status"] == "firing" and hook["receiver"] == "all"
    assert hook["groupLabels"] == {"team": "web"} and hook["groupKey"] == '{}:{team="web"}'
    assert hook["commonLabels"] == {"team": "web", "instance": "web-1"} | {k: v for k, v in hook["commonLabels"].items() if k not in ("team", "instance")}
    assert {alert["labels"]["alertname"] for alert in hook["alerts"]} == {"LoadHigh", "LoadElevated"}
    assert all(alert["status"] == "firing" and alert["endsAt"] == "0001-01-01T00:00:00Z" and len(alert["fingerprint"]) == 16 for alert in hook["alerts"])
    request = next(r for r in sink.requests if r["path"] == "/hook")
    assert request["headers"]["Authorization"] == "Bearer secret" and request["headers"]["Idempotency-Key"]

    heard = lambda path, count=1: eventually(f"{path} hears {count} times", lambda: len(sink.bodies(path)) >= count and sink.bodies(path))
    assert "web-1" in json.dumps(heard("/slack")) and heard("/slack")[0]["channel"] == "#ops"
    own = heard("/own")[-1]["attachments"][0]
    assert own["title"].startswith("FIRING ") and "web-1" in own["text"]
    event = heard("/pagerduty")[0]
    assert event["routing_key"] == "0123456789" and event["event_action"] == "trigger" and event["dedup_key"]
    assert event["payload"]["severity"] in ("critical", "error", "warning", "info") and event["payload"]["summary"]
    assert heard("/discord")[0]["embeds"][0]["title"]
    assert heard("/bottoken/sendMessage")[0]["chat_id"] in (7, "7")
    assert heard("/teams")[0] and heard("/teams2")[0]["attachments"]
    mails = lambda: [m["message"] for m in mail.messages]
    first = eventually("mail", mails)[0]
    parts = {part.get_content_type(): part.get_payload(decode=True).decode() for part in first.walk() if not part.is_multipart()}
    assert set(parts) == {"text/plain", "text/html"} and "<b>9.75" in parts["text/plain"] + html.unescape(parts["text/html"])
    assert "<b>9.75" not in parts["text/html"], "outside text is escaped"
    assert "alertmanager.yml" not in vigil.cli("status").stdout

    set_load(0.5)
    eventually("the end is told", lambda: [b for b in sink.bodies("/hook") if b["status"] == "resolved"])
    eventually("PagerDuty, too", lambda: [b for b in sink.bodies("/pagerduty") if b["event_action"] == "resolve"])
    assert {b["dedup_key"] for b in sink.bodies("/pagerduty")} == {event["dedup_key"]}
    eventually("Slack, too", lambda: len(sink.bodies("/slack")) >= 2)
    last = eventually("and mail", lambda: mails()[1:])[-1]
    assert first["References"] == last["References"] and first["Message-ID"] != last["Message-ID"], "one thread"
    assert not [b for b in sink.bodies("/own") if b["attachments"][0]["title"].startswith("RESOLVED")], "Slack is told of no end unless asked to"


def test_kill_9_between_any_two_steps_repeats_and_forgets_nothing(vigil, sink, tmp_path):
    config = settings(tmp_path, route(f"  - {{name: all, webhook_configs: [{{url: '{sink.url}/hook'}}]}}"))
    root, set_load = small_host(tmp_path)
    vigil.start(config)
    vigil.agent("web-1", ["--path.procfs", root / "proc"])
    vigil.wait_for_host("web-1")
    set_load(3)
    eventually("one fires", lambda: sink.bodies("/hook"))
    names = lambda body, status: sorted(a["labels"]["alertname"] for a in body["alerts"] if a["status"] == status)
    for load, firing, over in ((9, ["LoadElevated", "LoadHigh"], []), (3, ["LoadElevated"], ["LoadHigh"]), (0.5, [], ["LoadElevated"])):
        durable(vigil)
        vigil.aggregator.kill()
        vigil.start(config)
        vigil.wait_for_host("web-1")
        set_load(load)
        eventually(f"{firing} fire, {over} are over", lambda: [b for b in sink.bodies("/hook") if names(b, "firing") == firing and names(b, "resolved") == over])
    said = [(names(b, "firing"), names(b, "resolved")) for b in sink.bodies("/hook")]
    keys = {r["headers"]["Idempotency-Key"] for r in sink.requests}
    assert len(said) <= 4 + 3, f"a crash repeats one message at most: {said}"
    assert len(keys) == 4, said


def test_routes_inhibition_and_calendars(vigil, sink, tmp_path):
    vigil.start(settings(tmp_path, route(f"""
  - {{name: all, webhook_configs: [{{url: '{sink.url}/all'}}]}}
  - {{name: web, webhook_configs: [{{url: '{sink.url}/web'}}]}}
  - {{name: never, webhook_configs: [{{url: '{sink.url}/never'}}]}}
inhibit_rules:
  - {{source_matchers: ['severity="critical"'], target_matchers: ['severity="notice"'], equal: [instance]}}
time_intervals:
  - {{name: always, time_intervals: [{{times: [{{start_time: '00:00', end_time: '24:00'}}]}}]}}
""", """  routes:
    - {matchers: ['alertname="LoadHigh"'], receiver: web, continue: true}
    - {matchers: ['alertname="LoadHigh"'], receiver: never, mute_time_intervals: [always]}
""")))
    root, set_load = small_host(tmp_path)
    vigil.agent("web-1", ["--path.procfs", root / "proc"])
    vigil.wait_for_host("web-1")
    set_load(9.75)
    eventually("its route's receiver hears of it", lambda: sink.bodies("/web"))
    why = vigil.json("alerts", "explain", "LoadElevated", "web-1")["events"]
    assert [(e["by"], e["text"]) for e in why if e["kind"] == "inhibited"] == [("LoadHigh", "inhibition rule inhibit_rules[0]")]
    why = vigil.json("alerts", "explain", "LoadHigh")["events"]
    assert [e["by"] for e in why if e["kind"] == "told"] == ["web/webhook[0]"] and "node_load1 > 5" in json.dumps(why)
    assert any(e["by"] == "never/webhook[0]" and "muted by always for more than a year" in e["text"] and not int(e.get("at_ms") or 0) for e in why if e["kind"] == "will_be_told")
    routes = vigil.json("routes")
    assert [(r["depth"], r["receiver"], r["continue"], r["muting"]) for r in routes] == [(0, "all", False, "none"), (1, "web", True, "none"), (1, "never", False, "muted")]
    assert routes[2]["muted_by"] == "always" and routes[2]["muted_until_ms"] is None and routes[2]["matchers"] == ['alertname="LoadHigh"']
    assert "muted by always for more than a year" in vigil.cli("routes").stdout
    assert vigil.cli("ack", "LoadHigh", "web-1", "--comment", "on it", "--author", "ada").stdout == "ada looks after LoadHigh on web-1 (critical).\n"
    [alert] = [a for a in vigil.json("alerts") if a["name"] == "LoadHigh"]
    assert alert["acked_by"] == "ada" and alert["ack_comment"] == "on it"
    assert ("ada", "on it") in [(e["by"], e["text"]) for e in vigil.json("alerts", "explain", "LoadHigh")["events"] if e["kind"] == "acknowledged"]
    [withdrawn] = vigil.json("ack", "LoadHigh", "--withdraw")
    assert vigil.cli("ack", "LoadHigh", "--withdraw").stdout == "Nobody looked after LoadHigh on web-1 (critical).\n"
    assert withdrawn["id"] == alert["id"] and withdrawn["acked_by"] == "" and withdrawn["standing"] == "firing"
    [listed] = [a for a in json.loads(urllib.request.urlopen(f"http://{vigil.http}/api/v2/alerts", timeout=30).read()) if a["labels"]["alertname"] == "LoadElevated"]
    assert listed["receivers"] == [{"name": "all"}] and listed["status"]["inhibitedBy"] == [alert["id"]]
    groups = json.loads(urllib.request.urlopen(f"http://{vigil.http}/api/v2/alerts/groups?filter=alertname=LoadElevated", timeout=30).read())
    [group] = [g for g in groups if g["receiver"] == {"name": "all"}]
    assert [a["fingerprint"] for a in group["alerts"]] == [listed["fingerprint"]] and set(group["labels"].items()) <= set(listed["labels"].items())
    shown = vigil.cli("alerts", "explain", "LoadHigh").stdout
    assert "firing: LoadHigh on web-1 (critical)" in shown and "to be told again" in shown
    wrong = vigil.cli("alerts", "explain", "Load", check=False)
    assert wrong.returncode == 1 and "no alert Load" in wrong.stderr and "no alerting rule" in wrong.stderr, wrong.stderr
    set_load(3)
    eventually("what was inhibited is told of", lambda: sink.bodies("/all"))
    assert sink.bodies("/all")[0]["alerts"][0]["labels"]["alertname"] == "LoadElevated"
    eventually("the end", lambda: [b for b in sink.bodies("/web") if b["status"] == "resolved"])
    assert sink.bodies("/never") == []
    # Who was told stays known, by the id for as long as the history goes back.
    ended = lambda: [(e["kind"], e["by"]) for e in vigil.json("alerts", "explain", alert["id"])["events"] if e["kind"].startswith("told")]
    eventually("told and told over", lambda: [e for e in ended() if e[0] != "told_again"] == [("told", "web/webhook[0]"), ("told_over", "web/webhook[0]")])


def test_what_is_wrong_with_the_file_is_named_and_what_has_no_effect_is_warned_of(vigil, tmp_path):
    (tmp_path / "aggregator.yml").write_text(settings(tmp_path, route("  - {name: all, webhook_configs: [{url: 'ftp://x'}], opsgenie_configs: []}", "  routes: [{receiver: al}]")))
    from support import BIN
    import subprocess

    check = lambda: subprocess.run([BIN / "vigil-aggregator", "--config", tmp_path / "aggregator.yml", "--data-dir", vigil.data, "--check"], capture_output=True, text=True, timeout=60)
    wrong = check()
    assert wrong.returncode == 2 or wrong.returncode == 1
    assert "there is no receiver al; did you mean all?" in wrong.stderr, wrong.stderr
    (tmp_path / "alertmanager.yml").write_text(route("  - {name: all, webhook_configs: [{url: 'ftp://x'}]}"))
    assert "alertmanager.yml:" in check().stderr and "https://" in check().stderr, check().stderr
    (tmp_path / "alertmanager.yml").write_text(route("  - {name: all, webhook_configs: [{url: 'http://localhost'}], opsgenie_configs: []}"))
    fine = check()
    assert fine.returncode == 0 and "opsgenie_configs: is not sent" in fine.stdout + fine.stderr
    (tmp_path / "alertmanager.yml").write_text(route("  - {name: all, ntfy_configs: [{topic: a, prioritaet: 1}], sms_configs: [{to: [1], url: 'http://a', max_length: 1}], command_configs: [{command: [sh]}], critical_only: 7}"))
    wrong = check().stderr
    for part in ("ntfy_configs[0].prioritaet: unknown key", "sms_configs[0].max_length: must be from 20", "command_configs[0].command: must be a list of the program's absolute path", "critical_only: "):
        assert "alertmanager.yml:9:" in wrong and part in wrong, wrong
    (tmp_path / "alertmanager.yml").unlink()
    assert "notifications.alertmanager_file" in check().stderr


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_channels_that_alertmanager_does_not_have(vigil, sink, tmp_path):
    token = tmp_path / "token"
    token.write_text("tk_secret")
    token.chmod(0o600)
    program = tmp_path / "page"
    program.write_text(f"""#!/bin/sh
cat >> {tmp_path}/told; echo >> {tmp_path}/told
echo "$1|$VIGIL_STATUS|$VIGIL_RECEIVER|$VIGIL_GROUP_KEY|$VIGIL_IDEMPOTENCY_KEY|$(pwd)|$HOME" >> {tmp_path}/environment
""")
    program.chmod(0o755)
    refuses = tmp_path / "refuse"
    refuses.write_text("#!/bin/sh\necho 'no such pager' >&2\nexit 2\n")
    refuses.chmod(0o755)
    vigil.start(settings(tmp_path, route(f"""
  - name: all
    ntfy_configs: [{{url: {sink.url}/ntfy, topic: ops, token_file: {token}}}]
    sms_configs:
      - url: {sink.url}/sms
        to: ['+491', '+492']
        from: vigil
        http_config: {{basic_auth: {{username: ops, password_file: {token}}}}}
        fields: {{to: '{{{{ .To }}}}', message: '{{{{ .Text }}}}', team: '{{{{ .CommonLabels.team }}}}&to=evil'}}
    command_configs: [{{command: [{program}, '{{{{ .Status }}}}']}}]
    alertmanager_configs: [{{url: {sink.url}/am}}]
  - {{name: pager, sms_configs: [{{url: {sink.url}/critical, to: ['+493'], content_type: application/json, text: '{{{{ len .Alerts }}}} {{{{ .CommonLabels.alertname }}}}'}}]}}
  - {{name: broken, command_configs: [{{command: [{refuses}]}}]}}
""", """  routes:
    - {receiver: pager, continue: true}
    - {receiver: broken, continue: true}
    - {receiver: all}
""")))
    root, set_load = small_host(tmp_path)
    vigil.agent("web-1", ["--path.procfs", root / "proc"])
    vigil.wait_for_host("web-1")
    set_load(3)
    [told] = eventually("ntfy hears of the warning", lambda: sink.bodies("/ntfy"))[:1]
    assert told["topic"] == "ops" and told["priority"] == 4 and told["tags"] == ["warning"] and "LoadElevated" in told["title"]
    set_load(9.75)
    eventually("and of the critical one", lambda: [b for b in sink.bodies("/ntfy") if b["priority"] == 5])
    request = next(r for r in sink.requests if r["path"] == "/ntfy")
    assert request["headers"]["Authorization"] == "Bearer tk_secret" and request["headers"]["Idempotency-Key"]
    forms = lambda: [urllib.parse.parse_qs(r["body"].decode(), strict_parsing=True) for r in list(sink.requests) if r["path"] == "/sms"]
    eventually("each number has its text", lambda: {f["to"][0] for f in forms()} == {"+491", "+492"})
    assert all(f["team"] == ["web&to=evil"] and "LoadElevated" in f["message"][0] for f in forms()[:1])
    request = next(r for r in sink.requests if r["path"] == "/sms")
    assert request["headers"]["Authorization"].startswith("Basic ") and request["headers"]["Content-Type"] == "application/x-www-form-urlencoded"
    text = eventually("the pager hears of the critical one alone", lambda: sink.bodies("/critical"))
    assert text[0] == {"to": "+493", "from": "", "text": "1 LoadHigh"}, text
    forwarded = eventually("another Alertmanager is told", lambda: [b for b in sink.bodies("/am/api/v2/alerts") if len(b) == 2])[0]
    assert {a["labels"]["alertname"] for a in forwarded} == {"LoadHigh", "LoadElevated"} and all(a["startsAt"] < a["endsAt"] for a in forwarded)
    payload = lambda: [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    eventually("the command has both", lambda: (tmp_path / "told").exists() and [b for b in payload() if len(b["alerts"]) == 2])
    assert payload()[0]["version"] == "4" and payload()[0]["receiver"] == "all"
    argument, status, receiver, group, key, folder, home = (tmp_path / "environment").read_text().splitlines()[0].split("|")
    assert (argument, status, receiver, group, folder, home) == ("{{ .Status }}", "firing", "all", '{}/{}:{team="web"}', "/", "") and key

    listed = {(r["receiver"], r["channel"]): r for r in vigil.json("receivers")}
    assert ("all", "sms[0].to[1]") in listed and listed["all", "ntfy[0]"]["state"] == "ok" and listed["all", "ntfy[0]"]["delivered"] >= 1
    broken = listed["broken", "command[0]"]
    assert broken["state"] == "failing" and broken["waiting"] >= 1 and broken["last_error"] == "exit status 2: no such pager"
    tested = vigil.cli("receivers", "test", "all", "-o", "json")
    answers = json.loads(tested.stdout)
    assert [a["channel"] for a in answers] == ["all/ntfy[0]", "all/sms[0].to[0]", "all/sms[0].to[1]", "all/command[0]", "all/alertmanager[0]"]
    assert all(a["ok"] and a["error"] == "" for a in answers), answers
    assert [b for b in sink.bodies("/ntfy") if "VigilTest" in b["title"]]
    failed = vigil.cli("receivers", "test", "broken/command[0]", check=False)
    assert failed.returncode == 1 and "no such pager" in failed.stdout, failed.stdout + failed.stderr
    unknown = vigil.cli("receivers", "test", "nobody", check=False)
    assert unknown.returncode == 1 and "there is no receiver nobody" in unknown.stderr
    assert "VigilTest" not in vigil.cli("alerts").stdout

    set_load(0.5)
    eventually("the end is told to ntfy", lambda: [b for b in sink.bodies("/ntfy") if b["tags"] == ["white_check_mark"] and "VigilTest" not in b["title"]])
    eventually("and to the pager", lambda: len(sink.bodies("/critical")) >= 2)
    eventually("and to the other Alertmanager", lambda: [b for b in sink.bodies("/am/api/v2/alerts") if any(a["labels"]["alertname"] == "LoadHigh" and a["endsAt"] < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) for a in b)])
    assert all("LoadElevated" not in b["text"] for b in sink.bodies("/critical"))
    everything = vigil.aggregator.text() + vigil.cli("receivers").stdout + json.dumps(vigil.json("status"))
    assert "tk_secret" not in everything


def test_a_real_alertmanager_takes_what_vigil_forwards(vigil, tmp_path):
    port = free_port()
    (tmp_path / "other.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    log = open(tmp_path / "other.log", "w")
    other = subprocess.Popen(["prometheus-alertmanager", f"--config.file={tmp_path}/other.yml", f"--storage.path={tmp_path}/other", f"--web.listen-address=127.0.0.1:{port}",
                              "--cluster.listen-address="], stdout=log, stderr=log)
    try:
        ask = lambda: json.loads(urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/alerts", timeout=30).read())

        def answers():
            try:
                return ask() == []
            except OSError:
                return False

        eventually("Alertmanager answers", answers)
        vigil.start(settings(tmp_path, route(f"  - {{name: all, alertmanager_configs: [{{url: 'http://127.0.0.1:{port}'}}]}}")))
        root, set_load = small_host(tmp_path)
        vigil.agent("web-1", ["--path.procfs", root / "proc"])
        vigil.wait_for_host("web-1")
        set_load(9.75)
        alerts = eventually("it has both", lambda: len(ask()) == 2 and ask())
        [high] = [a for a in alerts if a["labels"]["alertname"] == "LoadHigh"]
        assert high["labels"] == {"alertname": "LoadHigh", "instance": "web-1", "severity": "critical", "team": "web"} | {k: v for k, v in high["labels"].items() if k not in ("alertname", "instance", "severity", "team")}
        assert "9.75" in high["annotations"]["summary"] and high["status"]["state"] == "active"
        set_load(0.5)
        eventually("and that they are over", lambda: ask() == [])
        answers = json.loads(vigil.cli("receivers", "test", "all", "-o", "json").stdout)
        assert [a["ok"] for a in answers] == [True] and ask() == [], "a test leaves nothing open"
    finally:
        other.terminate()
        other.wait(30)
