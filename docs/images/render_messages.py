#!/usr/bin/env python3
"""Makes the pictures of messages anew, from what the shipped binaries send: alert-mail.png, alert-mail-over.png, alert-page.png; and prints what chats and phones are sent.

Needs built binaries (VIGIL_BIN), Chromium and python3-aiosmtpd: docs/images/render_messages.py
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "e2e"))
sys.dont_write_bytecode = True

from support import HttpSink, MailSink, Vigil, eventually, small_host  # noqa: E402

RULES = """
groups:
  - name: load
    interval: 1s
    rules:
      - alert: HighLoad
        expr: node_load1 > 5
        labels: {severity: critical, team: web}
        runbook: https://wiki.example.org/load
        annotations:
          summary: 'Load of {{ $labels.instance }} is {{ $value }}'
          description: More programs want to run than there are processors. See which ones below.
        evidence: {Load of the last minutes: '{__name__=~"node_load1|node_load5|node_load15", instance="{{ $labels.instance }}"}'}
        actions: [restart-worker]
"""
ROUTES = """
global: {{smtp_smarthost: 'localhost:{smtp}', smtp_from: vigil@example.org, smtp_auth_username: {user}, smtp_auth_password_file: {password}}}
route: {{receiver: on-call, group_wait: 0s, group_interval: 1s, group_by: [alertname]}}
receivers:
  - name: on-call
    email_configs: [{{to: ops@example.org, send_resolved: true, tls_config: {{ca_file: {certificate}}}}}]
    slack_configs: [{{api_url: '{sink}/slack', send_resolved: true}}]
    ntfy_configs: [{{url: '{sink}/ntfy', topic: ops}}]
    sms_configs: [{{url: '{sink}/sms', to: ['+491'], content_type: application/json}}]
"""


def picture(html, name, size):
    page = HERE / f".{name}.html"
    page.write_text(html)
    try:
        subprocess.run(["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu", f"--window-size={size}",
                        f"--screenshot={HERE / name}", page.as_uri()], check=True, capture_output=True, timeout=120)
    finally:
        page.unlink()


def html_of(message):
    return next(part for part in message.walk() if part.get_content_type() == "text/html").get_payload(decode=True).decode()


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        sink, mail, vigil = HttpSink(), MailSink(folder), Vigil(folder)
        try:
            password = folder / "password"
            password.write_text(MailSink.PASSWORD)
            password.chmod(0o600)
            (folder / "rules.yml").write_text(RULES)
            (folder / "alertmanager.yml").write_text(ROUTES.format(smtp=mail.port, user=MailSink.USER, password=password, certificate=mail.certificate, sink=sink.url))
            vigil.start(f"rules: {{preset: none, files: [{folder}/rules.yml]}}\nexternal_url: https://vigil.example.org/\n"
                        "notifications: {alertmanager_file: alertmanager.yml}\n"
                        "actions: [{name: restart-worker, command: [/bin/true], approval: true}]\n")
            root, set_load = small_host(folder)
            vigil.agent("web-1", ["--path.procfs", root / "proc"])
            vigil.wait_for_host("web-1")
            set_load(9.75)
            begun = eventually("a mail", lambda: mail.messages)[0]["message"]
            [alert] = [each for each in vigil.json("alerts") if each["name"] == "HighLoad"]
            page = urllib.request.urlopen(f"http://{vigil.http}/alerts/{alert['id']}", timeout=30).read().decode()
            picture(html_of(begun), "alert-mail.png", "720,600")
            picture(page, "alert-page.png", "720,640")
            set_load(0.5)
            over = eventually("a mail of the end", lambda: mail.messages[1:])[0]["message"]
            picture(html_of(over), "alert-mail-over.png", "720,630")
            for path in ("/slack", "/ntfy", "/sms"):
                for body in eventually(path, lambda path=path: sink.bodies(path)[1:] and sink.bodies(path)):
                    print(path, json.dumps(body, indent=1, ensure_ascii=False))
        finally:
            vigil.close()
            mail.close()
            sink.close()


if __name__ == "__main__":
    main()
