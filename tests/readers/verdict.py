"""What may be at an upstream, given what a client sent on a connection."""
import collections
import re
import urllib.parse

READS = {"GET", "HEAD"}
# Written by the gateway, with what it may say to a service of a stranger.
WRITTEN = {
    "host": ".*",
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-proto": "http",
    "x-forwarded-host": ".*",
    "x-request-id": "[!-~]+",
    "x-auth-status": "anonymous",
    "connection": "keep-alive|close",
    "content-length": "[0-9]+",
    "transfer-encoding": "chunked",
}
# … and of the administrator.
WRITTEN_OF_ADMIN = {
    "x-auth-status": "authenticated",
    "x-auth-user-id": "1",
    "x-auth-user": "admin",
    "x-auth-roles": "admin",
}
WEBSOCKET = {"upgrade": "(?i)websocket", "connection": "(?i)upgrade|keep-alive|close"}
NEVER = re.compile(r"authorization|x-http-method|x-method-override|x-http-method-override|x-http-verb|script-name|path-info|upgrade|http2-settings|te|trailer")
# What goes from end to end, and must arrive unless `Connection` names it.
ARRIVES = {"x-note", "accept", "user-agent", "cookie", "content-type", "range", "origin", "if-none-match"}


def folded(headers):
    """As the most forgiving server names them: without case, and every other sign a hyphen."""
    found = collections.defaultdict(list)
    for name, value in headers:
        pieces = re.split("[,;]", value)
        found[re.sub("[^a-z0-9]", "-", name.lower())] += [piece.strip() for piece in pieces]
    return {name: sorted(pieces) for name, pieces in found.items()}


def method_fault(seen, variant):
    """Why this may not have come from a stranger."""
    open_ = READS | ({"OPTIONS"} if variant.options else set())
    if seen["effective"] not in open_ or seen["method"] not in open_:
        return f"a stranger's request was read as {seen['method']}, in effect {seen['effective']}"
    if seen["body"] and not (variant.bodies and seen["method"] in READS):
        return "a stranger's request had a body"
    return None


def headers_fault(seen, sent, identified, websocket):
    written = WRITTEN | (WRITTEN_OF_ADMIN if identified else {}) | (WEBSOCKET if websocket and identified else {})
    there, asked = folded(seen["headers"]), folded(sent.headers)
    for name, pieces in there.items():
        if name in written:
            if not re.fullmatch(written[name], ", ".join(pieces)) and name != "host":
                return f"the header {name} says {pieces}"
        elif NEVER.fullmatch(name):
            return f"the header {name} arrived"
        elif pieces != asked.get(name):
            return f"the header {name} says {pieces} and said {asked.get(name)}"
    named = {piece.lower() for piece in asked.get("connection", [])}
    for name in ARRIVES & asked.keys() - named:
        if name not in there:
            return f"the header {name} did not arrive"
    return None


def is_signed_in(request, token):
    """Whether a request has the one credential that is valid."""
    scheme, _, rest = (request.all("authorization") or [""])[0].partition(" ")
    return token is not None and scheme.lower() in ("bearer", "jwt") and rest == token


def credential_fault(request):
    """Bad is never anonymous."""
    return "a bad credential was let in" if request.all("authorization") else None


def difference(seen, sent, token, variant):
    """What an upstream read otherwise than it was sent."""
    if seen["method"] != sent.method:
        return f"method {seen['method']}, sent {sent.method}"
    if seen["target"] != sent.target:
        return f"target {seen['target']}, sent {sent.target}"
    path = urllib.parse.unquote(sent.target.partition("?")[0], errors="replace")
    if seen.get("routed") not in (None, path):
        return f"went to {seen['routed']}, sent to {path}"
    body = sent.body.decode("latin-1")
    if seen["body"] not in (None, body) and not (not seen["whole"] and body.startswith(seen["body"])):
        return f"body {seen['body']!r}, sent {body!r}"
    if seen["whole"] and not sent.whole:
        return "a whole request, sent in part"
    return headers_fault(seen, sent, is_signed_in(sent, token), variant.websocket)


def faults(seen, sent, token, variant):
    """`seen` in the order of the answers that one connection got, `sent` in the order of the requests on it. Those
    that are accounted for are taken out of `sent`."""
    found = []
    for one in seen:
        unlike = []
        for at, request in enumerate(sent):
            if (why := difference(one, request, token, variant)) is None:
                del sent[: at + 1]
                if not is_signed_in(request, token):
                    found += filter(None, [method_fault(one, variant), credential_fault(request)])
                break
            unlike.append(why)
        else:
            found.append(f"{one} is not what was sent: {unlike}")
            found += filter(None, [method_fault(one, variant)])
    return found
