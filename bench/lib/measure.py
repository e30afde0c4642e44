"""Rounds of load: the lanes of a scenario in turn, in the other order every other round."""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

from . import check, load
from .process import Absent, Failure
from .upstream import LENGTHS
from .world import Stage

FIGURES = ("cpu_us", "rps", "p50", "p99", "util", "rss")


def scenario(world, wanted):
    """Label → what was found: figures, or `failure`, or `missing`."""
    found = {}
    with Stage(world, wanted) as stage:
        ready = []
        for lane in wanted.lanes:
            try:
                check.lane(lane, stage.target(lane)[1])
                send(world, stage, lane, 1 if world.options.quick else 2)
                ready.append(lane)
                found[lane.label] = base(lane) | {"rounds": []}
            except Absent as why:
                found[lane.label] = base(lane) | {"missing": str(why)}
            except Failure as why:
                found[lane.label] = base(lane) | {"failure": str(why)}
        world.progress.skip((len(wanted.lanes) - len(ready)) * (world.options.rounds + 1))
        rounds(world, stage, ready, found)
        for lane in ready:
            world.progress.step(f"{wanted.name}: {lane.label}, system calls")
            if "failure" not in found[lane.label] and not lane.reloads:
                found[lane.label]["syscalls"] = syscalls(world, stage, lane)
    for result in found.values():
        if result.get("rounds"):
            summarise(result)
    return found


def base(lane):
    return {"target": lane.target, "connections": lane.connections, "threads": lane.threads}


def rounds(world, stage, ready, found):
    for number in range(world.options.rounds):
        for lane in ready if number % 2 == 0 else ready[::-1]:
            world.progress.step(f"{stage.scenario.name}: {lane.label}, round {number + 1}")
            if "failure" in found[lane.label]:
                continue
            try:
                found[lane.label]["rounds"].append(send(world, stage, lane, world.options.seconds))
            except Failure as why:
                found[lane.label]["failure"] = str(why)


def send(world, stage, lane, seconds):
    """One lane for some seconds: its figures, once every answer was as expected."""
    process, port = stage.target(lane)
    here = world.processors.all if lane.unpinned else world.processors.load(lane.threads)
    before, reached, begin = process.cpu(), stage.upstream.requests(), time.monotonic()
    with reloading(process, lane.reloads) as reloads:
        told = load.send(world, lane, port, seconds + lane.settling, here)
    took, cpu = time.monotonic() - begin, process.cpu() - before
    reached = stage.upstream.requests() - reached
    if not process.alive():
        raise Failure(f"{lane.target} ended while it was measured")
    judge(lane, told, reached)
    if lane.reloads:
        told["reloads"] = counted(process, reloads)
    if lane.target in ("gateway", "baseline"):
        process.cut_log()
    requests = told["requests"]
    return told | {"cpu_us": cpu / requests * 1e6, "rps": requests / told["seconds"], "util": cpu / took, "rss": process.memory()}


def judge(lane, told, reached):
    """A scenario whose answers are not what they should be has no figure."""
    requests, expected = told["requests"], lane.request.status
    if requests == 0:
        raise Failure("no answer came")
    if told["broken"]:
        raise Failure(f"{told['broken']} connections failed or were answered too late, beside {requests} answers")
    if expected == 200:
        if told["refused"]:
            raise Failure(f"{told['refused']} of {requests} answers were errors")
        if told["bytes"] / requests < LENGTHS[lane.request.path]:
            raise Failure(f"answers were short: {told['bytes'] / requests:.0f} bytes each, heads included")
        if reached < requests:
            raise Failure(f"only {reached} of {requests} requests reached the upstream")
    elif told["refused"] != requests:
        raise Failure(f"only {told['refused']} of {requests} forged tokens were refused")
    elif reached:
        raise Failure(f"{reached} requests with a forged token reached the upstream")


@contextlib.contextmanager
def reloading(process, a_second):
    """SIGHUP, so many times a second; the list holds one entry for each."""
    sent, stop = [], threading.Event()

    def signals():
        while not stop.wait(1 / a_second):
            os.kill(process.pid, signal.SIGHUP)
            sent.append(None)

    thread = threading.Thread(target=signals)
    if a_second:
        thread.start()
    try:
        yield sent
    finally:
        stop.set()
        if a_second:
            thread.join()


def counted(process, sent):
    """How often the gateway says it read its configuration again. Signals that come while it does are one."""
    lines = process.log.read_bytes()
    good, bad = lines.count(b"was read again and is in effect"), lines.count(b"was not reloaded")
    if bad or good < len(sent) / 2:
        raise Failure(f"of {len(sent)} reloads {good} took place and {bad} failed")
    return good


def summarise(result):
    for figure in FIGURES:
        result[figure] = load.median([one[figure] for one in result["rounds"]])
    cpu = [one["cpu_us"] for one in result["rounds"]]
    result["cpu_min"], result["cpu_max"] = min(cpu), max(cpu)


def syscalls(world, stage, lane):
    """System calls a request, by name, counted in a pass of its own: tracing slows everything down."""
    if "strace" not in world.tools:
        return {"missing": world.tools.missing.get("strace", "no strace")}
    process, port = stage.target(lane)
    report = stage.folder / "strace.txt"
    pids = process.tree()
    argv = [world.tools["strace"], "-c", "-f", "-q", "-o", report]
    for pid in pids:
        argv += ["-p", str(pid)]
    tracer = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    try:
        if not attached(pids[0], tracer):
            return {"missing": "strace may not attach to other processes here"}
        here = world.processors.all if lane.unpinned else world.processors.load(lane.threads)
        requests = load.send(world, lane, port, 1 + lane.settling, here)["requests"]
        if requests == 0:
            return {"missing": "no answer came while every system call was traced"}
    except Failure as why:
        return {"missing": str(why)}
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)
    calls = {}
    for line in report.read_text().splitlines():
        fields = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$", line)
        if fields and fields.group(2) != "total":
            calls[fields.group(2)] = round(int(fields.group(1)) / requests, 3)
    return dict(sorted(calls.items(), key=lambda pair: -pair[1]))


def attached(pid, tracer):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and tracer.poll() is None:
        if not re.search(r"TracerPid:\s+0\b", pathlib.Path(f"/proc/{pid}/status").read_text()):
            return True
        time.sleep(0.02)
    return False
