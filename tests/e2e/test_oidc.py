"""People of an OpenID Connect provider: their tokens over HTTP and gRPC, and vigil login, with the shipped programs."""

import collections
import http.client
import json
import os
import pathlib
import random
import re
import subprocess
import time
import urllib.error
import urllib.request

import pytest

pytest.importorskip("cryptography", reason="python3-cryptography is not installed")

from oidc_issuer import Issuer, Key, coded
from support import BIN, LOOPBACK, PATIENCE, eventually, metric
from test_tls import Authority


@pytest.fixture
def issuer(request):
    server = Issuer()
    yield server
    server.close()


class House:
    """An aggregator that asks for credentials on loopback, too, and people of an issuer."""

    def __init__(self, vigil, folder, issuer, more=""):
        self.vigil, self.folder, self.issuer = vigil, folder, issuer
        self.config = folder / "config"
        roles = "roles: {ops: operator, everybody: viewer}, users: {root@example.org: admin}"
        vigil.start(f"access: {{loopback: none, oidc: {{issuer: '{issuer.url}', client_id: vigil, {roles}{more}}}}}\n")

    def http(self, token, path="/api/v1/query?query=1", method="GET"):
        request = urllib.request.Request(f"http://{self.vigil.http}{path}", method=method, headers={"Authorization": f"Bearer {token}", "Host": "localhost"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def environment(self, token=None):
        kept = {key: value for key, value in os.environ.items() if not key.startswith("VIGIL_")}
        return kept | {"XDG_CONFIG_HOME": str(self.config)} | ({"VIGIL_TOKEN": token} if token else {})

    def cli(self, *args, token=None):
        done = subprocess.run([BIN / "vigil", "--aggregator", self.vigil.grpc, *args], capture_output=True, text=True, timeout=PATIENCE, env=self.environment(token))
        return done.returncode, done.stdout, done.stderr

    def whoami(self, token=None):
        return json.loads(self.cli("whoami", "-o", "json", token=token)[1])

    def root(self, *args):
        return subprocess.run([BIN / "vigil", "--aggregator", f"unix:{self.vigil.data}/vigil.sock", *args], check=True, capture_output=True, text=True, timeout=PATIENCE, env=self.environment()).stdout

    def known_keys(self):
        return float(re.search(r"^vigil_aggregator_oidc_keys (\S+)$", self.http(self.issuer.token(), "/metrics")[1], re.MULTILINE).group(1))


def test_a_token_of_the_provider_says_who_one_is_over_http_and_grpc(vigil, issuer, tmp_path):
    house = House(vigil, tmp_path, issuer)
    token = issuer.token()
    assert house.http(token)[0] == 200 and house.http("")[0] == 401
    assert house.http(token, "/-/reload", "POST")[0] == 403
    me = house.whoami(token)
    assert (me["kind"], me["name"], me["role"]) == ("oidc", "oidc:alice@example.org", "operator")
    code, out, _ = house.cli("silence", "add", "HostDown", "instance=web-1", "--for", "2h", "--comment", "new disks", token=token)
    assert code == 0
    entry, = json.loads(house.root("audit", "--what", "silence", "-o", "json"))
    assert (entry["kind"], entry["who"], entry["object"]) == ("oidc", "oidc:alice@example.org", out.strip())
    assert "oidc:alice@example.org" in house.root("audit", "--who", "oidc:alice@example.org")
    code, _, said = house.cli("token", "list", token=token)
    assert code == 1 and "oidc:alice@example.org has the role operator, and this needs admin" in said, said

    assert house.whoami(issuer.token(groups=["everybody"]))["role"] == "viewer"
    assert house.whoami(issuer.token(email="root@example.org"))["role"] == "admin"
    nobody = issuer.token(groups=["others"])
    assert house.whoami(nobody)["role"] == "none" and house.http(nobody)[0] == 403
    assert house.known_keys() == 1


def test_keys_change_and_the_provider_goes_away(vigil, issuer, tmp_path):
    house = House(vigil, tmp_path, issuer)
    old = issuer.token()
    assert house.http(old)[0] == 200
    issuer.keys.append(Key("k2", "RS256"))
    new = issuer.token()
    # Whoever comes by HTTP waits for the provider, over gRPC he is asked to try again; the provider at most each ten seconds.
    eventually("a token by the new key lets in", lambda: house.http(new)[0] == 200)
    assert house.whoami(new)["name"] == "oidc:alice@example.org" and house.http(old)[0] == 200
    del issuer.keys[0]
    other = Key("k3")
    eventually("what the old key signed does not count any more", lambda: house.http(other.sign(issuer.claims()))[0] == 401 and house.http(old)[0] == 401)

    issuer.go_away()
    unknown = other.sign(issuer.claims())
    eventually("it is seen that nobody answers", lambda: "cannot be asked" in house.http(unknown)[1])
    assert house.http(new)[0] == 200 and house.http(issuer.token())[0] == 200  # also one that was not seen before
    assert metric_of(house, "vigil_aggregator_oidc_fetches_total", 'outcome="failed"') >= 1
    vigil.aggregator.wait_for("the OpenID issuer cannot be asked; the keys known of it still count")
    assert "access.oidc: the provider cannot be asked" in house.root("status", "-o", "json")
    vigil.aggregator.stop()
    vigil.start((vigil.folder / "aggregator.yml").read_text())
    assert house.http(new)[0] == 401 and "cannot be asked" in eventually("it says why", lambda: (said := house.http(new)[1]) and "cannot be asked" in said and said)
    issuer.come_back()
    eventually("who was waiting comes in", lambda: house.http(new)[0] == 200)
    vigil.aggregator.wait_for("the OpenID issuer answers again")


def metric_of(house, name, label):
    text = house.http(house.issuer.token(), "/metrics")[1]
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name) and label in line)


