"""Prometheus as the oracle, and connections that are kept."""

import http.client
import json
import pathlib
import shutil
import socket
import urllib.parse

from differential import remote_write
from support import Process, eventually

PROMETHEUS = shutil.which("prometheus")

CONFIG = """
global: {evaluation_interval: 1m}
storage: {tsdb: {out_of_order_time_window: 2h}}
"""


class Http:
    """One kept connection to an HTTP API."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address, timeout=60)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, path, parameters=None, method="POST"):
        """Status, content type and the parsed answer."""
        try:
            return self._ask(path, urllib.parse.urlencode(parameters or {}, doseq=True), method)
        except OSError:
            self.connection.close()  # the next question is asked on another
            raise

    def _ask(self, path, text, method):
        if method == "POST":
            self.connection.request("POST", path, text, {"Content-Type": "application/x-www-form-urlencoded"})
        else:
            self.connection.request("GET", path + ("?" + text if text else ""))
        answer = self.connection.getresponse()
        body = answer.read()
        try:
            parsed = json.loads(body)
        except ValueError:
            parsed = body.decode(errors="replace")
        return answer.status, answer.headers.get("Content-Type"), parsed

    def write(self, series):
        self.connection.request("POST", "/api/v1/write", remote_write.snappy(remote_write.write_request(series)), remote_write.HEADERS)
        answer = self.connection.getresponse()
        body = answer.read().decode(errors="replace")
        assert answer.status in (200, 204), f"{answer.status} {body}"

    def close(self):
        self.connection.close()


def start_prometheus(folder):
    """A Process with an `address`."""
    folder = pathlib.Path(folder)
    (folder / "prometheus.yml").write_text(CONFIG)
    with socket.socket() as probe:  # it does not say which port it got for :0
        probe.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % probe.getsockname()[1]
    process = Process([PROMETHEUS, "--config.file", folder / "prometheus.yml", "--storage.tsdb.path", folder / "tsdb", "--web.listen-address", address,
                       "--web.enable-remote-write-receiver", "--storage.tsdb.retention.time=10d", "--log.level=warn"], folder / "prometheus.log")
    process.address = address

    def ready():
        http_ = Http(address)
        try:
            return http_.ask("/-/ready", method="GET")[0] == 200
        finally:
            http_.close()

    eventually("Prometheus is ready", ready)
    return process
