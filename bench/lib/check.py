"""Before anything is measured: does a target do the job at all? Otherwise its figures would be of nothing."""
import http.client
import ssl

from . import tokens
from .load import BODY
from .process import Failure
from .upstream import ECHO, LENGTHS
from .world import GATEWAYS


def ask(request, port, path, token, method=None):
    """Status and body of one request."""
    if request.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json"} if request.body else {}
    if token:
        headers["Authorization"] = f"{request.scheme} {token}"
    try:
        connection.request(method or request.method, path, BODY if request.body else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as why:
        raise Failure(f"no answer: {why}") from None
    finally:
        connection.close()


def lane(lane, port):
    """One request as it will be sent, and where tokens are checked, some that must not pass."""
    request = lane.request
    token = tokens.read(request.token)[0] if request.token else None
    status, body = ask(request, port, request.path, token)
    if status != request.status:
        raise Failure(f"answers {status} where {request.status} is right: {body[:200]!r}")
    if status == 200 and len(body) != LENGTHS[request.path]:
        raise Failure(f"answers with {len(body)} bytes where {LENGTHS[request.path]} are right")
    if request.token and lane.target != "bare":
        checks_tokens(request, port)
    elif lane.target in GATEWAYS:
        echo = ask(request, port, ECHO, None, "GET")[1] if not request.body else b"user= token="
        if echo != b"user= token=":
            raise Failure(f"tells the upstream of a caller where there is none: {echo!r}")


def checks_tokens(request, port):
    kind = request.token.removeprefix("forged-")
    good = tokens.read(kind)[0]
    status, body = ask(request, port, ECHO, good, "POST")
    told, _, leaked = body.decode().partition(" token=")
    if status != 200 or told == "user=" or not told.startswith("user="):
        raise Failure(f"answers {status} to a valid token and tells the upstream {body[:200]!r}")
    if leaked:
        raise Failure("sends the token on to the upstream")
    head, claims, signature = good.split(".")
    other = "A" if signature[4] != "A" else "B"
    bad = [("absent", None), ("flipped", f"{head}.{claims}.{signature[:4]}{other}{signature[5:]}"), *tokens.wrong(kind)]
    for what, token in bad:
        status = ask(request, port, ECHO, token, "POST")[0]
        # Envoy says 403 where the audience is another.
        if status not in (401, 403):
            raise Failure(f"answers {status} to a token that must be refused ({what})")
