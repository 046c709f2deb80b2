"""Random PromQL that means the same to Prometheus 2.42 and to Prometheus 3, and mostly finds data.

A grammar with weights: `Generator(seed, ...).query()` gives the next question. What two right implementations may answer differently is not
asked: a step function (floor, ==, topk's choice) of a value that rounding may move across the step gets only operands that are exact.
"""

import random
from dataclasses import dataclass, field

from differential.data import BOUNDS, INSTANCES, SPAN_S

OWN = {"instance": [name for name, _ in INSTANCES], "job": ["api", "web", "batch"]}


@dataclass(frozen=True)
class Metric:
    name: str
    kind: str  # counter, gauge, odd, bucket
    labels: dict = field(hash=False)
    distinct: bool = False  # no two series have the same value at an instant, as good as surely
    only: tuple = ()  # the one target that has it


METRICS = [
    Metric("dt_requests_total", "counter", {"method": ["GET", "POST", "PUT"], "code": ["200", "404", "500"]}, True),
    Metric("dt_cpu_seconds_total", "counter", {"cpu": ["0", "1", "2"], "mode": ["user", "system", "idle"]}, True),
    Metric("dt_temperature_celsius", "gauge", {"sensor": ["board", "disk", "inlet"]}),
    Metric("dt_memory_bytes", "gauge", {"kind": ["used", "free", "cached"]}, True),
    Metric("dt_queue_length", "gauge", {"queue": ["mail", "jobs"]}),
    Metric("dt_duration_seconds_bucket", "counter", {"le": BOUNDS}),
    Metric("dt_duration_seconds_count", "counter", {}),
    Metric("dt_duration_seconds_sum", "counter", {}),
    Metric("dt_info", "gauge", {"zone": ["east", "west"]}),
    Metric("dt_start_time_seconds", "gauge", {}, True),
    Metric("dt_slow", "gauge", {}),
    Metric("dt_fast", "gauge", {}),
    Metric("dt_gappy", "odd", {"gap": ["short", "long"]}),
    Metric("dt_late_total", "counter", {}, True),
    Metric("dt_ended", "odd", {"pod": [f"pod-{n}" for n in range(5)]}),
    Metric("dt_odd", "odd", {"shape": ["nan", "inf", "now_and_then_nan", "both_inf", "zero", "minus_zero", "huge", "tiny", "negative", "constant"]}, only=INSTANCES[0]),
    Metric("dt_labelled", "gauge", {"n": list("012345"), "text": ["a b", "Grüße", "日本", 'say "hi"']}, only=INSTANCES[2]),
]
BY_NAME = {metric.name: metric for metric in METRICS}

SMOOTH = ["abs", "sqrt", "exp", "ln", "log2", "log10", "deg", "rad", "sinh", "cosh", "tanh", "asinh", "acosh", "atan", "atanh", "acos", "asin"]
WAVES = ["sin", "cos", "tan"]
DATES = ["hour", "minute", "month", "year", "day_of_month", "day_of_week", "day_of_year", "days_in_month"]
OVER_TIME = ["avg", "min", "max", "sum", "count", "stddev", "stdvar", "last", "present"]
EXACT_OVER_TIME = ["min", "max", "count", "last", "present"]
ON_COUNTERS = ["rate", "increase", "irate"]
ON_GAUGES = ["delta", "deriv", "idelta", "changes", "resets"]
AGGREGATIONS = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]
ARITHMETIC = ["+", "-", "*", "/", "%", "^", "atan2"]  # atan2 not of selectors: in Prometheus 2 it keeps their names
COMPARISON = ["==", "!=", ">", "<", ">=", "<="]
RANGES = ["15s", "40s", "1m", "90s", "2m", "5m", "7m", "10m", "15m", "1h"]

