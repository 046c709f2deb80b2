"""Slack by a bot's token: one message for an incident, kept as things are, and a thread that says what changed; over failures and kill -9."""

import http.server
import json
import sqlite3
import threading

from support import durable, eventually, small_host

TOKEN = "xoxb-1-correct-horse"
GREEN = "#2e7d32"
RULES = """
groups:
  - name: test
    interval: 1s
    rules:
      - alert: LoadHigh
        expr: node_load1 > 5
        labels: {severity: critical, team: web}
        annotations: {summary: 'Load of {{ $labels.instance }} is {{ $value }} <!channel>'}
      - alert: LoadElevated
        expr: node_load1 > 2
        labels: {severity: warning, team: web}
"""


class FakeSlack:
    """Slack's Web API, as far as vigil asks it: keeps messages, and answers as Slack does. `faults` are errors (or (code, headers)) for the next requests."""

    def __init__(self):
        self.channels = {"#ops": "C1"}
        self.messages = {}  # by ts
        self.calls = []  # method and body of what was taken
        self.faults = []
        self.lock = threading.Lock()
        slack = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                code, headers, answer = slack.answer(self.path, self.headers, body)
                text = json.dumps(answer).encode()
                self.send_response(code)
                for key, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path, headers, raw):
        failed = lambda error: (200, {}, {"ok": False, "error": error})
        with self.lock:
            if headers["Authorization"] != f"Bearer {TOKEN}":
                return failed("invalid_auth")
            if self.faults:
                fault = self.faults.pop(0)
                return failed(fault) if isinstance(fault, str) else (*fault, {"ok": False, "error": "ratelimited"})
            body = json.loads(raw)
            channel = self.channels.get(body["channel"], body["channel"])
            if channel not in self.channels.values():
                return failed("channel_not_found")
            assert headers["Content-Type"].startswith("application/json")
            if path == "/api/chat.postMessage":
                if "thread_ts" in body and body["thread_ts"] not in self.messages:
                    return failed("thread_not_found")
                ts = f"17952696{len(self.calls):02}.000100"
                self.messages[ts] = {"channel": channel, "thread": body.get("thread_ts"), "said": [body]}
            elif path == "/api/chat.update":
                ts = body["ts"]
                if ts not in self.messages or body["channel"] != self.messages[ts]["channel"]:
                    return failed("message_not_found")
                self.messages[ts]["said"].append(body)
            else:
                return failed("unknown_method")
            self.calls.append((path.rsplit(".", 1)[1], body))
            return 200, {}, {"ok": True, "channel": channel, "ts": ts, "message": body}

    def roots(self):
        with self.lock:
            return [(ts, message["said"]) for ts, message in sorted(self.messages.items()) if message["thread"] is None]

    def replies(self, root):
        with self.lock:
            return [message["said"][0] for _, message in sorted(self.messages.items()) if message["thread"] == root]

    def remove(self, ts):
        with self.lock:
            del self.messages[ts]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def color(message):
    return message["attachments"][0]["color"]


def threads(vigil):
    """What is remembered of incidents, as it is on the disk."""
    database = sqlite3.connect(f"file:{vigil.data}/meta.db?mode=ro", uri=True)
    try:
        return database.execute("SELECT receiver, body FROM message_thread").fetchall()
    finally:
        database.close()


def secret(tmp_path, name="slack-token", text=TOKEN):
    path = tmp_path / name
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


def settings(tmp_path, notifications):
    (tmp_path / "rules.yml").write_text(RULES)
    return f"rules: {{preset: none, files: [{tmp_path}/rules.yml]}}\nnotifications: {notifications}\n"


