"""The load generators: each sends for some seconds and says how many answers of which kind came how fast.

A result has `requests`, `seconds`, `refused` (status above 399), `broken` (connections that failed), `bytes`
(received in all) and `p50` and `p99` in microseconds.
"""
import json
import pathlib
import re
import statistics
import subprocess
import sys

from . import tokens
from .places import BENCH, words
from .process import Failure

# 50 bytes; the same in wrk.lua.
BODY = '{"title":"write the report","done":false,"prio":3}'


def send(world, lane, port, seconds, processors):
    generator = {"wrk": wrk, "h2load": h2load, "handshakes": handshakes}[lane.request.generator]
    return generator(world, lane, port, seconds, processors)


def started(argv, processors, seconds, what):
    argv = ["taskset", "-c", words(processors), *map(str, argv)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + 60, cwd=BENCH)
    except subprocess.TimeoutExpired:
        raise Failure(f"{what} did not end: nothing was answered any more") from None
    if done.returncode != 0:
        raise Failure(f"{what}: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout


def wrk(world, lane, port, seconds, processors):
    asked = lane.request
    argv = [world.tools["wrk"], "-t1", f"-c{lane.connections}", f"-d{seconds}s", "--timeout", "10s", "-s",
            pathlib.Path(__file__).with_name("wrk.lua"), url(asked, port), "--", asked.method, asked.path, asked.scheme,
            tokens.tokens_file(asked.token) if asked.token else "-", "body" if asked.body else "-"]
    printed = started(argv, processors, seconds, "wrk")
    told = json.loads(printed.strip().splitlines()[-1])
    return {"requests": told["requests"], "seconds": told["us"] / 1e6, "refused": told["refused"],
            "broken": told["broken"] + told["late"], "bytes": told["bytes"], "p50": told["p50"], "p99": told["p99"]}


def url(asked, port):
    return f"{'https' if asked.tls else 'http'}://127.0.0.1:{port}{asked.path}"


def h2load(world, lane, port, seconds, processors):
    """One token for all: h2load cannot take turns."""
    asked, log = lane.request, world.folder / "h2load.log"
    log.unlink(missing_ok=True)
    argv = [world.tools["h2load"], "-t1", f"-c{lane.connections}", f"-m{asked.streams}", "-D", seconds, "--log-file", log]
    if asked.token:
        argv += ["-H", f"authorization: {asked.scheme} {tokens.read(asked.token)[0]}"]
    if asked.body:
        body = world.folder / "body.json"
        body.write_text(BODY)
        argv += ["-d", body, "-H", "content-type: application/json"]
    printed = started([*argv, url(asked, port)], processors, seconds, "h2load")
    if "Application protocol: h2" not in printed:
        raise Failure("HTTP/2 was not agreed on")
    done, failed, errored = re.search(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored", printed).groups()
    statuses = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", printed)
    size = int(re.search(r"traffic: .*?\((\d+)\) total", printed).group(1))
    took = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
    if not took:
        raise Failure(f"h2load had no answer: {printed[-300:]}")
    refused = int(statuses.group(3)) + int(statuses.group(4))
    return {"requests": sum(map(int, statuses.groups())), "seconds": seconds, "refused": refused,
            "broken": max(0, int(failed) - refused), "bytes": size, "p50": cut(took, 0.5), "p99": cut(took, 0.99)}


def handshakes(world, lane, port, seconds, processors):
    """A full TLS handshake for each request: wrk would resume its sessions."""
    told = client(["handshakes", port, lane.request.path, seconds, lane.connections], processors, seconds)
    took = sorted(told["took"])
    if not took:
        raise Failure("no handshake succeeded")
    return {"requests": len(took), "seconds": told["seconds"], "refused": told["refused"], "broken": told["broken"],
            "bytes": told["bytes"], "p50": cut(took, 0.5), "p99": cut(took, 0.99)}


def client(arguments, processors, seconds):
    """One of the clients of client.py, in a process of its own."""
    return json.loads(started([sys.executable, "-m", "lib.client", *arguments], processors, seconds, f"the client of {arguments[0]}"))


def cut(ordered, part):
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def median(values):
    return statistics.median(values)
