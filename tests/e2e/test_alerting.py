"""From a threshold crossed to a message a person reads, and to its end."""

import json
import signal
import time
import urllib.request

from support import MailSink, durable, eventually, small_host

RULES = """
groups:
  - name: test
    interval: 1s
    rules:
      - alert: LoadHigh
        expr: node_load1 > 5
        labels: {severity: critical}
        annotations:
          summary: 'Load of {{ $labels.instance }} is {{ $value | humanize }}'
"""


def config(sink, mail, folder):
    (folder / "rules.yml").write_text(RULES)
    password = folder / "password"
    password.write_text(MailSink.PASSWORD)
    password.chmod(0o600)
    return f"""
rules:
  files: [{folder}/rules.yml]
notifications:
  receivers:
    - name: chat
      slack: {{webhook_url: "{sink.url}/slack"}}
    - name: program
      webhook: {{url: "{sink.url}/hook"}}
    - name: mailbox
      email:
        smtp: "localhost:{mail.port}"
        from: vigil@example.org
        to: [oncall@example.org]
        username: {MailSink.USER}
        password_file: {password}
        starttls: required
        ca_file: {mail.certificate}
"""


def of_rule(bodies, name):
    return [body for body in bodies if name in json.dumps(body)]


def test_an_alert_is_delivered_once_everywhere_and_resolved(vigil, sink, mail, tmp_path):
    root, set_load = small_host(tmp_path)
    vigil.start(config(sink, mail, tmp_path))
    vigil.agent("web-1", ["--path.procfs", root / "proc"])
    vigil.wait_for_host("web-1")
    set_load(9.75)
    eventually("Slack hears of it", lambda: of_rule(sink.bodies("/slack"), "LoadHigh"))
    eventually("the webhook hears of it", lambda: of_rule(sink.bodies("/hook"), "LoadHigh"))
    message = eventually("the mail arrives", lambda: [m for m in mail.messages if "LoadHigh" in str(m["message"]["Subject"])])[0]
    assert message["tls"] and message["user"] == MailSink.USER.encode()
    assert message["to"] == ["oncall@example.org"]
    types = [part.get_content_type() for part in message["message"].walk()]
    assert "text/plain" in types and "text/html" in types
    assert "web-1" in json.dumps(of_rule(sink.bodies("/slack"), "LoadHigh")[0])
    assert "9.75" in json.dumps(of_rule(sink.bodies("/slack"), "LoadHigh")[0])
    alert = next(a for a in vigil.json("alerts") if a["name"] == "LoadHigh")
    assert alert["state"] == "firing"
    page = urllib.request.urlopen(f"http://{vigil.http}/alerts/{alert['id']}", timeout=30).read().decode()
    assert "LoadHigh" in page and "web-1" in page
    assert vigil.cli("alerts", "--fail-on", "critical", check=False).returncode == 4

    set_load(0.5)
    eventually("Slack hears the end", lambda: len(of_rule(sink.bodies("/slack"), "LoadHigh")) == 2)
    eventually("the webhook hears the end", lambda: len(of_rule(sink.bodies("/hook"), "LoadHigh")) == 2)
    eventually("the mail, too", lambda: len([m for m in mail.messages if "LoadHigh" in str(m["message"]["Subject"])]) == 2)


def test_a_receiver_that_is_away_gets_the_message_when_it_is_back(vigil, sink, mail, tmp_path):
    root, set_load = small_host(tmp_path)
    sink.answers = [503, (429, {"Retry-After": "1"})]
    vigil.start(config(sink, mail, tmp_path))
    vigil.agent("web-1", ["--path.procfs", root / "proc"])
    vigil.wait_for_host("web-1")
    set_load(9.75)
    eventually("both arrive in the end", lambda: of_rule(sink.bodies("/slack"), "LoadHigh") and of_rule(sink.bodies("/hook"), "LoadHigh"))


def test_a_restart_neither_repeats_nor_forgets_a_firing_alert(vigil, sink, mail, tmp_path):
    root, set_load = small_host(tmp_path)
    settings = config(sink, mail, tmp_path)
    vigil.start(settings)
    vigil.agent("web-1", ["--path.procfs", root / "proc"])
    vigil.wait_for_host("web-1")
    set_load(9.75)
    eventually("the webhook hears of it", lambda: of_rule(sink.bodies("/hook"), "LoadHigh"))
    durable(vigil)  # the load, too: of the one before the alert would be over until the agent is back
    vigil.aggregator.kill()
    vigil.start(settings)
    vigil.wait_for_host("web-1")
    eventually("still firing", lambda: [a for a in vigil.json("alerts") if a["name"] == "LoadHigh" and a["state"] == "firing"])
    set_load(0.5)
    eventually("the end is told", lambda: len(of_rule(sink.bodies("/hook"), "LoadHigh")) >= 2)
    bodies = of_rule(sink.bodies("/hook"), "LoadHigh")
    assert len(bodies) == 2, "one firing, one resolved: nothing repeated"