def test_of_forged_tokens_none_lets_in(vigil, issuer, tmp_path):
    house = House(vigil, tmp_path, issuer)
    key, thief = issuer.keys[0], Key("k1")
    good = issuer.token()
    assert house.http(good)[0] == 200
    claims = issuer.claims()
    none = coded({"alg": "none"}) + "." + coded(claims) + "."
    twice = coded(b'{"alg":"ES256","kid":"k1"}') + "." + coded(json.dumps(claims)[:-1].encode() + b',"email":"root@example.org"}') + "." + good.rsplit(".", 1)[1]
    kinds = [
        lambda: none, lambda: twice, lambda: key.confused(claims), lambda: thief.sign(claims), lambda: thief.sign(claims, {"jwk": thief.jwk()}),
        lambda: issuer.token(iss="https://evil.example"), lambda: issuer.token(aud="another"), lambda: issuer.token(exp=int(time.time()) - 61), lambda: issuer.token(nbf=int(time.time()) + 90),
        lambda: good[: rng.randrange(len(good))], lambda: maimed(good), lambda: good + "." + good, lambda: good.replace(".", ".."), lambda: "x" * 9000 + "." + good,
        lambda: key.sign(claims | {"padding": "x" * 7000}), lambda: key.sign(claims, {"crit": ["exp"]}), lambda: key.sign(claims, {"typ": "logout+jwt"}),
    ]
    rng = random.Random(5)

    def maimed(token):
        at = rng.randrange(len(token) - 1)  # of the last character some bits mean nothing
        return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]

    host, port = vigil.http.rsplit(":", 1)
    answers = collections.Counter()
    for source in range(400):  # each may be wrong five times
        connection = http.client.HTTPConnection(host, int(port), timeout=60, source_address=(f"127.2.{source // 250}.{source % 250 + 1}", 0))
        for _ in range(5):
            connection.request("GET", "/api/v1/query?query=1", headers={"Host": "localhost", "Authorization": "Bearer " + rng.choice(kinds)()})
            answer = connection.getresponse()
            answer.read()
            answers[answer.status] += 1
        connection.close()
    assert answers == {401: 2000}
    assert house.http(good)[0] == 200
    code, _, said = house.cli("hosts", token=key.confused(claims))
    assert code == 1 and "RS256" in said, said


def log_in(house, *args):
    return house.cli(*args, "login")


def test_vigil_login_prints_a_code_waits_and_the_next_commands_show_the_token(vigil, issuer, tmp_path):
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("a secret\n")
    house = House(vigil, tmp_path, issuer, f", client_secret_file: {secret}")
    assert house.cli("hosts")[0] == 1
    issuer.answers.extend(["authorization_pending", "slow_down"])
    began = time.monotonic()
    code, out, said = log_in(house)
    assert code == 0, said
    assert time.monotonic() - began >= 1 + 1 + 6  # the interval, and five seconds more once it was told so
    assert "WDJB-MJHT" in said and f"{issuer.url}/activate" in said and "oidc:alice@example.org" in out and "operator" in out
    started = next(form for path, form in issuer.asked if path == "/device")
    assert started["client_id"] == "vigil" and "openid" in started["scope"] and started["authorization"].startswith("Basic ")

    path = house.config / "vigil" / "logins.json"
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    me = house.whoami()
    assert (me["kind"], me["name"], me["role"]) == ("oidc", "oidc:alice@example.org", "operator")
    assert house.cli("hosts")[0] == 0
    assert house.cli("token")[0] == 1  # not more than its role
    assert "socket" in house.root("whoami") and "oidc:alice@example.org" in house.cli("whoami")[1]  # another address, where nobody signed in

    # Before the token ends the command line has it renewed, by a refresh token that is good once.
    held = json.loads(path.read_text())
    held["logins"][0]["expires_ms"] = int(time.time() * 1000) + 1000
    path.write_text(json.dumps(held))
    assert house.cli("hosts")[0] == 0 and issuer.refresh == 2
    assert house.cli("hosts")[0] == 0 and issuer.refresh == 2
    assert json.loads(path.read_text())["logins"][0]["refresh_token"] == "refresh-2"

    # The person is no more, or the session was ended at the provider.
    held = json.loads(path.read_text())
    held["logins"][0]["expires_ms"] = 1
    path.write_text(json.dumps(held))
    issuer.answers.append("invalid_grant")
    code, _, said = house.cli("hosts")
    assert code == 1 and "expired: vigil login" in said, said
    assert log_in(house)[0] == 0 and house.cli("hosts")[0] == 0

    assert house.cli("logout")[0] == 0
    assert house.cli("hosts")[0] == 1 and json.loads(path.read_text())["logins"] == []
    log = vigil.aggregator.text() + path.read_text()
    assert "a secret" not in log and "refresh-" not in log and "eyJ" not in log


