"""The aggregator killed -9 at every moment between the change of an alert and the note that it was told: each message arrives, and a crash
repeats one of a channel at most.

VIGIL_KILLS says how often, VIGIL_SEED draws other moments."""

import collections
import concurrent.futures
import datetime
import http.client
import http.server
import json
import os
import random
import socket
import sys
import threading
import time

import pytest
from support import PATIENCE, Vigil, eventually, metric
from test_remote_write import V1, body_v1, snappy

KILLS = int(os.environ.get("VIGIL_KILLS", 204))
LANES = 6  # aggregators side by side: much of the time they wait
SEED = int(os.environ.get("VIGIL_SEED", 1))
KILLS_PER_FOLDER = 100
HOSTS = [f"web-{n}" for n in range(6)]
PATIENT = HOSTS[:3]  # change only once the last change was told, so that no channel has several of them to tell at once
OWN, GROUPS = ("/own-a", "/own-b"), "/groups"
BUSY = 3 * PATIENCE  # on a busy disk, too
LATE = 0.02  # seconds an answer takes now and then

# What happens just before a kill, and how long before at most, in seconds.
MOMENTS = {
    "pushed": 0.02,  # a sample that begins or ends an alert is on its way
    "connected": 0.002,  # the request is on its way
    "arrived": 0.002,  # and not answered
    "half": 0.001,  # half of an answer is on its way
    "answered": 0.003,  # all of it, and perhaps noted
    "refused": 0.003,
}

Moment = collections.namedtuple("Moment", "kind delay")
Arrival = collections.namedtuple("Arrival", "channel epoch key refused said")
Said = collections.namedtuple("Said", "host began status")  # of one alert: since when it fired, and whether it does


class Killed(Exception):
    pass


def milliseconds(text):
    return round(datetime.datetime.fromisoformat(text).timestamp() * 1000)


def said_in(body):
    """What a message of either format says of alerts."""
    return [Said(alert["labels"]["instance"], milliseconds(alert.get("fired_at") or alert["startsAt"]), alert["status"])
            for alert in json.loads(body)["alerts"]]


