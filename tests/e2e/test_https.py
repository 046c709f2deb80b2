"""The HTTP port over TLS, and its limits: who is served, who is not, and that one does not keep the other out."""

import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from support import BIN, LOOPBACK, eventually
from test_tls import Authority, server_section

ELSEWHERE = "127.0.0.250"  # a second source


@pytest.fixture
def ours(tmp_path):
    return Authority(tmp_path, "ours")


def trusting(authority, cert=None, key=None):
    context = ssl.create_default_context(cafile=authority.pem)
    if cert:
        context.load_cert_chain(cert, key)
    return context


def ask(vigil, path, context, token=None):
    """Status and body, over https."""
    host, port = vigil.http.rsplit(":", 1)
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=30)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def started(vigil, authority, more="", client_ca=""):
    return vigil.start(server_section(authority, client_ca) + "http: {tls: on%s}\n" % more)


def figure(vigil, authority, name):
    status, text = ask(vigil, "/metrics", trusting(authority), vigil.token)
    assert status == 200, text
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def make_token(vigil, role="admin"):
    made = subprocess.run([BIN / "vigil", "--aggregator", f"unix:{vigil.data}/vigil.sock", "token", "create", role, "--role", role], capture_output=True, text=True, timeout=60)
    return re.search(r"vgl_\w+", made.stdout + made.stderr).group(0)


def test_https_is_served_to_who_trusts_its_authority_and_asks_with_a_token(vigil, ours, tmp_path):
    started(vigil, ours)
    assert "https=" in vigil.aggregator.text()
    assert ask(vigil, "/healthz", trusting(ours)) == (200, "ok\n")
    assert ask(vigil, "/api/v1/query?query=1", trusting(ours))[0] == 401  # over TLS everybody is from away
    status, body = ask(vigil, "/api/v1/query?query=1", trusting(ours), make_token(vigil, "viewer"))
    assert status == 200 and json.loads(body)["data"]["result"][1] == "1"
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(vigil, "/healthz", trusting(Authority(tmp_path, "strangers")))
    # Who still speaks plain HTTP is told the way.
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://{vigil.http}/healthz", timeout=30)
    assert refused.value.code == 400 and b"use https://" in refused.value.read()