def test_a_login_that_is_denied_or_too_late_or_not_there_says_so(vigil, issuer, tmp_path):
    house = House(vigil, tmp_path, issuer)
    issuer.answers.extend(["authorization_pending", "access_denied"])
    code, _, said = log_in(house)
    assert code == 1 and "denied" in said and not (house.config / "vigil" / "logins.json").exists(), said
    issuer.answers.append("expired_token")
    code, _, said = log_in(house)
    assert code == 1 and "expired" in said, said
    issuer.person["groups"] = []
    code, out, said = log_in(house)
    assert code == 0 and "You have no role here" in said, said
    assert house.cli("hosts")[0] == 1
    issuer.go_away()
    code, _, said = log_in(house)
    assert code == 3 and "Connection refused" in said.replace("Couldn't connect", "Connection refused"), said
    issuer.come_back()
    said = subprocess.run([BIN / "vigil", "--aggregator", "192.0.2.1:8460", "login"], capture_output=True, text=True, timeout=PATIENCE, env=house.environment())
    assert said.returncode == 2 and "plain text" in said.stderr


def test_without_a_provider_there_is_no_login(vigil, tmp_path):
    vigil.start()
    said = vigil.cli("login", check=False)
    assert said.returncode == 1 and "access.oidc" in said.stderr, said.stderr


def test_the_provider_proves_who_it_is(vigil, tmp_path):
    ours, strangers = Authority(tmp_path, "ours"), Authority(tmp_path, "strangers")
    issuer = Issuer(ours.sign("issuer", f"subjectAltName = IP:{LOOPBACK}\nextendedKeyUsage = serverAuth\n"))
    try:
        house = House(vigil, tmp_path, issuer, f", ca_file: {strangers.pem}")
        code, said = house.http(issuer.token())
        assert code == 401 and "cannot be asked" in said and "certificate" in said, said
        vigil.aggregator.stop()
        house = House(vigil, tmp_path, issuer, f", ca_file: {ours.pem}")
        assert house.http(issuer.token())[0] == 200
        assert log_in(house)[0] == 0 and house.whoami()["role"] == "operator"
    finally:
        issuer.close()


def test_what_is_wrong_with_the_configuration_is_named_at_its_place(tmp_path):
    def check(oidc):
        path = tmp_path / "aggregator.yml"
        path.write_text(f"access:\n  oidc: {oidc}\n")
        done = subprocess.run([BIN / "vigil-aggregator", "--check", "--config", path, "--data-dir", tmp_path / "data"], capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stdout + done.stderr

    good = "issuer: https://id.example.org, client_id: vigil, roles: {ops: operator}"
    assert check("{" + good + "}")[0] == 0
    open_secret = tmp_path / "secret"
    open_secret.write_text("x")
    open_secret.chmod(0o644)
    for oidc, what in (
        ("{issuer: 'http://id.example.org', client_id: vigil, roles: {ops: viewer}}", "issuer"),
        ("{issuer: https://id.example.org, roles: {ops: viewer}}", "client_id"),
        ("{issuer: https://id.example.org, client_id: vigil}", "roles"),
        ("{client_id: vigil, roles: {ops: viewer}}", "issuer"),
        ("{" + good + ", users: {alice: root}}", "users"),
        ("{" + good + ", leeway: 1h}", "leeway"),
        ("{" + good + ", scopes: [email]}", "scopes"),
        ("{" + good + ", ca_file: none.pem}", "none.pem"),
        ("{" + good + f", client_secret_file: {open_secret}" + "}", "chmod 600"),
    ):
        code, said = check(oidc)
        assert code != 0 and what in said and "aggregator.yml:2" in said, (oidc, said)
