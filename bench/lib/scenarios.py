"""What is measured: the one list of scenarios. A lane is one target with one kind of request; the lanes of a
scenario take turns, so that what the machine does meanwhile hits all of them alike.
"""
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Request:
    """What is sent, and what must come back."""
    method: str = "GET"
    path: str = "/tasks/"
    # A kind of token (tokens.py), or None.
    token: str | None = None
    body: bool = False
    status: int = 200
    tls: bool = False
    generator: str = "wrk"
    # Requests at once on one connection of HTTP/2.
    streams: int = 1

    @property
    def scheme(self):
        return "JWT" if self.token == "HS256-drf" else "Bearer"

    @property
    def door(self):
        """Which port of a target is asked."""
        return "tls" if self.tls else (self.token or "plain").removeprefix("forged-")


@dataclass(frozen=True)
class Lane:
    target: str
    request: Request
    connections: int = 32
    threads: int = 1
    # What distinguishes it from another lane of the same target.
    mark: str = ""
    # All processors for everybody.
    unpinned: bool = False
    # SIGHUPs a second, while it is measured.
    reloads: int = 0

    @property
    def label(self):
        return f"{self.target} {self.mark}".strip()

    @property
    def settling(self):
        """Seconds more, for thousands of connections to be made in."""
        return self.connections // 1000


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    lanes: list = field(default_factory=list)
    # `load` is measured by requests; the others by special.py.
    kind: str = "load"
    note: str = ""


GET = Request()


def post(token):
    return Request("POST", token=token, body=True)


def lanes(targets, request, **more):
    return [Lane(target, request, **more) for target in targets]


PLAIN = ("gateway", "haproxy", "nginx", "envoy", "caddy", "bare")
SERVERS = PLAIN[:-1]
CHECKED = ("gateway", "haproxy", "envoy", "envoy-cache")
FORGED = Request(token="forged-HS256", status=401)
OPEN = replace(post(None), path="/open")
TLS = replace(GET, tls=True)
SCENARIOS = [
    Scenario("plain-get", "GET without a token, 100 B", lanes(PLAIN, GET)),
    Scenario("post-hs256", "POST with a token, HS256",
             lanes(CHECKED, post("HS256")) + [Lane("gateway", post("HS256-drf"), mark="drf-jwt")],
             note="The lane 'gateway drf-jwt' has the shipped profile and its tokens, which have neither issuer nor audience; "
                  "all others check the same tokens."),
    Scenario("post-rs256", "POST with another issuer's token, RS256", lanes(CHECKED, post("RS256"))),
    Scenario("post-es256", "POST with another issuer's token, ES256", lanes(CHECKED, post("ES256"))),
    Scenario("post-eddsa", "POST with a token, EdDSA (the default)",
             lanes(("gateway", "envoy", "envoy-cache", "bare"), post("EdDSA")),
             note="`bare` forwards the same requests and looks at nothing."),
    Scenario("post-eddsa-external", "POST with another issuer's token, EdDSA",
             lanes(("gateway", "envoy", "envoy-cache"), post("EdDSA-external"))),
    Scenario("refuse-hs256", "GET with a forged token, HS256: 401", lanes(CHECKED[:3], FORGED)),
    Scenario("refuse-post", "POST with a forged token, HS256: 401",
             lanes(CHECKED[:3], replace(FORGED, method="POST", body=True))),
    Scenario("check-itself", "What the check of a token costs", [
        Lane("gateway", post("EdDSA"), mark="POST EdDSA"),
        Lane("gateway", OPEN, mark="POST open"),
        Lane("gateway", replace(OPEN, method="GET"), mark="GET open"),
    ], note="The same body each time; the open ones carry no token, on a route that is `public`."),
    Scenario("body-10k", "GET, 10 KiB", lanes(PLAIN, replace(GET, path="/files/big"))),
    Scenario("body-1m", "GET, 1 MiB", lanes(PLAIN, replace(GET, path="/files/huge"), connections=8)),
    Scenario("connections-256", "POST HS256 on 32 and on 256 connections",
             [Lane(target, post("HS256"), connections, mark=str(connections))
              for target in CHECKED[:3] for connections in (32, 256)]),
    Scenario("connections-5000", "GET on 5,000 connections", lanes(SERVERS, GET, connections=5000)),
    Scenario("tls-new", "GET over TLS, a new connection and a full handshake each",
             lanes(SERVERS, replace(TLS, generator="handshakes"), connections=8),
             note="The client is slower than the proxies: only the processor time is theirs."),
    Scenario("tls-kept", "GET over TLS on kept connections", lanes(SERVERS, TLS)),
    Scenario("http2", "GET over HTTP/2, 8 at once on each connection",
             lanes(SERVERS, replace(TLS, generator="h2load", streams=8))),
    Scenario("two-threads", "POST EdDSA with one thread and with two", [
        Lane("gateway", post("EdDSA"), connections, threads, f"{threads}×{connections}", unpinned=True)
        for connections in (32, 256) for threads in (1, 2)],
        note="Threads × connections. Proxy, load and upstream share all processors."),
    Scenario("reload", "POST EdDSA, a hot reload every 200 ms", [
        Lane("gateway", post("EdDSA"), mark="undisturbed"),
        Lane("gateway", post("EdDSA"), mark="reloading", reloads=5)]),
    Scenario("login-flood", "GETs beside a flood of log-ins", lanes(("gateway",), GET, unpinned=True), kind="flood"),
    Scenario("memory", "Memory, idle and for each idle kept connection", lanes(PLAIN, GET), kind="memory"),
]
# Flavours of the gateway, measured where they are asked for: `gateway-quiet` writes no access log,
# `baseline` is another build.
FLAVOURS = ("gateway-quiet", "baseline")
TARGETS = (*PLAIN, "envoy-cache", *FLAVOURS)


def select(only, targets):
    """The scenarios that are asked for, with the lanes of the targets that are asked for."""
    wanted = [s for s in SCENARIOS if not only or s.name in only]
    chosen = []
    for scenario in wanted:
        kept = [lane for lane in scenario.lanes if lane.target in targets]
        for flavour in FLAVOURS:
            if flavour in targets:
                kept += [replace(lane, target=flavour) for lane in scenario.lanes if lane.target == "gateway"]
        if kept:
            chosen.append(replace(scenario, lanes=kept))
    return chosen


def steps(chosen, rounds):
    """How many steps a run of them has."""
    count = {"load": lambda s: len(s.lanes) * (rounds + 1), "flood": lambda s: (2 * len(s.lanes) + 1) * rounds,
             "memory": lambda s: len(s.lanes)}
    return sum(count[scenario.kind](scenario) for scenario in chosen)