def test_time_without_samples_fires_nothing_after_kill_9_and_what_is_told_says_when_it_arrived(vigil, sink, tmp_path):
    hold_ms = 4000
    root, set_load = small_host(tmp_path)
    (tmp_path / "rules.yml").write_text(RULES.replace("expr: node_load1 > 5\n", f"expr: node_load1 > 5\n        for: {hold_ms // 1000}s\n"))
    settings = f"""
rules: {{preset: none, files: [{tmp_path}/rules.yml]}}
notifications: {{receivers: [{{name: program, webhook: {{url: "{sink.url}/hook"}}}}]}}
"""
    sink.answers = [(429, {"Retry-After": "3"})]
    now_ms = lambda: int(time.time() * 1000)
    vigil.start(settings)
    agent = vigil.agent("web-1", ["--path.procfs", root / "proc"])
    vigil.wait_for_host("web-1")
    set_load(9.75)
    pending = eventually("it is pending", lambda: vigil.json("alerts"))[0]
    durable(vigil)
    agent.kill()  # or it would sample on, and cover the time
    vigil.aggregator.kill()
    killed_ms = now_ms()
    assert pending["state"] == "pending", "too slow to kill it before it fires"
    time.sleep(hold_ms / 1000 + 0.5)
    vigil.start(settings)
    [kept] = vigil.json("alerts")
    assert (kept["id"], kept["state"], kept["active_since_ms"]) == (pending["id"], "pending", pending["active_since_ms"])
    agent_ms = now_ms()
    vigil.agent("web-1", ["--path.procfs", root / "proc"])
    fired = eventually("it fires", lambda: [a for a in vigil.json("alerts") if a["state"] == "firing"])[0]
    assert fired["id"] == pending["id"]
    assert (killed_ms - pending["active_since_ms"]) + (fired["fired_at_ms"] - agent_ms) >= hold_ms, "it fires only of time that samples cover"

    told = lambda: [e for e in vigil.json("alerts", "explain", pending["id"])["events"] if e["by"] == "program"]
    [waits] = eventually("the receiver wants to be asked later", lambda: (t := told()) and t[0]["attempts"] and t)
    assert (waits["kind"], waits["attempts"], waits["arrived_ms"]) == ("waits", 1, None) and "429" in waits["text"], waits
    assert waits["next_attempt_ms"] >= waits["at_ms"] + 3000, waits
    assert "1 attempt failed, next at " in vigil.cli("alerts", "explain", pending["id"]).stdout
    [arrived] = eventually("it arrives", lambda: (t := told()) and t[0]["arrived_ms"] and t)
    assert (arrived["kind"], arrived["at_ms"]) == ("told", waits["at_ms"]) and arrived["arrived_ms"] >= waits["next_attempt_ms"], (waits, arrived)
    assert arrived["arrived_ms"] <= now_ms() and len(sink.bodies("/hook")) == 1
    assert "  arrived " in vigil.cli("alerts", "explain", pending["id"]).stdout


