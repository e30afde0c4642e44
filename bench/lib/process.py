"""Processes under measurement: started on their processors, their time and memory read from /proc."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

from .places import words

TICKS = os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    """Something did not do what it was there for; the text says what."""


class Absent(Failure):
    """A program is not here; the text says why, and how to get it."""


class Process:
    """One program and all of its children."""

    def __init__(self, argv, processors, folder, name, env=None):
        self.name = name
        self.out, self.log = folder / (name + ".out"), folder / (name + ".log")
        argv = ["taskset", "-c", words(processors), *map(str, argv)]
        # Appended to, so that a log that was cut short goes on at its beginning.
        with open(self.out, "ab") as out, open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                env={"PATH": os.environ["PATH"], "HOME": str(folder), **(env or {})})
        self.pid = self.child.pid

    def wait_for_line(self, pattern, seconds=30):
        found = self._wait(lambda: re.search(pattern, self.out.read_text(), re.M), seconds)
        return found.group(1)

    def wait_for_port(self, port, seconds=30):
        self._wait(lambda: open_port(port), seconds)

    def _wait(self, look, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := look():
                return found
            if self.child.poll() is not None:
                break
            time.sleep(0.02)
        raise Failure(f"{self.name} did not start: {tail(self.log) or tail(self.out) or 'it said nothing'}")

    def alive(self):
        return self.child.poll() is None

    def tree(self):
        found = []
        todo = [self.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    todo += map(int, task.read_text().split())
                except OSError:
                    pass
        return found

    def cpu(self):
        """Seconds of processor time so far, user and system, of everything it runs."""
        ticks = 0
        for pid in self.tree():
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
            except OSError:
                pass
        return ticks / TICKS

    def memory(self, field="VmRSS"):
        """MiB; pages that several of its processes share are counted for each."""
        kib = 0
        for pid in self.tree():
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                kib += int(re.search(field + r":\s+(\d+)", status).group(1))
            except (OSError, AttributeError):
                pass
        return kib / 1024

    def cut_log(self):
        """An access log of a whole run would fill the disk."""
        os.truncate(self.log, 0)

    def stop(self, seconds=10):
        if self.alive():
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def open_port(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def tail(path, size=600):
    text = path.read_text(errors="replace") if path.exists() else ""
    return text[-size:].strip()


def run(argv, what, env=None, **more):
    """A command that must succeed; what it printed."""
    try:
        done = subprocess.run(list(map(str, argv)), capture_output=True, text=True,
                              env=None if env is None else {"PATH": os.environ["PATH"], **env}, **more)
    except FileNotFoundError as why:
        raise Absent(f"cannot {what}: {argv[0]} is not here") from why
    if done.returncode != 0:
        raise Failure(f"cannot {what}: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout
