"""PromQL and its HTTP answers against Debian's Prometheus, which was sent the same data: thousands of random questions, the same answers.

The seed is printed. VIGIL_DIFFERENTIAL_SEED asks those of an earlier run again; VIGIL_DIFFERENTIAL_COUNT, another number of them;
VIGIL_DIFFERENTIAL_QUERY, one expression only, at an instant and over a range.
"""

import collections
import os
import random
import re
import threading
import time

import pytest

from differential import compare, data, generator, servers

SEED = int(os.environ.get("VIGIL_DIFFERENTIAL_SEED", random.SystemRandom().randrange(1_000_000)))
COUNT = int(os.environ.get("VIGIL_DIFFERENTIAL_COUNT", 2500))
QUERY = os.environ.get("VIGIL_DIFFERENTIAL_QUERY")
MOST_SHOWN = 20

# Where vigil differs on purpose: a pattern of the expression, and why.
DELIBERATE = [
]

pytestmark = pytest.mark.skipif(servers.PROMETHEUS is None, reason="prometheus is not installed")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Both with the same data: connections to vigil and to Prometheus, and the Unix second at which the data begins."""
    from support import Vigil

    vigil = Vigil(tmp_path_factory.mktemp("vigil"))
    prometheus = servers.start_prometheus(tmp_path_factory.mktemp("prometheus"))
    try:
        vigil.start()
        start = int(time.time()) - data.SPAN_S - 30
        ours, theirs = servers.Http(vigil.http), servers.Http(prometheus.address)
        feed(ours, theirs, data.rows(data.build(SEED), start))
        print(f"\nVIGIL_DIFFERENTIAL_SEED={SEED}, data from {start}")
        yield ours, theirs, start
        ours.close()
        theirs.close()
    finally:
        vigil.close()
        prometheus.kill()


def feed(ours, theirs, rows):
    """In the order of time, but for one target, whose samples come last: out of order."""
    late = [row for row in rows if ("instance", "delta:9100") in row[1]]
    on_time = [row for row in rows if ("instance", "delta:9100") not in row[1]]
    for batch in [*data.batches(on_time), *data.batches(late)]:
        ours.write(batch)
        theirs.write(batch)


def ask_all(connection, questions):
    out = []
    for path, parameters, _ in questions:
        began = time.monotonic()
        out.append((connection.ask(path, parameters), time.monotonic() - began))
    return out


def ask_both(ours, theirs, questions):
    answers = {}
    threads = [threading.Thread(target=lambda name=name, connection=connection: answers.update({name: ask_all(connection, questions)}))
               for name, connection in (("ours", ours), ("theirs", theirs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers["ours"], answers["theirs"]


def translated(expression):
    """What Prometheus 3 calls otherwise."""
    return expression.replace("holt_winters(", "double_exponential_smoothing(")


def test_random_questions_have_prometheus_answers(pair):
    ours, theirs, start = pair
    make = generator.Generator(SEED, start)
    if QUERY:
        end = start + data.SPAN_S - 59.5
        questions = [("/api/v1/query", {"query": QUERY, "time": f"{end}"}, False), ("/api/v1/query_range", {"query": QUERY, "start": f"{end - 600}", "end": f"{end}", "step": "60"}, False)]
    else:
        questions = [make.query() for _ in range(COUNT)]
    for_us = [(path, {**parameters, "query": translated(parameters["query"])}, ordered) for path, parameters, ordered in questions]
    mine, their = [], []
    with_threads = [threading.Thread(target=lambda: mine.extend(ask_all(ours, for_us))), threading.Thread(target=lambda: their.extend(ask_all(theirs, questions)))]
    for thread in with_threads:
        thread.start()
    for thread in with_threads:
        thread.join()

    counts, differences, deliberate = collections.Counter(), [], collections.Counter()
    for (path, parameters, ordered), (our_answer, _), (their_answer, _) in zip(questions, mine, their):
        body = their_answer[2]
        found = body["status"] == "success" and body["data"]["result"]
        counts["error" if body["status"] == "error" else "data" if found else "empty"] += 1
        difference = compare.answers(our_answer, their_answer, ordered)
        if not difference:
            continue
        reason = next((why for pattern, why in DELIBERATE if re.search(pattern, parameters["query"])), None)
        if reason:
            deliberate[reason] += 1
        else:
            differences.append(f"{path} {parameters}\n    {difference}")
    print(f"{len(questions)} questions: {dict(counts)}; vigil {sum(s for _, s in mine):.1f} s, Prometheus {sum(s for _, s in their):.1f} s; deliberate: {dict(deliberate)}")
    assert not differences, f"seed {SEED}: {len(differences)} of {len(questions)} answers differ:\n" + "\n".join(differences[:MOST_SHOWN])
    assert QUERY or counts["data"] > len(questions) * 0.7, counts