ERRORS = [
    "{v} +", "sum({v}", "{v})", "sum by (instance {v}", "rate({v})", "rate({s})", "rate({m})[5m]", "nosuchfunction({v})", "abs({v}, {v})", "abs()", "abs({m})",
    "{m} + 1", "-{m}", "sum({m})", "topk({v}, {v})", "topk({v})", "topk(1)", "count_values(1, {v})", "{{}}", '{{job=""}}', '{{job=~".*"}}', '{v} offset', "{s} offset 1m",
    "{v}[5m] offset 1m", "({v})[5m]", "{s}[5m]", "{v}[0s]", "{v}[5]m", "{v}[5m", 'dt_info{{job="api"', "dt_info{{job=api}}", "dt_info{{job}}", 'dt_info{{job~"a"}}',
    'dt_info{{job=~"("}}', 'dt_info{{job=~"a**"}}', 'dt_info{{__name__="other"}}', '"text" + 1', '{v} + "text"', "1 == 1", "1 > bool {v} bool 2", "{v} bool + {v}",
    "1 and 2", "{v} and 1", "1 or {v}", "{v} + on(instance) 1", "{v} and on(instance) group_left() {v}", "dt_info + group_left() dt_info",
    "dt_cpu_seconds_total + on(instance) dt_info", "dt_info + on(instance) dt_cpu_seconds_total", "dt_memory_bytes * on(job) group_left dt_info",
    "{v} + on(instance) ignoring(job) {v}", "{v} * on(instance) group_left(instance) {v}", 'label_replace({v}, "1bad", "x", "job", "(.*)")',
    'label_replace({v}, "x", "$1", "job", "(")', 'label_join({v}, "1bad", "-", "job")', 'label_replace({v}, "x", "$1", "job")', 'label_replace(dt_info, "instance", "same", "job", ".*")',
    "histogram_quantile({v}, {v})", "clamp({v}, 1)", "round({v}, {v})", "scalar({s})", "vector({v})", "time({v})", "time() @ 5", "{v} @", "{v} @ {v}", "{v} @ start", "{v} @ 1 @ 2",
    "{v} offset 1m offset 2m", "{v} offset x", "sum by instance ({v})", "sum without by (job) ({v})", "by (job) sum({v})", "{v} unless on {v}", "1 +* 2", "%", "", "  ", "# only a comment",
    "dt_info{{}} dt_info", "quantile_over_time({m}, 0.5)", "predict_linear({v}, 5)", "absent({s})", "absent_over_time({v})", "sort({s})", "sort({m})", "{v}[5m:0s]", "{m}[5m:1m]",
    "time()[5m]", "dt_info[1m:", "'unclosed", '"bad \\escape"', "{v} !~ 1", "{v} => 1", "0x", "1e", "1.2.3", "5m5", "foo bar", "sum(dt_info) by (job) by (instance)", "min_over_time({v}[5m:1m] )[1m]",
]


