"""Requests as attackers, proxies and bugs write them: a right one, with oddities, cut and flipped at random."""
import dataclasses

READS = ["GET", "GET", "GET", "GET", "HEAD"]
WRITES = ["POST", "PUT", "PATCH", "DELETE"]
STRANGE = [
    "get", "Get", "gET", "head", "post", "delete", "GETT", "GE", "G", "FOO", "QUERY", "PROPFIND", "M-SEARCH", "PRI", "TRACE",
    "TRACK", "CONNECT", "OPTIONS", "OPTIONS", "GET\t", "\tGET", " GET", "GET ", "GET\x0b", "GET\x00", "GET\r", "DELETE\x00",
    "GET,DELETE", "GET/DELETE", "GET;DELETE", "\xc7ET", "A" * 1024, "",
]
PATHS = ["/", "/tasks/", "/tasks/1", "/tasks/1/", "/users/1", "/a/b/c", "/admin", "/api/x.json"]
SPELLINGS = [
    "/public/../tasks", "/public/%2e%2e/tasks", "/public/%2E%2E%2Ftasks", "/public/..;/admin", "//tasks", "///tasks", "//host/x", "/./tasks",
    "/tasks/.", "/tasks/..", "/tasks%00", "/tasks%2f1", "/tasks%2F1", "/tasks%5c1", "/tasks%5C1", "/tasks\\1", "\\tasks", "/tasks;x=1",
    "/tasks;x=1/2", "/;/tasks", "/%74asks", "/%2574asks", "/tasks%252f1", "/TASKS", "/tasks.", "/tasks%20", "/tasks/%c0%af", "/caf%C3%A9",
    "/caf\xc3\xa9", "/tasks\xa0", "/tasks%0d%0aX:%20y", "/tasks%0aDELETE%20/x", "/tasks#x", "/tasks%23x", "/a%", "/a%zz", "/[x]|{y}^`",
    "/a b", "/a\tb", "*", "tasks", "", "http://a/tasks", "http://evil/tasks", "http:/tasks", "x:/tasks", "a:80", "/http://a/b", "/@a", "/:80",
    "/%25%32%65", "/ HTTP/1.1", "/x HTTP/1.1 HTTP/1.1", "/" + "a" * 9000,
]
NAMES = [
    "_method", "_METHOD", "_Method", "%5fmethod", "%5Fmethod", "_m%65thod", "_method[]", "_method[x]", "_method%5B%5D", "+_method",
    "_method+", "%20_method", "_method%00", "_method%00x", "method", "__method", "_method.x", ".method", "[method", "_http_method",
]
VALUES = ["DELETE", "delete", "PUT", "PATCH", "POST", "%44ELETE", "+DELETE", "DELETE%00", "GET", "get", "HEAD", "", "OPTIONS", "GET,DELETE", "FOO"]
PAIRS = ["a=1", "x=/public/", "_method", "=", "a", "a=%", "a=\xff", "a=b#c", "redirect=http://evil/"]
VERSIONS = ["HTTP/1.0"] * 6 + ["HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "http/1.1", "HTTP/1.1 ", "HTTP/1,1", "HTTP/11", "HTTP/1.1\t", ""]

OVERRIDES = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]
# What a service believes of whoever stands in front of it. SCRIPT_NAME and PATH_INFO are no oversight: gunicorn takes
# them from headers of its front end.
CLAIMS = [
    ("X-Auth-User-Id", "1"), ("X-Auth-User", "admin"), ("X-Auth-Roles", "admin"), ("X-Auth-Status", "authenticated"),
    ("Remote-User", "admin"), ("X-Forwarded-User", "admin"), ("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-Host", "evil"),
    ("X-Forwarded-Proto", "https"), ("X-Forwarded-Prefix", "/tasks"), ("X-Forwarded-Method", "DELETE"), ("X-Original-Method", "DELETE"),
    ("X-Original-URL", "/admin"), ("X-Rewrite-URL", "/admin"), ("X-Gateway-Secret", "x"), ("Forwarded", "for=10.0.0.1"),
    ("SCRIPT_NAME", "/tasks"), ("SCRIPT-NAME", "/tasks"), ("PATH_INFO", "/admin"), ("PATH-INFO", "/admin"), ("REQUEST_METHOD", "DELETE"),
    ("Authorization", "Bearer x"), ("Authorization", "Basic eDp4"), ("Authorization", ""), ("Request-Method", "DELETE"), ("QUERY_STRING", "_method=DELETE"), ("HTTP_X_HTTP_METHOD_OVERRIDE", "DELETE"), ("Proxy", "http://evil"),
]
HARMLESS = [
    ("X-Note", "one"), ("X-Note", "two"), ("X-Note", "caf\xe9"), ("X-Note", "a\tb"), ("X-Note", ""), ("Accept", "*/*"),
    ("User-Agent", "probe"), ("Cookie", "a=b"), ("Cookie", "_method=DELETE"), ("Content-Type", "application/json"),
    ("Content-Type", "application/x-www-form-urlencoded"), ("Range", "bytes=0-1"), ("Origin", "http://evil"),
    ("Access-Control-Request-Method", "DELETE"), ("If-None-Match", "*"), ("Max-Forwards", "0"), ("Expect", "100-continue"), ("Expect", "200-ok"),
]
UPGRADES = [
    [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")],
    [("Connection", "Upgrade"), ("Upgrade", "WebSocket")], [("Upgrade", "websocket")], [("Connection", "upgrade"), ("Upgrade", "websocket, h2c")],
    [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")],
    [("Connection", "Upgrade"), ("Upgrade", "foo")], [("Connection", "Upgrade"), ("Upgrade", "h2c"), ("Upgrade", "websocket")],
]
CONNECTIONS = [
    "close", "keep-alive", "close, X-Auth-Status", "X-Auth-Status, X-Forwarded-For", "X-Note", "Host", "Content-Length", "Transfer-Encoding",
    "close, close", ", ,", "Upgrade", "TE", "Connection", "X-Request-Id, Authorization",
]
RAW_LINES = [
    " folded", "\tfolded", "no colon", ": no name", "X Note: a", "X-Note : a", "X-Note\t: a", "X-Note: a\rb", "X-Note: a\x00b", "X-Note: a\x0bb",
    "X-Note: a\x7fb", "\x00: a", "X-\xfcnote: a", "Host : a", "Host\t: b", "Content-Length : 5", "Transfer-Encoding : chunked", "GET / HTTP/1.1",
]
HOSTS = [[], ["a", "a"], ["a", "b"], [""], ["a:80"], ["A."], ["a b"], ["u@a"], ["a/x"], ["[::1]"], ["a:x"], ["\xe9"], ["a, b"]]
INNER = "DELETE /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
BODIES = ["x", "{}", "_method=DELETE", INNER, INNER * 2, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", "0\r\n\r\n" + INNER, "\r\n", "5\r\nhello\r\n0\r\n\r\n"]
LENGTHS = [
    "+1", "-1", "0x1", "1 ", "01", "1,1", "1, 1", "1;", "1.0", "", " ", "1_0", "\xb2", "18446744073709551616", "9223372036854775808",
    "99999999999999999999999",
]
CODINGS = [
    "Chunked", "chunked ", "\tchunked", "\x0bchunked", "xchunked", "chunked, chunked", "gzip, chunked", "chunked, identity", "identity", "",
    "chunked;q=1", "\"chunked\"", "chunked,", ",chunked", "chunked\x00",
]
BYTES = [b"\r", b"\n", b"\r\n", b"\x00", b" ", b"\t", b":", b";", b"_", b"%", b"\xff", b"\x0b", b"\x85", b"\xa0", b",", b"0"]


@dataclasses.dataclass
class Message:
    method: str = "GET"
    path: str = "/tasks/"
    query: str = ""
    version: str = "HTTP/1.1"
    hosts: list = dataclasses.field(default_factory=lambda: ["a"])
    headers: list = dataclasses.field(default_factory=list)
    framing: list = dataclasses.field(default_factory=list)
    raw: list = dataclasses.field(default_factory=list)
    body: str = ""
    ends: str = "\r\n"

    def encode(self, rng):
        target = self.path + ("?" + self.query if self.query else "")
        lines = [f"Host: {host}" for host in self.hosts]
        lines += [f"{name}: {value}" for name, value in self.headers + self.framing]
        for text in self.raw:
            lines.insert(rng.randrange(len(lines) + 1), text)
        first = " ".join(part for part in (self.method, target, self.version) if part)
        return (self.ends.join([first, *lines, "", ""]) + self.body).encode("latin-1")


def chunked(body, rng):
    """A body in chunks, now and then with a trick."""
    end = "\r\n"
    size = f"{len(body):x}"
    match rng.randrange(16):
        case 0: size = "0" * rng.choice([1, 20]) + size
        case 1: size += rng.choice([";a=b", " ;a", ";\r", ";a=\"\n\"", " ", "\t"])
        case 2: size = rng.choice(["0x", "+", "-", " ", "_"]) + size
        case 3: size = f"{len(body) + rng.choice([-1, 1, 16]):x}".replace("-", "")
        case 4: end = rng.choice(["\n", "\r", "", "\r\r\n"])
        case 5: size = "fffffffffffffffff"
    last = rng.choice(["0"] * 12 + ["00", "0;x", "-0", "0 ", ""])
    trailers = rng.choice([""] * 10 + ["X-Note: late\r\n", "X-HTTP-Method-Override: DELETE\r\n", "Content-Length: 5\r\n", "bad\r\n", "Authorization: Bearer a\r\n"])
    return (f"{size}\r\n{body}{end}" if body else "") + f"{last}\r\n{trailers}\r\n"


def spelled(name, rng):
    """Another spelling of a header's name that some server takes for the same."""
    match rng.randrange(6):
        case 0: return name.lower()
        case 1: return name.upper()
        case 2: return name.replace("-", "_")
        case 3: return "".join(c if c.isalnum() else rng.choice("-_") for c in name)
        case 4: return name.replace("-", rng.choice("._~!^"), 1)
    return name


def odd_method(m, rng):
    m.method = rng.choice(STRANGE if rng.random() < 0.5 else WRITES)


def odd_path(m, rng):
    m.path = rng.choice(SPELLINGS)


def odd_query(m, rng):
    pairs = [f"{rng.choice(NAMES)}={rng.choice(VALUES)}" for _ in range(rng.choice([1, 1, 1, 2]))]
    pairs += rng.choices(PAIRS, k=rng.choice([0, 0, 1]))
    rng.shuffle(pairs)
    m.query = rng.choice(["&", "&", ";", "?", "&&", "%26"]).join(pairs)


def odd_version(m, rng):
    m.version = rng.choice(VERSIONS)


def odd_host(m, rng):
    m.hosts = rng.choice(HOSTS)


def odd_override(m, rng):
    for _ in range(rng.choice([1, 1, 2])):
        m.headers.append((spelled(rng.choice(OVERRIDES), rng), rng.choice(["DELETE", "delete", "PUT", "GET", "DELETE, GET", ""])))


def odd_claim(m, rng):
    name, value = rng.choice(CLAIMS)
    m.headers.append((spelled(name, rng), value))


def odd_header(m, rng):
    m.headers += rng.choices(HARMLESS, k=rng.choice([1, 2, 3]))


def odd_upgrade(m, rng):
    m.headers += rng.choice(UPGRADES)


def odd_connection(m, rng):
    m.headers.append(("Connection", rng.choice(CONNECTIONS)))


def odd_line(m, rng):
    m.raw.append(rng.choice(RAW_LINES))


def odd_ends(m, rng):
    m.ends = rng.choice(["\n", "\n", "\r", "\r\r\n"])


def with_body(m, rng):
    body = rng.choice(BODIES)
    if rng.random() < 0.5:
        m.framing, m.body = [("Content-Length", str(len(body)))], body
    else:
        m.framing, m.body = [("Transfer-Encoding", "chunked")], chunked(body, rng)
    if body.startswith("_method"):
        m.headers.append(("Content-Type", "application/x-www-form-urlencoded"))


def odd_framing(m, rng):
    with_body(m, rng)
    length = ("Content-Length", rng.choice([*LENGTHS, "0", "1", "5", "40", str(len(m.body))]))
    coding = (spelled("Transfer-Encoding", rng), rng.choice([*CODINGS, "chunked"]))
    m.framing = rng.choice([[length], [coding], [length, coding], [coding, length], [*m.framing, length], [*m.framing, coding], []])


ODDITIES = [
    odd_method, odd_method, odd_path, odd_path, odd_query, odd_query, odd_version, odd_host, odd_override, odd_override, odd_claim, odd_claim,
    odd_header, odd_header, odd_upgrade, odd_connection, odd_line, odd_ends, with_body, with_body, odd_framing, odd_framing,
]


def flip(data, rng):
    at = rng.randrange(len(data) or 1)
    match rng.randrange(4):
        case 0: return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        case 1: return data[:at] + rng.choice(BYTES) + data[at:]
        case 2: return data[:at] + data[at + 1 :]
    return data[:at] + data[at : at + rng.randrange(1, 30)] + data[at:]


def message(rng, methods, authorization):
    m = Message(method=rng.choice(methods), path=rng.choice(PATHS))
    if authorization:
        m.headers.append(("Authorization", authorization))
    for odd in rng.sample(ODDITIES, rng.choice([0, 1, 1, 1, 1, 2, 2, 3])):
        odd(m, rng)
    return m.encode(rng)


def connection(rng, methods, authorization):
    """What one client sends on one connection, in the pieces in which it sends it."""
    data = message(rng, methods, authorization)
    match rng.randrange(12):
        case 0: data += message(rng, methods, authorization)
        case 1: data += INNER.encode()
        case 2: data = rng.choice([b"\r\n", b"\n", b"\r\n\r\n", b" ", b"\x00"]) + data
    if rng.random() < 0.2:
        for _ in range(rng.choice([1, 1, 2, 5])):
            data = flip(data, rng)
    if rng.random() < 0.2 and len(data) > 1:
        at = rng.randrange(1, len(data))
        return [data[:at], data[at:]]
    return [data]
