"""What is not measured by rounds of load: a login flood, and memory."""
import socket
import threading
from dataclasses import replace

from . import load, ours
from .check import ask
from .process import Absent, Failure, run
from .world import Stage

FLOOD, CONNECTIONS = 16, 16
# Of the flood's time, what is not measured: it begins before the GETs and ends after them.
MARGIN = 1.0


def flood(world, wanted):
    """GETs at a fixed rate, alone and beside sixteen connections that log in without pause."""
    found = {}
    rate = 500 if world.options.quick else 2000
    for lane in wanted.lanes:
        parts = {name: {"target": lane.target, "connections": CONNECTIONS, "rate": rate, "rounds": []}
                 for name in (f"{lane.target} idle", f"{lane.target} flood")}
        found |= parts
        try:
            with Stage(world, wanted) as stage:
                flood_rounds(world, stage, lane, rate, parts)
        except Failure as why:
            for part in parts.values():
                part["failure"] = str(why)
    found["one core"] = one_core(world)
    for result in found.values():
        if result.get("rounds") and "failure" not in result:
            for figure in result["rounds"][0]:
                result[figure] = load.median([one[figure] for one in result["rounds"]])
    return found


def flood_rounds(world, stage, lane, rate, parts):
    # As it is shipped: a thread for each processor.
    process, port = stage.target(replace(lane, threads=len(world.processors.all)))
    for number in range(world.options.rounds):
        order = list(parts)
        for name in order if number % 2 == 0 else order[::-1]:
            world.progress.step(f"{stage.scenario.name}: {name}, round {number + 1}")
            flooded = name.endswith("flood")
            parts[name]["rounds"].append(steady(world, process, port, rate, flooded))


def steady(world, process, port, rate, flooded):
    everywhere, seconds = world.processors.all, world.options.seconds
    logins = {}

    def log_in():
        try:
            logins.update(load.client(["logins", port, seconds + 2 * MARGIN, FLOOD], everywhere, seconds))
        except Failure as why:
            logins["failure"] = str(why)

    thread = threading.Thread(target=log_in)
    if flooded:
        thread.start()
        threading.Event().wait(MARGIN)
    try:
        told = load.client(["steady", port, "/tasks/", rate, seconds, CONNECTIONS], everywhere, seconds)
    finally:
        if flooded:
            thread.join()
    process.cut_log()
    if told["wrong"]:
        raise Failure(f"{told['wrong']} GETs were not answered 200")
    took, late = sorted(told["took"]), sorted(told["late"])
    figures = {"p50": load.cut(took, 0.5), "p99": load.cut(took, 0.99), "max": took[-1], "client_late_p99": load.cut(late, 0.99)}
    if flooded:
        if "failure" in logins:
            raise Failure(logins["failure"])
        if set(logins["answers"]) != {"200"}:
            raise Failure(f"log-ins were answered {logins['answers']}")
        figures["logins"] = logins["answers"]["200"] / logins["seconds"]
    return figures


def one_core(world):
    """Log-ins a second of one core that does nothing else, with the parameters of the gateway."""
    result = {"target": "bench-logins", "rounds": []}
    if "bench-logins" not in world.tools:
        return result | {"missing": world.tools.missing.get("bench-logins", "not built")}
    try:
        parameters = ours.hashing(world.homes["standard"])
        for _ in range(world.options.rounds):
            world.progress.step("login-flood: one bare core")
            argv = ["taskset", "-c", world.processors.proxy()[0], world.tools["bench-logins"], *parameters, world.options.seconds]
            result["rounds"].append({"logins": float(run(argv, "hash on one core"))})
    except Failure as why:
        result["failure"] = str(why)
    return result


def memory(world, wanted):
    """Resident memory after one request, and what each connection adds that has had one request and rests."""
    found = {}
    count = 1000 if world.options.quick else 10_000
    with Stage(world, wanted) as stage:
        for lane in wanted.lanes:
            world.progress.step(f"{wanted.name}: {lane.target}")
            result = found[lane.label] = {"target": lane.target, "connections": count}
            try:
                process, port = stage.target(lane)
                result |= rest(process, port, lane.request, count)
                # The next one is measured without it.
                process.stop()
            except Absent as why:
                result["missing"] = str(why)
            except (Failure, OSError) as why:
                result["failure"] = str(why)
    return found


def rest(process, port, request, count):
    if ask(request, port, request.path, None)[0] != 200:
        raise Failure("the first request was not answered 200")
    idle = process.memory()
    text = f"GET {request.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    open_ones = []
    try:
        for _ in range(count):
            s = socket.create_connection(("127.0.0.1", port), 10)
            open_ones.append(s)
            s.sendall(text)
            if not s.recv(65536).startswith(b"HTTP/1.1 200"):
                raise Failure(f"connection {len(open_ones)} was not answered 200")
        full = process.memory()
        closed = sum(map(is_closed, open_ones))
    finally:
        for s in open_ones:
            s.close()
    if closed:
        raise Failure(f"{closed} of {count} connections did not stay open")
    return {"idle_mib": idle, "full_mib": full, "per_connection_kib": (full - idle) * 1024 / count}


def is_closed(s):
    """What is left of an answer is taken; an end is one."""
    s.setblocking(False)
    try:
        while s.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
