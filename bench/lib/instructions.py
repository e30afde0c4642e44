"""Instructions and allocations for each request, counted by valgrind: the same on a busy machine as on a quiet one."""
import collections
import os
import re
import shutil
import socket

from . import ours, tokens
from .client import complete
from .places import WORK
from .process import Failure, run, tail
from .upstream import Upstream

# Requests before counting begins, and counted ones; together fewer than one connection may carry.
WARM, COUNTED = 100, 400
# Entry points of the system's allocator and of the gateway's own.
ALLOCATING = re.compile(r"^(malloc|calloc|realloc|reallocarray|memalign|aligned_alloc|posix_memalign|mi_(malloc|zalloc|realloc)(_aligned)?)('\d+)?$")
# Far from the fastest: what is not counted runs under valgrind too.
PATIENCE = 120

# Name, configuration, method, kind of token, status.
LANES = [
    ("plain GET", "standard", "GET", None, 200),
    ("POST EdDSA, token seen before", "standard", "POST", "good", 200),
    ("POST HS256, token seen before", "hs256", "POST", "good", 200),
    ("forged HS256 token refused", "hs256", "GET", "forged", 401),
]


class Counter:
    """Runs builds of the gateway under callgrind, with one upstream behind all of them."""

    def __init__(self, tools):
        self.tools = tools
        self.folder = WORK / "instructions"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        WORK.chmod(0o700)
        tokens.prepare()
        self.processors = sorted(os.sched_getaffinity(0))

    def __enter__(self):
        self.upstream = Upstream(self.tools, self.folder, self.processors)
        return self

    def __exit__(self, *what):
        self.upstream.process.stop()

    def count(self, program, label):
        """Lane → instructions and allocations for each request."""
        found = {}
        for number, (name, variant, method, kind, status) in enumerate(LANES):
            home = ours.Home(program, variant)
            request = head(method, token(home, kind) if kind else None)
            folder = self.folder / f"{label}-{number}"
            folder.mkdir()
            found[name] = self.lane(program, folder, variant, request, status)
        return found

    def lane(self, program, folder, variant, request, status):
        out = folder / "callgrind.out"
        under = [self.tools["valgrind"], "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
        process, port = ours.start_gateway(
            program, folder, variant, self.upstream.port, 1, self.processors, False, under=under, seconds=PATIENCE)
        try:
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
                send(client, request, WARM, status)
                switch(process, "on")
                send(client, request, COUNTED, status)
                switch(process, "off")
        finally:
            process.stop(PATIENCE)
        return read(out)


def switch(process, state):
    # Both name their pipe after variables of the environment, which has to be the same.
    run(["callgrind_control", "-i", state, process.pid], f"turn counting {state}", {})


def token(home, kind):
    minted = home.command("token", "mint", "admin").strip()
    if kind == "good":
        return minted
    # Another signature of the same length, and as well written (RFC 4648 §3.5).
    body, _, signature = minted.rpartition(".")
    return f"{body}.{'A' * len(signature)}"


def head(method, bearer):
    lines = [f"{method} /tasks/ HTTP/1.1", "Host: localhost", "User-Agent: bench", "Accept: */*"]
    if bearer:
        lines.append(f"Authorization: Bearer {bearer}")
    body = '{"title":"write the report","done":false,"tag":"x"}' if method == "POST" else ""
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join([*lines, "", ""]) + body).encode()


def send(client, request, times, status):
    """One request after the other on one connection."""
    for _ in range(times):
        client.sendall(request)
        answer = b""
        while not complete(answer):
            piece = client.recv(65536)
            if not piece:
                raise Failure("the gateway closed a connection under valgrind")
            answer += piece
        if not answer.startswith(f"HTTP/1.1 {status} ".encode()):
            raise Failure(f"not answered {status}: {answer[:80]}")


def read(path):
    """Totals of callgrind's file, and how often functions that allocate were called."""
    if not path.exists():
        raise Failure(f"callgrind wrote nothing: {tail(path.parent / 'gateway.log')}")
    names, calls, called, total = {}, collections.Counter(), "", 0
    for line in path.read_text(errors="replace").splitlines():
        if found := re.match(r"c?fn=\((\d+)\)(?: (.*))?$", line):
            if found.group(2):
                names[found.group(1)] = found.group(2)
            if line.startswith("c"):
                called = names.get(found.group(1), "")
        elif line.startswith("calls="):
            calls[called] += int(line[6:].split()[0])
        elif line.startswith(("totals:", "summary:")):
            total = max(total, int(line.split()[1]))
    if not total:
        raise Failure("callgrind counted nothing")
    allocations = sum(count for name, count in calls.items() if ALLOCATING.match(name))
    return {"instructions": round(total / COUNTED), "allocations": round(allocations / COUNTED, 1)}