class Handler(http.server.BaseHTTPRequestHandler):
    def handle(self):
        self.moment = self.server.moment_of_request()
        if self.moment.kind == "connected":
            self.server.kill_after(self.moment)
        else:
            super().handle()

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:  # it was killed as it sent
            return
        kind, refused = self.moment.kind, self.moment.kind == "refused"
        self.server.note(Arrival(self.path, self.server.epoch, self.headers["Idempotency-Key"], refused, said_in(body)))
        if kind == "late":
            time.sleep(self.moment.delay)
        if kind == "half":
            self.wfile.write(b"HTTP/1.0 200 OK\r\n")
        elif kind != "arrived":
            self.send_response(503 if refused else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()
        if kind in MOMENTS:
            self.server.kill_after(self.moment)

    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


class Sink(http.server.ThreadingHTTPServer):
    """Takes messages at once or late, and kills their sender when the moment has come."""

    def __init__(self, choose, kill):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.choose, self.kill = choose, kill
        self.news = threading.Condition()  # protects what follows
        self.epoch = 0  # how often the sender was killed
        self.arrivals = []
        self.latest = {}  # what was said last, by channel and host
        self.trap, self.requests_left = None, 0
        self.busy = 0
        self.broken = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def set_trap(self, moment, requests):
        with self.news:
            self.trap, self.requests_left = moment, requests

    def moment_of_request(self):
        with self.news:
            self.requests_left -= 1
            if self.trap and self.requests_left == 0:
                return self.trap
            return Moment(*self.choose.choice([("at once", 0), ("at once", 0), ("late", self.choose.uniform(0, LATE))]))

    def kill_after(self, moment):
        time.sleep(moment.delay)
        self.kill()
        with self.news:
            self.news.notify_all()

    def note(self, arrival):
        with self.news:
            self.arrivals.append(arrival)
            self.latest.update({} if arrival.refused else {(arrival.channel, said.host): said for said in arrival.said})
            self.news.notify_all()

    def wait_for(self, check):
        with self.news:
            assert self.news.wait_for(check, BUSY), f"not within {BUSY} s; told at last: {self.latest}"

    def turn_epoch(self):
        """After the sender has ended: all that it sent counts as its own."""
        with socket.create_connection(self.server_address) as last:  # connections are accepted in their order
            last.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert last.recv(1)
        with self.news:
            assert self.news.wait_for(lambda: self.busy == 0, BUSY)
            self.epoch += 1

    def process_request(self, request, client_address):
        with self.news:
            self.busy += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.news:
                self.busy -= 1
                self.news.notify_all()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # the sender was killed
            self.broken.append(sys.exc_info()[1])

    def close(self):
        self.shutdown()
        self.server_close()


class Lane:
    """One data folder, its sink, and what alerts did: the model that the sink's arrivals are held against."""

    def __init__(self, folder, lane, choose):
        folder.mkdir()
        self.choose = choose
        self.vigil = Vigil(folder)
        self.vigil.grpc = self.vigil.http = f"127.0.0.{101 + lane}:0"  # nobody else's connection has its port while it is away
        self.killed = threading.Event()
        self.sink = Sink(choose, self.kill)
        self.wanted = dict.fromkeys(HOSTS, False)  # whether its alert is to fire
        self.episodes = {host: [] for host in HOSTS}  # since when it fired, each time it did
        self.moved = set()  # hosts that changed in the last round
        self.last_ms = 0
        self.trap = None
        self.pushes_left = 0
        self.config = self.write_config()

    def write_config(self):
        # A rule for each host, for a receiver of its own would have many messages of one rule as a digest.
        rules = "".join(f"  - {{alert: High-{host}, expr: 'load{{instance=\"{host}\"}} > 5', labels: {{severity: critical}}}}\n" for host in HOSTS)
        (self.vigil.folder / "rules.yml").write_text("groups:\n- name: test\n  interval: 1ms\n  rules:\n" + rules)
        (self.vigil.folder / "alertmanager.yml").write_text(f"""
route: {{receiver: all, group_by: [team], group_wait: 0s, group_interval: 1ms}}
receivers: [{{name: all, webhook_configs: [{{url: '{self.sink.url}/groups'}}]}}]
""")
        own = ", ".join(f"{{name: {path[1:]}, webhook: {{url: '{self.sink.url}{path}'}}}}" for path in OWN)
        return f"""
rules: {{preset: none, files: [{self.vigil.folder}/rules.yml]}}
notifications: {{alertmanager_file: alertmanager.yml, timeout: 5m, receivers: [{own}]}}
store: {{commit_interval: 5ms}}
"""

    def kill(self):
        self.vigil.aggregator.child.kill()
        self.killed.set()

    # One life of the aggregator.

    def live(self):
        """Starts it, has alerts fire and end until it is killed, and counts what it still sent."""
        kind = self.choose.choice(list(MOMENTS))
        self.trap = Moment(kind, self.choose.uniform(0, MOMENTS[kind]))
        self.pushes_left = self.choose.randrange(1, 5) if kind == "pushed" else 0
        self.sink.set_trap(None if kind == "pushed" else self.trap, self.choose.randrange(1, 16))
        self.killed.clear()
        try:
            self.start()
            while True:
                self.change()
        except (Killed, OSError, RuntimeError) as error:  # refused, cut off, ended as it started
            assert self.killed.wait(BUSY), f"nobody killed it: {error!r}"
        self.vigil.aggregator.kill()
        self.sink.turn_epoch()

    def start(self):
        self.vigil.start(self.config)
        self.connection = http.client.HTTPConnection(*self.vigil.http.split(":"), timeout=BUSY)
        self.push()  # a sender goes on where it was
        self.confirm()

    def change(self):
        """Some alerts begin or end, none of them in two rounds in a row: the groups look at all in between."""
        able, heard = self.able_to_change(), len(self.sink.arrivals)
        self.moved = set(self.choose.sample(able, self.choose.randrange(1, len(able) + 1))) if able else set()
        for host in self.moved:
            self.wanted[host] = not self.wanted[host]
        self.push()
        self.confirm()
        if able:  # changes must not run away from messages
            self.sink.wait_for(lambda: self.killed.is_set() or len(self.sink.arrivals) > heard)

    def able_to_change(self):
        return [host for host in HOSTS if host not in self.moved and (host not in PATIENT or self.is_told(host))]

    def is_told(self, host):
        """Whether the groups' receiver knows how it is."""
        began = self.episodes[host]
        expected = Said(host, began[-1], "firing" if self.wanted[host] else "resolved") if began else None
        return self.sink.latest.get((GROUPS, host)) == expected

    # What is asked of the aggregator.

    def request(self, method, path, body=None):
        try:
            self.connection.request(method, path, body, {"Content-Type": V1, "Content-Encoding": "snappy"} if body else {})
            self.pushes_left -= body is not None
            if body and self.trap and self.trap.kind == "pushed" and self.pushes_left == 0:
                self.sink.kill_after(self.trap)
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except (http.client.HTTPException, OSError) as error:
            self.connection.close()
            raise ConnectionError(f"{method} {path}") from error

    def push(self):
        self.last_ms = max(self.last_ms + 1, int(time.time() * 1000))
        loads = [({"__name__": "load", "instance": host, "team": "even" if number % 2 == 0 else "odd"}, [(self.last_ms, 9 if self.wanted[host] else 1)])
                 for number, host in enumerate(HOSTS)]
        body = snappy(body_v1(*loads))
        self.until("samples are taken", lambda: self.request("POST", "/api/v1/write", body)[0] == 204)  # on a slow disk not at once

    def until(self, what, check):
        """The first true value of check(), unless it is killed before."""
        value = eventually(what, lambda: self.killed.is_set() or check(), BUSY)
        if self.killed.is_set():
            raise Killed
        return value

    def firing_as_wanted(self):
        status, text = self.request("GET", "/api/v2/alerts")
        assert status == 200, (status, text)
        firing = {alert["labels"]["instance"]: milliseconds(alert["startsAt"]) for alert in json.loads(text)}
        assert firing.keys() == {host for host in HOSTS if self.wanted[host]}, firing
        return [firing]

    def confirm(self):
        """Waits until what fires is what is wanted, and is stored: that must be told, whatever happens."""
        [firing] = self.until("alerts are as wanted", self.firing_as_wanted)
        # The thread that stores alerts answers this: it has stored what was shown before.
        self.until("what was shown is stored", lambda: self.request("DELETE", "/api/v2/silence/none")[0] == 404)
        for host, began in firing.items():
            if host in self.moved or not self.episodes[host]:
                self.episodes[host] += [began] if began not in self.episodes[host] else []
            assert self.episodes[host][-1] == began, f"{host} fires anew, though it had not ended"

    # What must be so at the end.

    def finish(self):
        """A last life, in which all alerts end and all is told."""
        self.trap = None
        self.sink.set_trap(None, 0)
        self.killed.clear()
        self.start()
        self.sink.wait_for(lambda: all(map(self.is_told, HOSTS)))
        self.wanted, self.moved = dict.fromkeys(HOSTS, False), set(HOSTS)
        self.push()
        self.confirm()
        self.sink.wait_for(lambda: all(map(self.is_told, HOSTS)))
        eventually("nothing waits", lambda: metric(self.vigil, "vigil_notifications_waiting") == 0)
        self.close()
        assert not self.sink.broken, self.sink.broken
        assert "could not be read" not in self.vigil.aggregator.text()

    def arrivals(self):
        """Those of each channel."""
        for channel in (*OWN, GROUPS):
            yield channel, [arrival for arrival in self.sink.arrivals if arrival.channel == channel]

    def judge_completeness(self):
        must = {Said(host, began, status) for host in HOSTS for began in self.episodes[host] for status in ("firing", "resolved")}
        for channel, arrivals in self.arrivals():
            told = {said for arrival in arrivals for said in arrival.said if not arrival.refused}
            assert told <= must, f"{channel} is told what never was: {sorted(told - must)[:5]}"
            lost = must - told
            if channel == GROUPS:  # messages of a group that wait become one, which leaves out what was over or began anew by then
                lost = {said for said in lost if said.host in PATIENT}
            assert not lost, f"{channel} was never told {sorted(lost)[:5]}"

    def judge_order(self, repeated):
        """Of all that is said of an alert, or only of what was not said before."""
        for channel, arrivals in self.arrivals():
            latest, known = {}, set()
            for said in (said for arrival in arrivals for said in arrival.said):
                place = (said.began, said.status == "resolved")
                is_news = said not in known
                known.add(said)
                if is_news or repeated:
                    assert place >= latest.get(said.host, place), f"{channel} is told {said} after {latest[said.host]}"
                    latest[said.host] = place

    def judge_repetitions(self):
        """What was taken comes again only after a crash, and with its key; of all that was taken before a crash one message at most."""
        for channel, arrivals in self.arrivals():
            taken, repeated = {}, collections.defaultdict(set)
            for arrival in arrivals:
                # A message of a group lists all that fires, and may be one with an older one that waited: ends are what comes once.
                for said in (said for said in arrival.said if channel != GROUPS or said.status == "resolved"):
                    before = taken.get(said)
                    if before:
                        assert before.epoch < arrival.epoch, f"{channel} is told twice of {said}, and nobody was killed"
                        assert channel == GROUPS or before.key == arrival.key, f"{channel} is told of {said} as {before.key} and as {arrival.key}"
                        repeated[before.epoch].add(before.key)
                    if not arrival.refused:
                        taken[said] = arrival
            most = max(repeated.values(), key=len, default=())
            assert len(most) <= 1, f"{channel}: a crash repeated {len(most)} messages: {sorted(most)}"

    def close(self):
        self.vigil.close()
        if self.sink.fileno() >= 0:
            self.sink.close()


def kill_in_a_lane(folder, number, kills):
    """Lanes with so many kills in all, one after the other."""
    choose, lanes = random.Random(SEED * 1000 + number), []
    for done in range(0, kills, KILLS_PER_FOLDER):
        lane = Lane(folder / f"{number}-{done}", number, choose)
        try:
            for _ in range(min(KILLS_PER_FOLDER, kills - done)):
                lane.live()
            lane.finish()
        finally:
            lane.close()
        lanes.append(lane)
    return lanes


@pytest.fixture(scope="module")
def lanes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lanes")
    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        running = [pool.submit(kill_in_a_lane, folder, number, -(-KILLS // LANES)) for number in range(LANES)]
        return [lane for done in concurrent.futures.as_completed(running) for lane in done.result()]


def test_kill_9_between_any_two_steps_of_a_message_loses_none(lanes):
    for lane in lanes:
        lane.judge_completeness()
        lane.judge_order(repeated=False)


def test_a_crash_repeats_one_message_of_a_channel_at_most_and_in_order(lanes):
    for lane in lanes:
        lane.judge_repetitions()
        lane.judge_order(repeated=True)
