"""hooks.slack.com inside of a machine's network: `fake_slack.py CERTIFICATE KEY FILE` keeps each message as a line of JSON in FILE."""

import http.server
import json
import ssl
import sys

CERTIFICATE, KEY, KEPT = sys.argv[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open(KEPT, "a") as file:
            file.write(json.dumps({"host": self.headers["Host"], "path": self.path, "message": json.loads(body)}) + "\n")
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")  # as Slack's incoming webhooks answer

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
print("listening", flush=True)
server.serve_forever()
