"""Some hundred series over an hour: counters that reset, gauges, NaN and infinities, gaps, staleness markers, histograms, many labels.

Samples lie 137 ms past a whole second, questions are asked 500 ms past one, steps, ranges and offsets are whole seconds, and a subquery looks at
whole seconds: so no sample ever lies on the edge of a range. There Prometheus 2 (closed on the left) and 3 (open on the left) differ.
"""

import math
import random
import struct

from differential.remote_write import STALE_BYTES

SPAN_S = 3600
RESIDUE_MS = 137
INSTANCES = [("alpha:9100", "api"), ("beta:9100", "api"), ("gamma:9100", "web"), ("delta:9100", "web"), ("epsilon:9100", "batch")]
BOUNDS = ["0.005", "0.01", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "10", "+Inf"]
NAN = struct.pack("<Q", 0x7FF8000000000001)


class Series:
    """Labels, and a value (or None: no sample) for each instant of its own grid."""

    def __init__(self, name, labels, value, every=15):
        self.labels = tuple(sorted({"__name__": name, **labels}.items()))
        self.value = value
        self.every = every

    def samples(self, start_s, phase):
        for k in range(SPAN_S // self.every):
            value = self.value(k * self.every)
            if value is not None:
                yield (start_s + phase + k * self.every) * 1000 + RESIDUE_MS, value


def counter(rng, rate, start, resets=()):
    """Grows by about `rate` a second; begins anew at near zero after each of `resets`. The increments are irregular, so that no rate is round."""
    total, last, pending = start, 0, list(resets)

    def value(t):
        nonlocal total, last
        if pending and t >= pending[0]:
            pending.pop(0)
            total = rng.randint(0, 20)
        total += rng.randint(0, max(1, int(2 * rate * (t - last)))) if t > last else 0
        last = t
        return float(total)

    return value


def fractional(rng, rate, start):
    whole = counter(rng, rate * 1000, start * 1000)
    return lambda t: whole(t) / 1000


def wave(rng, middle, swing, period, decimals=2):
    phase = rng.random() * 2 * math.pi
    return lambda t: round(middle + swing * math.sin(2 * math.pi * t / period + phase) + rng.gauss(0, swing / 20), decimals)


def walk(rng, least, most):
    now = rng.randint(least, most)

    def value(_):
        nonlocal now
        now = min(most, max(least, now + rng.randint(-3, 3)))
        return float(now)

    return value


def with_gaps(value, gaps):
    """No samples within the (from, to) of `gaps`."""
    return lambda t: None if any(start <= t < end for start, end in gaps) else value(t)


def with_markers(value, ends):
    """A staleness marker at each `from`, then nothing until `to`."""

    def marked(t):
        for start, end in ends:
            if start <= t < end:
                return STALE_BYTES if t - start < 15 else None
        return value(t)

    return marked


def odd_shapes(rng):
    some = wave(rng, 10, 5, 700)
    return {
        "nan": lambda t: NAN,
        "inf": lambda t: math.inf,
        "minus_inf": lambda t: -math.inf,
        "now_and_then_nan": lambda t: NAN if t % 150 == 45 else some(t),
        "now_and_then_inf": lambda t: math.inf if t % 210 == 60 else some(t),
        "both_inf": lambda t: math.copysign(math.inf, -1 if t % 30 else 1),
        "zero": lambda t: 0.0,
        "minus_zero": lambda t: -0.0,
        "huge": lambda t: 1.5e300 + t * 1e296,
        "tiny": lambda t: 2.5e-300 * (1 + t),
        "negative": wave(rng, -1000, 400, 500),
        "constant": lambda t: 42.0,
        "alternating": lambda t: float(t // 15 % 2),
        "full_mantissa": lambda t: rng.random() / 3,
    }


def build(seed):
    rng = random.Random(seed)
    out = []

    def add(name, labels, value, every=15):
        out.append(Series(name, labels, value, every))

    for at, (instance, job) in enumerate(INSTANCES):
        own = {"instance": instance, "job": job}
        for method in ("GET", "POST", "PUT"):
            for code in ("200", "404", "500"):
                resets = sorted(rng.sample(range(600, SPAN_S), rng.randint(0, 2)))
                add("dt_requests_total", {**own, "method": method, "code": code}, counter(rng, rng.choice([1, 7, 40]), rng.randint(10**6, 10**8), resets))
        for cpu in range(3):
            for mode in ("user", "system", "idle"):
                add("dt_cpu_seconds_total", {**own, "cpu": str(cpu), "mode": mode}, fractional(rng, rng.choice([0.05, 0.2, 0.8]), rng.randint(1000, 9000)))
        for sensor in ("board", "disk", "inlet"):
            add("dt_temperature_celsius", {**own, "sensor": sensor}, wave(rng, rng.randint(20, 60), rng.randint(2, 15), rng.choice([300, 900, 2400])))
        for kind in ("used", "free", "cached"):
            middle = rng.randint(10**9, 10**10)
            add("dt_memory_bytes", {**own, "kind": kind}, wave(rng, middle, middle // 5, rng.choice([400, 1300]), 0))
        for queue in ("mail", "jobs"):
            add("dt_queue_length", {**own, "queue": queue}, walk(rng, 0, 30))
        buckets(rng, own, add)
        add("dt_info", {**own, "version": f"1.{at}.0", "zone": "east" if at % 2 else "west"}, lambda t: 1.0)
        add("dt_start_time_seconds", own, lambda t, s=1.7e9 + rng.randint(0, 10**7): s, 30)
        add("dt_slow", own, wave(rng, 100, 30, 3000), 60)
        add("dt_fast", own, wave(rng, 5, 2, 200, 3), 5)
        add("dt_gappy", {**own, "gap": "short"}, with_gaps(wave(rng, 50, 10, 600), [(500 + 90 * at, 620 + 90 * at), (2000, 2100)]))
        add("dt_gappy", {**own, "gap": "long"}, with_gaps(wave(rng, 80, 10, 600), [(900 + 100 * at, 1500 + 100 * at)]))
        add("dt_late_total", own, with_gaps(counter(rng, 5, 10**9), [(0, 600 + 300 * at)]))
        add("dt_ended", {**own, "pod": f"pod-{at}"}, with_markers(wave(rng, 7, 3, 800), [(700 + 200 * at, 1300 + 200 * at), (3000, SPAN_S)]))
    for shape, value in odd_shapes(rng).items():
        add("dt_odd", {"instance": "alpha:9100", "job": "api", "shape": shape}, value)
    for n in range(6):
        labels = {f"label_{letter}": f"{letter}{n * k % 4}" for k, letter in enumerate("bcdefghijk")}
        labels.update(text=['say "hi"', "back\\slash", "Grüße", "日本", "a b", "x=y,{z}"][n], n=str(n))
        add("dt_labelled", {"instance": "gamma:9100", "job": "web", **labels}, walk(rng, 0, 100))
    return out


def buckets(rng, own, add):
    """One histogram: what is observed in each interval is drawn once for all its buckets."""
    observed = {}
    weights = [rng.random() for _ in BOUNDS]

    def up_to(t, at):
        while len(observed) <= t // 15:
            before = observed.get(len(observed) - 1, [10**6 * (k + 1) for k in range(len(BOUNDS))])
            fresh = [0] * len(BOUNDS)
            for drawn in rng.choices(range(len(BOUNDS)), weights, k=rng.randint(20, 60)):
                for k in range(drawn, len(BOUNDS)):
                    fresh[k] += 1
            observed[len(observed)] = [a + b for a, b in zip(before, fresh)]
        return float(observed[t // 15][at])

    for at, bound in enumerate(BOUNDS):
        add("dt_duration_seconds_bucket", {**own, "le": bound}, lambda t, at=at: up_to(t, at))
    add("dt_duration_seconds_count", own, lambda t: up_to(t, len(BOUNDS) - 1))
    add("dt_duration_seconds_sum", own, lambda t: round(up_to(t, len(BOUNDS) - 1) * 0.137, 3))


def phase_of(series):
    """Seconds by which a target's grid is shifted, the same for all series of a target: as scrapes are."""
    instance = dict(series.labels)["instance"]
    return [name for name, _ in INSTANCES].index(instance) * 3


def rows(all_series, start_s):
    """All samples as (time, labels, value), oldest first."""
    out = []
    for series in all_series:
        out += [(t_ms, series.labels, value) for t_ms, value in series.samples(start_s, phase_of(series))]
    out.sort(key=lambda row: row[0])
    return out


def batches(all_rows, size=5000):
    """Bodies of write requests in the order of time: as pairs of labels and samples."""
    for start in range(0, len(all_rows), size):
        by_series = {}
        for t_ms, labels, value in all_rows[start : start + size]:
            by_series.setdefault(labels, []).append((t_ms, value))
        yield list(by_series.items())
