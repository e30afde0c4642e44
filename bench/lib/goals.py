"""What the gateway must be measured against, what it must reach and what it aims at: the one table.

Processor time for each request unless said otherwise; the gateway's figure divided by the other one, from the
same rounds. A goal that says `least` is reached from above, all others from below.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    text: str
    # Scenario, label of the lane, figure.
    ours: tuple
    # The same of what it is compared to; without it the figure itself counts.
    against: tuple | None
    must: float
    aim: float | None = None
    unit: str = "×"
    least: bool = False


def cpu(scenario, label):
    return scenario, label, "cpu_us"


def versus(text, scenario, other, must, aim):
    return Goal(text, cpu(scenario, "gateway"), cpu(scenario, other), must, aim)


def cached(algorithm):
    return versus(f"POST {algorithm} vs Envoy with its token cache", f"post-{algorithm.lower()}", "envoy-cache", 0.55, 0.40)


GOALS = [
    versus("POST HS256 vs HAProxy", "post-hs256", "haproxy", 1.20, 0.95),
    Goal("POST HS256, drf-jwt, vs HAProxy", cpu("post-hs256", "gateway drf-jwt"), cpu("post-hs256", "haproxy"), 1.20, 0.95),
    versus("POST RS256 vs HAProxy", "post-rs256", "haproxy", 0.50, 0.40),
    versus("POST ES256 vs HAProxy", "post-es256", "haproxy", 0.30, 0.20),
    versus("POST EdDSA vs Envoy", "post-eddsa", "envoy", 0.25, 0.20),
    cached("HS256"),
    cached("RS256"),
    cached("ES256"),
    cached("EdDSA"),
    versus("plain GET vs HAProxy", "plain-get", "haproxy", 1.80, 1.30),
    versus("refusal of a forged HS256 token vs HAProxy", "refuse-hs256", "haproxy", 0.80, 0.65),
    versus("refusal of a forged HS256 token vs Envoy", "refuse-hs256", "envoy", 0.35, 0.28),
    Goal("POST EdDSA vs our own open POST of the same body",
         cpu("check-itself", "gateway POST EdDSA"), cpu("check-itself", "gateway POST open"), 1.08, 1.04),
    versus("everything on (POST EdDSA) vs bare Pingora", "post-eddsa", "bare", 1.20, 1.10),
    Goal("p99 of GETs during a login flood vs idle",
         ("login-flood", "gateway flood", "p99"), ("login-flood", "gateway idle", "p99"), 1.5, 1.1),
    Goal("log-ins a second during it vs one bare core",
         ("login-flood", "gateway flood", "logins"), ("login-flood", "one core", "logins"), 0.9, least=True),
    Goal("memory of an idle kept connection", ("memory", "gateway", "per_connection_kib"), None, 40, 20, " KiB"),
    Goal("POST HS256 on 256 connections vs on 32", cpu("connections-256", "gateway 256"), cpu("connections-256", "gateway 32"), 1.45),
    Goal("POST EdDSA with two threads vs with one, 32 connections",
         cpu("two-threads", "gateway 2×32"), cpu("two-threads", "gateway 1×32"), 1.15),
    Goal("POST EdDSA with two threads vs with one, 256 connections",
         cpu("two-threads", "gateway 2×256"), cpu("two-threads", "gateway 1×256"), 1.15),
]


def judge(scenarios):
    """Each goal with its measured value and a verdict."""
    return [judge_one(goal, scenarios) for goal in GOALS]


def judge_one(goal, scenarios):
    values, why = [], None
    for place in filter(None, (goal.ours, goal.against)):
        scenario, label, figure = place
        result = scenarios.get(scenario, {}).get("lanes", {}).get(label)
        if result is None:
            why = why or "not measured"
        elif "failure" in result or "missing" in result:
            why = why or f"{label}: {result.get('failure') or result['missing']}"
        else:
            values.append(result[figure])
    row = {"goal": goal.text, "must": goal.must, "aim": goal.aim, "unit": goal.unit, "least": goal.least, "value": None}
    if why:
        return row | {"verdict": why.splitlines()[0][:80]}
    value = values[0] / values[1] if goal.against else values[0]
    reached = lambda bound: value >= bound if goal.least else value <= bound
    verdict = "aim" if goal.aim is not None and reached(goal.aim) else "must" if reached(goal.must) else "MISSED"
    return row | {"value": round(value, 3), "verdict": verdict}


def bound(row, name):
    """A bound as it is printed."""
    return "–" if row[name] is None else f"{'≥' if row['least'] else '≤'} {row[name]:g}{row['unit']}"


def value(row):
    return "–" if row["value"] is None else f"{row['value']:.2f}{row['unit']}"