def test_an_explanation_has_the_values_and_an_answer_for_what_does_not_fire(vigil, sink, mail, tmp_path):
    root, set_load = small_host(tmp_path)
    settings = config(sink, mail, tmp_path).replace("rules:\n", "rules:\n  preset: none\n", 1)
    rules = (tmp_path / "rules.yml").read_text() + """
      - {alert: LoadForLong, expr: node_load1 > 5, for: 1h, labels: {severity: warning}}
      - {alert: NoSuchThing, expr: no_such_metric > 1}
"""
    (tmp_path / "rules.yml").write_text(rules)
    vigil.start(settings)
    agent = vigil.agent("web-1", ["--path.procfs", root / "proc"])
    vigil.wait_for_host("web-1")
    set_load(0.5)

    def rule(*args):
        explained = vigil.json("alerts", "explain", *args)
        assert explained["alert"] is None and explained["events"] == []
        return explained["rules"][0]

    quiet = eventually("its value is known", lambda: (r := rule("LoadHigh"))["series"] and r["series"][0]["value"] == 0.5 and r)
    assert quiet["why"] == "not true: web-1 has 0.5, which is not > 5"
    assert (quiet["expression"], quiet["compared"], quiet["comparison"], quiet["limit"], quiet["interval_ms"]) == ("node_load1 > 5", "node_load1", "> 5", 5, 1000)
    assert (quiet["series"][0]["is_true"], quiet["series"][0]["state"], quiet["series"][0]["labels"]["instance"]) == (False, "inactive", "web-1")
    assert rule("LoadHigh", "web-1")["why"] == quiet["why"]
    assert rule("LoadHigh", "web-9")["why"] == "no host is called web-9"
    assert rule("NoSuchThing")["why"] == "no data: no series is there for no_such_metric"
    shown = vigil.cli("alerts", "explain", "LoadHigh").stdout
    assert "does not fire: LoadHigh (critical)\nnot true: web-1 has 0.5, which is not > 5\n" in shown and "FIRES AT" in shown
    wrong = vigil.cli("alerts", "explain", "LoadHihg", check=False)
    assert wrong.returncode == 1 and "did you mean LoadHigh?" in wrong.stderr

    set_load(9.75)
    fires = eventually("it fires", lambda: [a for a in vigil.json("alerts") if a["name"] == "LoadHigh"])[0]
    explained = vigil.json("alerts", "explain", "LoadHigh", "web-1")
    assert explained["alert"]["id"] == fires["id"] and explained["alert"]["summary"] == "Load of web-1 is 9.75"
    [series] = explained["rules"][0]["series"]
    assert (series["value"], series["is_true"], series["state"], series["alert_id"]) == (9.75, True, "firing", fires["id"])
    shown = vigil.cli("alerts", "explain", "LoadHigh").stdout
    assert "Rule: node_load1 > 5" in shown and "9.75" in shown.split("FIRES AT")[1]
    pending = vigil.json("alerts", "explain", "LoadForLong", "web-1")
    assert pending["rules"][0]["why"].startswith("pending: web-1 has been true for ")
    eventually("and how long so far", lambda: any("so far " in e["text"] for e in vigil.json("alerts", "explain", "LoadForLong")["events"] if e["kind"] == "will_fire"))

    agent.stop()
    heard = eventually("it is not heard of", lambda: [a for a in vigil.json("alerts") if a["name"] == "LoadHigh" and a["unheard_since_ms"]])[0]["unheard_since_ms"]
    assert "(nothing heard since " in vigil.cli("alerts").stdout
    events = vigil.json("alerts", "explain", "LoadHigh", "web-1")["events"]
    assert [(e["at_ms"], e["by"]) for e in events if e["kind"] == "unheard"] == [(heard, "web-1")]
    assert "nothing heard since" in vigil.cli("alerts", "explain", "LoadHigh").stdout


def test_the_shipped_rules_load_and_can_be_overridden(vigil, tmp_path):
    vigil.start("""
rules:
  preset: production
  overrides:
    - {alert: HighCpu, severity: warning, threshold: 70}
""")
    rules = vigil.json("rules")
    assert len(rules) > 20
    changed = [rule for rule in rules if rule["name"] == "HighCpu" and rule["severity"] == "warning"]
    assert changed and "70" in json.dumps(changed[0])
    assert not [rule for rule in rules if rule["last_error"]]


def test_a_silent_agent_whose_host_goes_away_besides_is_not_told_to_be_well(vigil, sink, tmp_path):
    root, _ = small_host(tmp_path)
    config = f"""
ingest: {{down_after: 2s}}
rules: {{overrides: [{{alert: AgentSilent, for: 0s}}]}}
notifications: {{receivers: [{{name: program, webhook: {{url: "{sink.url}/hook"}}}}]}}
"""
    vigil.start(config)
    agent = vigil.agent("web-1", ["--path.procfs", root / "proc"])
    vigil.wait_for_host("web-1")

    def told(status, name):
        return [one for body in sink.bodies("/hook") for one in body["alerts"] if one["status"] == status and one["labels"]["alertname"] == name]

    agent.child.send_signal(signal.SIGSTOP)
    eventually("its silence is told", lambda: told("firing", "AgentSilent"))
    agent.kill()
    eventually("its absence is told", lambda: told("firing", "HostDown"))
    vigil.aggregator.stop()
    vigil.start(config)
    eventually("both fire after a restart", lambda: {"AgentSilent", "HostDown"} <= {a["name"] for a in vigil.json("alerts") if a["state"] == "firing"})
    assert not told("resolved", "AgentSilent")
    vigil.agent("web-1", ["--path.procfs", root / "proc"])
    eventually("both ends are told", lambda: told("resolved", "AgentSilent") and told("resolved", "HostDown"))
    assert len(told("firing", "AgentSilent")) == len(told("firing", "HostDown")) == 1