def test_large_answers_and_many_requests_of_one_connection_arrive_whole_over_tls(vigil, ours):
    started(vigil, ours)
    token = make_token(vigil)
    host, port = vigil.http.rsplit(":", 1)
    connection = http.client.HTTPSConnection(host, int(port), context=trusting(ours), timeout=60)
    for _ in range(20):
        connection.request("GET", "/api/v1/query_range?query=vector(1)&start=0&end=10000&step=1", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        assert answer.status == 200
        assert len(json.loads(answer.read())["data"]["result"][0]["values"]) == 10_001


def test_only_tls_1_3_is_spoken_over_http(vigil, ours):
    started(vigil, ours)
    old = trusting(ours)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        ask(vigil, "/healthz", old)
    eventually("it is counted", lambda: figure_of_failed(vigil, ours) == 1)


def figure_of_failed(vigil, ours):
    vigil.token = getattr(vigil, "token", None) or make_token(vigil)
    return figure(vigil, ours, 'vigil_aggregator_connections_ended_total{port="http",reason="handshake"}')


def test_a_certificate_that_changes_is_taken_without_a_new_start(vigil, ours):
    started(vigil, ours)
    host, port = vigil.http.rsplit(":", 1)
    kept = http.client.HTTPSConnection(host, int(port), context=trusting(ours), timeout=60)
    kept.request("GET", "/healthz")
    assert kept.getresponse().read() == b"ok\n"
    shown = lambda: ssl.get_server_certificate((host, int(port)), ca_certs=ours.pem)
    before = shown()
    (ours.folder / "ours-server.pem").write_text("no certificate")
    vigil.aggregator.wait_for("the certificate files cannot be used, those from before go on")
    assert shown() == before
    server_section(ours)  # signs another one, into the same files
    eventually("the new one is shown", lambda: shown() != before)
    kept.request("GET", "/healthz")  # who was there stays
    assert kept.getresponse().read() == b"ok\n"


def test_a_client_certificate_gives_the_role_that_it_gives_over_grpc(vigil, ours, tmp_path):
    client = "extendedKeyUsage = clientAuth\n"
    alice, alice_key = ours.sign("alice", client)
    host, host_key = ours.sign("web-1", client)
    stranger, stranger_key = Authority(tmp_path, "strangers").sign("alice", client)
    vigil.start(server_section(ours, f", client_ca: {ours.pem}") + "http: {tls: on}\naccess: {certificates: {alice: viewer}}\n")
    query = "/api/v1/query?query=1"
    assert ask(vigil, query, trusting(ours, alice, alice_key))[0] == 200
    assert ask(vigil, query, trusting(ours, host, host_key))[0] == 403
    assert ask(vigil, query, trusting(ours))[0] == 401  # none is needed to ask
    with pytest.raises((ssl.SSLError, OSError, http.client.RemoteDisconnected)):
        ask(vigil, "/healthz", trusting(ours, stranger, stranger_key))


def test_the_own_authority_serves_http_and_knows_whom_it_revoked(vigil, tmp_path):
    made = subprocess.run([BIN / "vigil-aggregator", "init", "--data-dir", vigil.data, "--name", "localhost", "--name", LOOPBACK, "--person", "me", "--out", tmp_path / "me"],
                          capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stderr
    vigil.start("http: {tls: on}\n")
    authority = type("Own", (), {"pem": tmp_path / "me" / "ca.pem"})
    me = trusting(authority, tmp_path / "me" / "me.pem", tmp_path / "me" / "me.key")
    query = "/api/v1/query?query=1"
    host, port = vigil.http.rsplit(":", 1)
    kept = http.client.HTTPSConnection(host, int(port), context=me, timeout=30)
    kept.request("GET", query)
    first = kept.getresponse()
    assert first.read() and first.status == 200
    assert ask(vigil, query, trusting(authority))[0] == 401
    subprocess.run([BIN / "vigil", "--aggregator", f"unix:{vigil.data}/vigil.sock", "certificate", "revoke", "--person", "me"], check=True, capture_output=True, timeout=60)
    status, said = ask(vigil, query, me)
    assert status == 403 and "was revoked at" in said
    kept.request("GET", query)
    assert kept.getresponse().status == 403, "on a connection of before, too"


def crowd_from(source, vigil, count, first=b""):
    host, port = vigil.http.rsplit(":", 1)
    crowd = []
    for _ in range(count):
        one = socket.create_connection((host, int(port)), timeout=30, source_address=(source, 0))
        if first:
            one.sendall(first)
        crowd.append(one)
    return crowd


def healthz_from(source, vigil):
    host, port = vigil.http.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=30, source_address=(source, 0))
    connection.request("GET", "/healthz", headers={"Host": "localhost"})
    return connection.getresponse().status


def plain_figure(vigil, name):
    text = urllib.request.urlopen(f"http://{vigil.http}/metrics", timeout=30).read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def test_one_source_has_its_limit_and_another_is_served(vigil):
    vigil.start("http: {max_per_source: 5}\n")
    crowd = crowd_from(ELSEWHERE, vigil, 30)
    refused = [one for one in crowd if b"503" in answer_now(one)]
    assert len(refused) >= 20  # those that came within the second in which nobody is displaced
    assert healthz_from(LOOPBACK, vigil) == 200
    assert plain_figure(vigil, 'vigil_aggregator_connections_refused_total{port="http",reason="source"}') == len(refused)
    assert vigil.aggregator.text().count("one source has as many as http.max_per_source") == 1  # one line, however many
    # Who only waits cannot keep others of his own source out for longer than that second.
    eventually("the crowded source is served, too", lambda: healthz_from(ELSEWHERE, vigil) == 200)


def answer_now(connection):
    """What has come by the time the next answer is there: the server answers refusals in the order of coming."""
    connection.settimeout(0.5)
    try:
        return connection.recv(1000)
    except (TimeoutError, ConnectionError):
        return b""


def test_new_connections_a_second_have_a_limit_for_each_source(vigil):
    vigil.start("http: {new_per_source: 1, max_per_source: 1000}\n")
    for _ in range(20):
        assert healthz_from(ELSEWHERE, vigil) == 200
    crowd = crowd_from(ELSEWHERE, vigil, 10)
    assert sum(b"503" in answer_now(one) for one in crowd[:5]) >= 1
    assert healthz_from(LOOPBACK, vigil) == 200
    assert plain_figure(vigil, 'vigil_aggregator_connections_refused_total{port="http",reason="rate"}') >= 1


def test_slow_clients_are_dropped_and_keep_nobody_out_meanwhile(vigil):
    vigil.start("http: {max_connections: 8, header_timeout: 2s}\n")
    crowd = crowd_from(ELSEWHERE, vigil, 40, b"GET /healthz HTTP/1.1\r\nX-Slow: ")
    begin = time.monotonic()
    assert healthz_from(LOOPBACK, vigil) == 200
    assert time.monotonic() - begin < 2 or os.environ.get("PYTEST_XDIST_WORKER")
    for one in crowd:
        one.settimeout(30)
        try:
            while one.recv(1000):
                pass
        except ConnectionError:
            pass  # closed, after all
    assert plain_figure(vigil, 'vigil_aggregator_connections_ended_total{port="http",reason="slow"}') >= 1
    assert plain_figure(vigil, 'vigil_aggregator_connections_ended_total{port="http",reason="room"}') >= 1


def test_the_doctor_finds_its_way_over_https(vigil, ours):
    started(vigil, ours)
    said = subprocess.run([BIN / "vigil-aggregator", "doctor", "-o", "json", "--config", vigil.folder / "aggregator.yml", "--data-dir", vigil.data, "--grpc-listen", vigil.grpc,
                           "--http-listen", vigil.http], capture_output=True, text=True, timeout=60)
    found = [finding for finding in json.loads(said.stdout) if finding["about"].startswith("http_listen")]
    assert ["the daemon listens", "is ready"] == [finding["seen"] for finding in found], said.stdout
