"""A small OpenID Connect provider on loopback: discovery, keys, and the device authorization grant (RFC 8628) with answers as a test wants them."""

import base64
import collections
import http.server
import json
import ssl
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from support import LOOPBACK


def coded(data):
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def whole(number, size):
    return number.to_bytes(size, "big")


class Key:
    """ES256 or RS256, with its private part."""

    def __init__(self, name, algorithm="ES256"):
        self.name, self.algorithm = name, algorithm
        self.private = ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else rsa.generate_private_key(65537, 2048)

    def jwk(self):
        numbers = self.private.public_key().public_numbers()
        jwk = {"kid": self.name, "alg": self.algorithm, "use": "sig"}
        if self.algorithm == "ES256":
            return jwk | {"kty": "EC", "crv": "P-256", "x": coded(whole(numbers.x, 32)), "y": coded(whole(numbers.y, 32))}
        return jwk | {"kty": "RSA", "n": coded(whole(numbers.n, 256)), "e": coded(whole(numbers.e, 3))}

    def sign(self, claims, header=None):
        text = coded({"alg": self.algorithm, "kid": self.name, "typ": "JWT"} | (header or {})) + "." + coded(claims)
        if self.algorithm == "ES256":
            r, s = utils.decode_dss_signature(self.private.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
            return text + "." + coded(whole(r, 32) + whole(s, 32))
        return text + "." + coded(self.private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))

    def confused(self, claims):
        """Signed as HS256, with the public key as the secret."""
        secret = self.private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        text = coded({"alg": "HS256", "kid": self.name}) + "." + coded(claims)
        mac = hmac.HMAC(secret, hashes.SHA256())
        mac.update(text.encode())
        return text + "." + coded(mac.finalize())


class Issuer:
    def __init__(self, certificate=None):
        self.certificate = certificate
        self.keys = [Key("k1")]
        self.answers = collections.deque()  # of the token endpoint: a word of RFC 8628, or "yes"; then always "yes"
        self.asked = []  # (path, form)
        self.life = 300
        self.person = {"sub": "4711", "email": "alice@example.org", "email_verified": True, "groups": ["ops"]}
        self.refresh = 0
        self.port = 0
        self.server = None
        self.come_back()
        self.url = f"{'https' if certificate else 'http'}://{LOOPBACK}:{self.port}"

    def come_back(self):
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Connection", "close")  # so that going away is seen
                self.end_headers()
                self.wfile.write(data)
                self.close_connection = True

            def do_GET(self):
                self.answer(*issuer.get(self.path))

            def do_POST(self):
                form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                form["authorization"] = self.headers.get("Authorization")
                self.answer(*issuer.post(self.path, form))

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer((LOOPBACK, self.port), Handler)
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def go_away(self):
        self.server.shutdown()
        self.server.server_close()

    close = go_away

    def get(self, path):
        self.asked.append((path, None))
        if path == "/.well-known/openid-configuration":
            return 200, {"issuer": self.url, "jwks_uri": self.url + "/keys", "token_endpoint": self.url + "/token", "device_authorization_endpoint": self.url + "/device"}
        return (200, {"keys": [key.jwk() for key in self.keys]}) if path == "/keys" else (404, {})

    def claims(self, **changed):
        now = int(time.time())
        return {"iss": self.url, "aud": "vigil", "iat": now, "exp": now + self.life} | self.person | changed

    def token(self, **changed):
        return self.keys[-1].sign(self.claims(**changed))

    def post(self, path, form):
        self.asked.append((path, form))
        if path == "/device":
            return 200, {"device_code": "the-device", "user_code": "WDJB-MJHT", "verification_uri": self.url + "/activate", "verification_uri_complete": self.url + "/activate?user_code=WDJB-MJHT", "expires_in": 600, "interval": 1}
        word = self.answers.popleft() if self.answers else "yes"
        if word != "yes":
            return 400, {"error": word}
        if form.get("refresh_token", f"refresh-{self.refresh}") != f"refresh-{self.refresh}" or form.get("device_code", "the-device") != "the-device":
            return 400, {"error": "invalid_grant"}
        self.refresh += 1  # each is good once
        return 200, {"token_type": "Bearer", "access_token": "opaque", "id_token": self.token(), "refresh_token": f"refresh-{self.refresh}", "expires_in": self.life}
