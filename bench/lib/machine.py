"""Where and with what a run was made."""
import datetime
import os
import pathlib
import platform
import re
import subprocess

from . import ours, peers, tokens
from .places import ROOT


def describe(world):
    """Goes into every result."""
    options, processors = world.options, world.processors
    targets = {lane.target for scenario in world.chosen for lane in scenario.lanes}
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "machine": {"processor": processor(), "processors": len(processors.all), "memory_gib": memory(),
                    "system": system(), "kernel": platform.release()},
        "versions": {"gateway": version(world), "pingora": pingora(), **world.tools.versions()},
        "missing": world.tools.missing,
        "method": {"rounds": options.rounds, "seconds": options.seconds, "quick": options.quick,
                   "proxy_on": processors.proxy(), "load_and_upstream_on": processors.load(), "tokens": tokens.COUNT,
                   "gateway_build": "given" if options.gateway else "cargo build --release"},
        "changed": {"gateway": ours.CHANGED, **{name: text for name, text in peers.CHANGED.items() if name in targets}},
    }


def commit():
    def git(*words):
        try:
            return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()
        except FileNotFoundError:
            return ""
    found = git("rev-parse", "--short=12", "HEAD")
    if not found:
        return "unknown"
    return found + (" with changes" if git("status", "--porcelain") else "")


def version(world):
    done = subprocess.run([world.tools["gateway"], "--version"], capture_output=True, text=True)
    return done.stdout.split()[-1] if done.stdout else "?"


def pingora():
    found = re.search(r'name = "pingora"\nversion = "([^"]+)"', (ROOT / "Cargo.lock").read_text())
    return found.group(1) if found else "?"


def processor():
    found = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return found.group(1).strip() if found else platform.machine()


def memory():
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def system():
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "?")
    except OSError:
        return platform.system()
