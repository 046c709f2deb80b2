"""Two answers of the HTTP API to one question: what differs, in words."""

import math

RELATIVE = 1e-9
ABSOLUTE = 1e-12  # what is left of numbers near 1 that cancel each other


def number(text):
    return float(text.replace("Inf", "inf"))


def equal(a, b):
    a, b = number(a), number(b)
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def points(name, ours, theirs):
    if [t for t, _ in ours] != [t for t, _ in theirs]:
        mine, their = {t for t, _ in ours}, {t for t, _ in theirs}
        return f"{name}: times differ: only ours {sorted(mine - their)[:3]}, only theirs {sorted(their - mine)[:3]} of {len(their)}"
    for (t, a), (_, b) in zip(ours, theirs):
        if not equal(a, b):
            return f"{name}: at {t} ours {a}, theirs {b}"
    return None


def key(series):
    return tuple(sorted(series["metric"].items()))


def series_points(series):
    return series["values"] if "values" in series else [series["value"]]


def results(ours, theirs, ordered):
    if isinstance(theirs, list) and theirs and not isinstance(theirs[0], dict) or not isinstance(ours, list):  # scalar or string: a point
        same = ours[0] == theirs[0] and (ours[1] == theirs[1] or equal(ours[1], theirs[1]))
        return None if same else f"ours {ours}, theirs {theirs}"
    mine, their = {key(each): each for each in ours}, {key(each): each for each in theirs}
    if len(mine) != len(ours):
        return "ours has a series twice"
    if mine.keys() != their.keys():
        only = lambda a, b: [dict(each) for each in list(a.keys() - b.keys())[:2]]
        return f"series differ: {len(mine)} ours, {len(their)} theirs; only ours {only(mine, their)}, only theirs {only(their, mine)}"
    for name, series in their.items():
        if series.keys() != mine[name].keys():
            return f"{dict(name)}: ours has {list(mine[name])}, theirs {list(series)}"
        if found := points(dict(name), series_points(mine[name]), series_points(series)):
            return found
    if ordered:  # of values that agree, but for the last digits, either may stand first
        places = zip((series_points(each)[0][1] for each in ours), (series_points(each)[0][1] for each in theirs))
        if not all(mine == their or equal(mine, their) for mine, their in places):
            return "the order differs"
    return None


def answers(ours, theirs, ordered):
    """None when they agree. Each is (status, content type, body); texts of errors are each program's own."""
    (status, content, body), (their_status, their_content, their_body) = ours, theirs
    if not isinstance(body, dict):
        return f"ours is no JSON: {status} {body[:200]}"
    if body.get("status") != their_body["status"]:
        return f"ours {status} {body.get('error') or 'succeeds'}, theirs {their_status} {their_body.get('error') or 'succeeds'}"
    if content.split(";")[0] != their_content.split(";")[0]:
        return f"Content-Type: ours {content}, theirs {their_content}"
    # Prometheus 3 says in warnings and infos what is odd; 2.42 does not know them.
    if body.keys() - {"warnings", "infos"} != their_body.keys():
        return f"fields: ours {list(body)}, theirs {list(their_body)}"
    if body["status"] == "error":
        same = (status, body["errorType"]) == (their_status, their_body["errorType"])
        return None if same else f"ours {status} {body['errorType']}: {body['error']}, theirs {their_status} {their_body['errorType']}: {their_body['error']}"
    if status != their_status:
        return f"ours {status}, theirs {their_status}"
    data, their_data = body["data"], their_body["data"]
    if data.keys() != their_data.keys():
        return f"data's fields: ours {list(data)}, theirs {list(their_data)}"
    if data["resultType"] != their_data["resultType"]:
        return f"resultType: ours {data['resultType']}, theirs {their_data['resultType']}"
    return results(data["result"], their_data["result"], ordered)


def shape(ours, theirs, where=""):
    """What of the second JSON value's fields and types the first lacks, as a list of texts."""
    kind = lambda value: "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__
    if kind(ours) != kind(theirs):
        return [f"{where or 'the answer'}: ours is {kind(ours)}, theirs {kind(theirs)}"]
    if isinstance(theirs, dict):
        found = [f"{where}.{name}: missing" for name in theirs if name not in ours]
        return found + [text for name in theirs if name in ours for text in shape(ours[name], theirs[name], f"{where}.{name}")]
    if isinstance(theirs, list) and ours and theirs:
        return shape(ours[0], theirs[0], where + "[0]")
    return []