class Generator:
    """`data_s`: Unix seconds at which the data begins."""

    def __init__(self, seed, data_s):
        self.rng = random.Random(seed)
        self.data_s = data_s

    # -------------------------------------------------------------------------------------------------------- a question

    def query(self):
        """Path and parameters for the HTTP API, and whether the order of the answer counts."""
        rng = self.rng
        self.nested = False  # subqueries within subqueries are for instants only: they cost much
        self.is_range = rng.random() < 0.4
        roll = rng.random()
        if roll < 0.08:
            expression, ordered = self.error(), False
        elif roll < 0.13 and not self.is_range:
            expression, ordered = self.ordered(), True
        elif roll < 0.16 and not self.is_range:
            expression, ordered = rng.choice([self.selector(), self.matrix(), '"text"', "'it''s'", "`raw \\n`", '"\\u00fc \\x41 \\n"']), False
        elif roll < 0.22:
            expression, ordered = self.scalar(2), False
        else:
            expression, ordered = self.vector(rng.choice([1, 2, 2, 3, 3, 4])), False
        at = self.data_s + rng.randint(SPAN_S // 6, SPAN_S + 200) + 0.5
        if not self.is_range:
            return "/api/v1/query", {"query": expression, "time": f"{at:.3f}"}, ordered
        step = rng.choice([1, 7, 15, 30, 60, 61, 120, 300])
        start = at - step * rng.randint(0, 25)
        return "/api/v1/query_range", {"query": expression, "start": f"{start:.3f}", "end": f"{at:.3f}", "step": rng.choice([str(step), f"{step}s"])}, False

    def error(self):
        text = self.rng.choice(ERRORS)
        return text.format(v=self.selector(), m=self.selector() + "[5m]", s=self.scalar(0))

    def ordered(self):
        return f"{self.rng.choice(['sort', 'sort_desc'])}({self.distinct()})"

    # -------------------------------------------------------------------------------------------------------- selectors

    def matcher(self, metric, name, target):
        """`target`: labels of a series there is, mostly matched."""
        rng = self.rng
        value = target[name]
        values = {**OWN, **metric.labels}[name]
        some = [value] + rng.sample(values, min(len(values), rng.randint(0, 2)))
        other = rng.choice([each for each in values if each != value] or ["other"])
        quote = lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        roll = rng.random()
        if roll < 0.35:
            return f"{name}={quote(value)}"
        if roll < 0.5:
            return f"{name}!={quote(other)}"
        if roll < 0.65:
            return f"{name}=~{quote('|'.join(regex(each) for each in some))}"
        if roll < 0.75:
            return f"{name}!~{quote('|'.join(regex(each) for each in [other, 'x.*']))}"
        plain = value.isascii() and '"' not in value and "\\" not in value
        return rng.choice([
            f"{name}=~{quote(regex(value[:2]) + '.*')}", f'{name}=~".+"', f'{name}!=""', 'missing=""', 'missing!~".+"', f"{name}=~{quote('.*' + regex(value[-1:]))}",
            f'{name}=~"(?i){regex(value).upper()}"' if plain else f'{name}!=""', f'{name}!~"x.*"', f'{name}="nothing like it"', f'{name}!~".+"', f"{name}=~{quote('[a-m]?.*')}",
        ])

    def matchers(self, metric):
        """One label each, but now and then one twice."""
        rng = self.rng
        instance, job = metric.only or rng.choice(INSTANCES)
        target = {"instance": instance, "job": job, **{name: rng.choice(values) for name, values in metric.labels.items()}}
        names = rng.sample(list(target), min(len(target), rng.choice([0, 0, 0, 0, 1, 1, 1, 2, 2])))
        if names and rng.random() < 0.1:
            names.append(names[0])
        return [self.matcher(metric, name, target) for name in names]

    def selector(self, kinds=None, metric=None, plain=False):
        rng = self.rng
        metric = metric or rng.choice([each for each in METRICS if kinds is None or each.kind in kinds])
        matchers = self.matchers(metric)
        if not plain and kinds is None and rng.random() < 0.04:
            return "{" + ", ".join([rng.choice(['__name__=~"dt_(info|slow)"', '__name__=~"dt_f.*"', '__name__="dt_info"'])] + matchers[:1]) + "}"
        if rng.random() < 0.05:
            return "{" + ",".join([f'__name__="{metric.name}"'] + matchers) + "}"
        return metric.name + ("{" + rng.choice([",", ", "]).join(matchers) + rng.choice(["", "", ","]) + "}" if matchers else rng.choice(["", "", "{}"]))

    def shift(self):
        """An offset, @, both in either order, or mostly nothing."""
        rng = self.rng
        offset = f" offset {rng.choice(['30s', '1m', '5m', '-1m', '-30s', '20m', '1m30s'])}"
        at = f" @ {rng.choice(['start()', 'end()', f'{self.data_s + rng.randint(300, SPAN_S) + 0.5:.3f}'])}"
        return rng.choices(["", offset, at, offset + at, at + offset], [16, 3, 2, 0.5, 0.5])[0]

    def leaf(self, **how):
        return self.selector(**how) + self.shift()

    def matrix(self, kinds=None, depth=0, inner=False):
        """`inner`: asked at whole seconds, within a subquery: so a subquery in it has a range with half a second."""
        rng = self.rng
        if depth <= 0 or rng.random() < 0.75:
            return f"{self.selector(kinds=kinds)}[{rng.choice(RANGES)}]{self.shift()}"
        return self.subquery(self.exact(depth - 1, True) if rng.random() < 0.5 else self.vector(depth - 1, True), inner)

    def subquery(self, expression, inner=False):
        rng = self.rng
        span = rng.choice(["1m", "3m", "5m", "10m"])
        step = rng.choice(["", "7s", "20s", "1m", "1m", "2m"])
        shift = self.shift() if not inner else ""
        return f"({expression})[{span + ('500ms' if inner else '')}:{step}]{shift}"

    # -------------------------------------------------------------------------------------------------------- vectors

    def vector(self, depth, inner=False):
        rng = self.rng
        if depth <= 0:
            return self.leaf()
        make, weight = zip(
            (self.leaf, 2), (lambda: self.over_time(depth, inner), 6), (lambda: self.function(depth, inner), 5), (lambda: self.aggregation(depth, inner), 6),
            (lambda: self.binary(depth, inner), 6), (lambda: self.exact(depth, inner), 2), (lambda: self.quantile_of_histogram(inner), 2), (lambda: self.relabelled(depth, inner), 1.5),
            (lambda: self.absent(depth, inner), 0.7), (lambda: f"vector({self.scalar(depth - 1)})", 0.4), (lambda: f"({self.vector(depth - 1, inner)})", 0.7),
            (lambda: f"{rng.choice('-+')}{self.vector(depth - 1, inner)}", 0.7), (lambda: self.chosen(), 1.2),
        )
        return rng.choices(make, weight)[0]()

    def over_time(self, depth, inner):
        rng = self.rng
        roll = rng.random()
        if roll < 0.35:
            return f"{rng.choice(ON_COUNTERS)}({self.selector(kinds=('counter',))}[{rng.choice(RANGES[2:])}]{self.shift()})"
        if roll < 0.5:
            return f"{rng.choice(ON_GAUGES)}({self.selector(kinds=('gauge', 'counter'))}[{rng.choice(RANGES)}]{self.shift()})"
        if roll < 0.58:
            return f"quantile_over_time({rng.choice(['0.37', '0.5', '0', '1', '-1', '2', '0.99'])}, {self.matrix(depth=depth - 1, inner=inner)})"
        if roll < 0.63:
            return f"predict_linear({self.selector(kinds=('gauge',))}[{rng.choice(RANGES[3:])}], {rng.choice(['60', '3600', '-600', '0'])})"
        if roll < 0.67:
            return f"holt_winters({self.selector(kinds=('gauge', 'odd'))}[{rng.choice(RANGES[3:])}], {rng.choice(['0.3', '0.5'])}, {rng.choice(['0.1', '0.7'])})"
        return f"{rng.choice(OVER_TIME)}_over_time({self.matrix(depth=depth - 1, inner=inner)})"

    def function(self, depth, inner):
        rng = self.rng
        roll = rng.random()
        inside = lambda: self.vector(depth - 1, inner)
        if roll < 0.35:
            return f"{rng.choice(SMOOTH)}({inside()})"
        if roll < 0.42:
            return f"{rng.choice(WAVES)}({self.selector(metric=BY_NAME[rng.choice(['dt_temperature_celsius', 'dt_slow', 'dt_queue_length'])])})"
        if roll < 0.55:
            low, high = sorted([rng.choice([-10, 0, 3.7]), rng.choice([5, 41.3, 1e6])])
            return rng.choice([f"clamp({inside()}, {low}, {high})", f"clamp_min({inside()}, {low})", f"clamp_max({inside()}, {self.scalar(depth - 1)})", f"clamp({inside()}, {high}, {low})"])
        if roll < 0.75:
            of = rng.choice(["", "dt_start_time_seconds", f"timestamp({self.leaf()})", "vector(time())", self.leaf(), "dt_odd"])
            return f"{rng.choice(DATES)}({of})"
        if roll < 0.87:
            return f"timestamp({rng.choice([self.leaf(), self.leaf(), inside()])})"
        return f"scalar({self.selector(metric=BY_NAME['dt_slow'])}) * {inside()}" if rng.random() < 0.5 else f"sort({inside()})"

    def grouping(self):
        rng = self.rng
        names = rng.sample(["instance", "job", "mode", "method", "code", "sensor", "kind", "le", "missing", "zone", "n", "shape"], rng.randint(0, 3)) + rng.choice([["instance"], ["job"], []])
        return rng.choice(["", f" by ({', '.join(names)}) ", f" by ({', '.join(names)}) ", f" without ({', '.join(names)}) "])

    def aggregation(self, depth, inner):
        rng = self.rng
        roll = rng.random()
        group = self.grouping()
        if roll < 0.08:
            return f"quantile{group}({rng.choice(['0.37', '0.9', '0', '1', '-0.1', '1.1', 'scalar(dt_slow)'])}, {self.vector(depth - 1, inner)})"
        if roll < 0.14:
            return f'count_values{group}("{rng.choice(["value", "job", "v"])}", {self.exact(depth - 1, inner)})'
        name = rng.choice(AGGREGATIONS)
        # Of one NaN or infinity alone Prometheus 2 has a deviation of 0, 3 has none.
        inside = self.finite() if name in ("stddev", "stdvar") else self.vector(depth - 1, inner)
        return f"{name}({inside}){group}" if rng.random() < 0.15 else f"{name}{group}({inside})"

    def finite(self):
        if self.rng.random() < 0.5:
            return self.leaf(kinds=("counter", "gauge"))
        return f"rate({self.selector(kinds=('counter',))}[{self.rng.choice(RANGES[3:])}]{self.shift()})"

    def distinct(self):
        """Series none of which have the same value: which of two equal ones comes first is nobody's promise."""
        rng = self.rng
        metric = rng.choice([each for each in METRICS if each.distinct])
        selector = self.selector(metric=metric, plain=True)
        how = rng.choice(["{}", "{}", "-{}", "rate({}[5m])", "max_over_time({}[2m])", "{} offset 1m"])
        if metric.name == "dt_start_time_seconds" and "rate" in how:
            how = "{}"
        return how.format(selector)

    def chosen(self):
        return f"{self.rng.choice(['topk', 'bottomk'])}{self.rng.choice(['', ' by (job) ', ' by (instance) ', ' without (instance, code) '])}({self.rng.choice(['1', '2', '3', '100', '0', '-1', '2.7', 'scalar(dt_slow) / 40'])}, {self.distinct()})"

    def quantile_of_histogram(self, inner):
        rng = self.rng
        bucket = "dt_duration_seconds_bucket" + rng.choice(["", '{job="api"}', '{le!="0.25"}', '{le=~"0.*"}', '{instance!="beta:9100"}'])
        of = rng.choice([bucket, f"rate({bucket}[{rng.choice(RANGES[3:])}])", f"sum by (le) (rate({bucket}[5m]))", f"sum by (job, le) (increase({bucket}[10m]))", "dt_slow"])
        return f"histogram_quantile({rng.choice(['0.37', '0.913', '0.5', '0.99', '-1', '2', '0.0137'])}, {of})"

    def relabelled(self, depth, inner):
        rng = self.rng
        inside = self.vector(depth - 1, inner)
        return rng.choice([
            f'label_replace({inside}, "fresh", "$1-$2", "instance", "(.)(.*):.*")', f'label_replace({inside}, "host", "${{name}}", "instance", "(?P<name>.*):.*")',
            f'label_replace({inside}, "fresh", "never", "job", "nomatch")', f'label_replace({inside}, "job", "", "", "")', f'label_replace({inside}, "fresh", "x$$y$1", "missing", "(.*)")',
            f'label_join({inside}, "joined", "-", "job", "instance", "missing")', f'label_join({inside}, "joined", "")', f'label_join({inside}, "instance", "/", "instance", "__name__")',
            f'label_replace({inside}, "__name__", "renamed", "", "")',
        ])

    def absent(self, depth, inner):
        rng = self.rng
        return rng.choice([
            f"absent({self.vector(depth - 1, inner)})", f'absent(dt_nothing{{job="api",instance!="x",zone=~"a.*",code="5"}})', f"absent_over_time(dt_nothing{{job=\"web\"}}[{rng.choice(RANGES)}])",
            f"absent_over_time({self.matrix()})", 'absent(dt_info{job="none"} and dt_info)', 'absent(sum(dt_nothing{a="b"}))', 'absent(dt_nothing{job="a",job="b"})', "absent(dt_ended)",
        ])

    # -------------------------------------------------------------------------------------------------------- binary operators

    def binary(self, depth, inner):
        rng = self.rng
        make, weight = zip(
            (lambda: self.with_scalar(depth, inner), 4), (lambda: self.compared_with_scalar(depth, inner), 3), (lambda: self.with_itself(depth, inner), 2), (lambda: self.by_common_labels(depth, inner), 3),
            (lambda: self.many_to_one(depth, inner), 3), (lambda: self.sets(depth, inner), 3), (lambda: self.compared_exactly(), 2),
        )
        return rng.choices(make, weight)[0]()

    def with_scalar(self, depth, inner):
        operands = [f"{self.vector(depth - 1, inner)}", self.scalar(depth - 1)]
        self.rng.shuffle(operands)
        operator = self.rng.choice([each for each in ARITHMETIC if each not in ("%", "atan2")])
        return f"({operands[0]}) {operator} ({operands[1]})"

    def compared_with_scalar(self, depth, inner):
        # A limit with digits no value has: rounding moves nothing across it.
        rng = self.rng
        limit = rng.choice(["0.0513179", "3.1371319", "41.73917", "1e6 + 0.317", "-13.7319", "5e8 + 0.171"])
        operator = rng.choice([">", "<", ">=", "<=", "!=", "> bool", "< bool", "<= bool", "== bool"])
        vector = self.vector(depth - 1, inner)
        return f"({vector}) {operator} {limit}" if rng.random() < 0.8 else f"{limit} {operator} ({vector})"

    def compared_exactly(self):
        rng = self.rng
        metric = rng.choice(["dt_queue_length", "dt_odd", "dt_labelled", "dt_info", "dt_ended"])
        operator = rng.choice(COMPARISON) + rng.choice(["", "", " bool"])
        other = rng.choice(["5", "0", "NaN", "Inf", "-Inf", "42", "1", f"{metric} offset 1m", f"on(instance, queue, shape, n, pod) {metric} offset 30s"])
        return f"{self.selector(metric=BY_NAME[metric], plain=True)} {operator} {other}"

    def with_itself(self, depth, inner):
        rng = self.rng
        selector = self.selector(kinds=("counter", "gauge", "odd"), plain=True)
        operator = rng.choice(["+", "-", "*", "/", "^"])
        match = rng.choice(["", "", "ignoring(missing) ", "ignoring() "])
        return f"{selector} {operator} {match}{selector}{rng.choice(['', ' offset 1m', ' offset 5m', ' @ end()'])}"

    def by_common_labels(self, depth, inner):
        rng = self.rng
        label = rng.choice(["instance", "job", "job, instance"])
        side = lambda: f"{rng.choice(['sum', 'avg', 'max', 'min', 'count'])} by ({label}) ({self.vector(depth - 2, inner)})"
        match = rng.choice(["", f"on({label}) ", f"on({label}, missing) ", "ignoring(missing) "])
        return f"{side()} {rng.choice(['+', '-', '*', '/', '^', 'atan2'])} {match}{side()}"

    def many_to_one(self, depth, inner):
        rng = self.rng
        many = rng.choice([self.selector(kinds=("counter", "gauge"), plain=True), f"rate({self.selector(kinds=('counter',), plain=True)}[5m])", f"sum by (instance, mode) (rate(dt_cpu_seconds_total[2m]))"])
        one = rng.choice(["dt_info", "sum by (instance) (dt_memory_bytes)", "dt_start_time_seconds", "max by (instance) (dt_queue_length)", 'dt_info{zone="east"}'])
        carried = rng.choice(["", "()", "(version)", "(zone, version)", "(missing)", "(zone)"])
        operator = rng.choice(["*", "/", "+", "-"])
        if rng.random() < 0.5:
            return f"{many} {operator} on(instance) group_left{carried} {one}"
        return f"{one} {operator} on(instance) group_right{carried} {many}"

    def sets(self, depth, inner):
        rng = self.rng
        match = rng.choice(["", "", "on(instance) ", "on(job) ", "ignoring(instance) ", "on() ", "ignoring(__name__) "])
        left = self.vector(depth - 1, inner)
        right = rng.choice([left, self.vector(depth - 1, inner), self.selector()])
        return f"({left}) {rng.choice(['and', 'or', 'unless'])} {match}({right})"

    # -------------------------------------------------------------------------------------------------------- exact ones and scalars

    def exact(self, depth, inner=False):
        """Values that no order of additions changes; so steps may be taken of them."""
        rng = self.rng
        if depth <= 0 or rng.random() < 0.3:
            return self.leaf()
        inside = lambda: self.exact(depth - 1, inner)
        return rng.choice([
            lambda: f"{rng.choice(['floor', 'ceil', 'sgn', 'abs', 'round'])}({inside()})", lambda: f"round({inside()}, {rng.choice(['0.25', '10', '-2', '0'])})",
            lambda: f"{rng.choice(['min', 'max', 'count', 'group'])}{self.grouping()}({inside()})", lambda: f"({inside()}) % {rng.choice(['7', '2', '0', '-3'])}",
            lambda: f"{rng.choice(EXACT_OVER_TIME)}_over_time({self.matrix()})", lambda: f"{rng.choice(['changes', 'resets', 'idelta'])}({self.subquery(self.exact(depth - 1, True), inner)})",
            lambda: f"{rng.choice(EXACT_OVER_TIME)}_over_time({self.subquery(self.exact(depth - 1, True), inner)})", lambda: f"timestamp({self.leaf()})",
        ])()

    def scalar(self, depth):
        rng = self.rng
        if depth <= 0 or rng.random() < 0.4:
            return rng.choice(["1", "0", "-1", "3.75", "0.1", "1e3", "0x1F", "1e-9", "NaN", "Inf", "-Inf", "+Inf", "time()", "pi()", "7", "100", ".5", "2."])
        return rng.choice([
            lambda: f"{self.scalar(depth - 1)} {rng.choice(ARITHMETIC)} {self.scalar(depth - 1)}", lambda: f"({self.scalar(depth - 1)})", lambda: f"-({self.scalar(depth - 1)})",
            lambda: f"{self.scalar(depth - 1)} {rng.choice(COMPARISON)} bool {self.scalar(depth - 1)}", lambda: f"scalar({self.selector(metric=BY_NAME['dt_slow'])})",
            lambda: "scalar(sum(dt_queue_length))", lambda: f"scalar({self.selector()})", lambda: "1 + 2 * 3 ^ 2 ^ 0.5 - 8 / 4 % 3",
        ])()


def regex(text):
    return "".join("\\" + c if c in ".[](){}*+?|^$\\" else c for c in text)