def test_a_group_is_one_message_and_a_thread(vigil, tmp_path):
    slack = FakeSlack()
    try:
        (tmp_path / "alertmanager.yml").write_text(f"""
global: {{slack_app_token_file: {secret(tmp_path)}, slack_app_url: '{slack.url}/chat.postMessage'}}
route: {{receiver: all, group_by: [team], group_wait: 1s, group_interval: 2s}}
receivers:
  - name: all
    slack_configs: [{{channel: '#ops'}}]
""")
        config = settings(tmp_path, "{alertmanager_file: alertmanager.yml}")
        root, set_load = small_host(tmp_path)
        vigil.start(config)
        assert "alertmanager.yml" not in vigil.cli("status").stdout, "nothing in it is without effect"
        vigil.agent("web-1", ["--path.procfs", root / "proc"])
        vigil.wait_for_host("web-1")
        set_load(3)
        [(first, said)] = eventually("the first message", slack.roots)
        assert "LoadElevated" in said[0]["text"] and color(said[0]) == "#f9a825" and said[0]["channel"] == "#ops"
        assert said[0]["metadata"]["event_payload"]["key"]
        eventually("it is remembered", lambda: threads(vigil))
        durable(vigil)
        vigil.aggregator.kill()

        slack.faults = [(429, {"Retry-After": "1"}), "internal_error"]
        vigil.start(config)
        vigil.wait_for_host("web-1")
        set_load(9.75)
        eventually("the message says that two fire", lambda: "2 alerts" in slack.roots()[0][1][-1]["text"])
        reply = eventually("and the thread, which", lambda: slack.replies(first))[0]
        assert "LoadHigh" in json.dumps(reply) and "LoadElevated" not in json.dumps(reply), reply
        assert reply["reply_broadcast"] is True and "&lt;!channel&gt;" in json.dumps(reply) and "<!channel>" not in json.dumps(reply)
        assert color(slack.roots()[0][1][-1]) == "#d32f2f" and slack.faults == []

        set_load(0.5)
        eventually("all is over", lambda: threads(vigil) == [])
        [(same, said)] = slack.roots()
        assert same == first and color(said[-1]) == GREEN and "Resolved" in said[-1]["text"]
        end = slack.replies(first)[-1]
        assert color(end) == GREEN and "reply_broadcast" not in end
        set_load(3)
        eventually("what begins anew is another message", lambda: len(slack.roots()) == 2)
        assert TOKEN not in vigil.aggregator.text() + json.dumps(vigil.json("receivers"))
    finally:
        slack.close()


def test_a_receiver_of_vigils_own_and_what_can_go_wrong(vigil, tmp_path):
    slack = FakeSlack()
    try:
        receiver = lambda name, channel, token: f"{{name: {name}, slack: {{bot_token_file: {token}, channel: '{channel}', api_url: '{slack.url}'}}}}"
        good = secret(tmp_path)
        vigil.start(settings(tmp_path, f"{{receivers: [{receiver('ops', '#ops', good)}, {receiver('stranger', '#ops', secret(tmp_path, 'other', 'xoxb-2-wrong'))}, {receiver('lost', '#nowhere', good)}]}}"))
        root, set_load = small_host(tmp_path)
        vigil.agent("web-1", ["--path.procfs", root / "proc"])
        vigil.wait_for_host("web-1")
        set_load(3)
        [(first, said)] = eventually("a message for the alert", slack.roots)
        assert "LoadElevated on web-1" in said[0]["text"]
        error = lambda name: next(r["last_error"] for r in vigil.json("receivers") if r["receiver"] == name)
        eventually("a wrong token is told", lambda: error("stranger") == "Slack says invalid_auth: the token is not valid")
        eventually("a wrong channel, too", lambda: error("lost").startswith("Slack says channel_not_found"))
        assert error("ops") == ""

        slack.remove(first)  # somebody tidied up
        set_load(0.5)
        [(second, said)] = eventually("the end is a message of its own", slack.roots)
        assert color(said[-1]) == GREEN and second != first
        eventually("and nothing is remembered", lambda: threads(vigil) == [])

        calls = len(slack.calls)
        tested = vigil.cli("receivers", "test", "ops", "-o", "json")
        assert [answer["error"] for answer in json.loads(tested.stdout)] == [""]
        assert [method for method, _ in slack.calls[calls:]] == ["postMessage", "update", "postMessage"]
        failed = vigil.cli("receivers", "test", "stranger", check=False)
        assert failed.returncode == 1 and "invalid_auth" in failed.stdout
        everything = vigil.aggregator.text() + vigil.cli("receivers").stdout
        assert TOKEN not in everything and "xoxb-2-wrong" not in everything
    finally:
        slack.close()
