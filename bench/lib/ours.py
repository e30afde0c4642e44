"""The gateway as it is shipped, and the bare Pingora proxy beside it."""
import contextlib
import functools
import json
import pathlib
import shutil
import tomllib
import urllib.request

from . import tokens
from .places import BENCH, ROOT, WORK, Processors, free_ports
from .process import Failure, Process, run

# What is asked for → which of our configurations answers.
VARIANTS = {"plain": "standard", "EdDSA": "standard", "RS256": "standard", "ES256": "standard",
            "EdDSA-external": "standard", "HS256": "hs256", "HS256-drf": "drf", "tls": "tls"}
# Which user data and keys a configuration has.
HOMES = {"standard": "standard", "tls": "standard", "hs256": "hs256", "drf": "drf"}
# What differs from the defaults, and why; it stands in the results.
CHANGED = {
    "server.limits.connections, connections_per_ip": "12000: all clients of a benchmark have one address",
    "upstreams.bench.max_requests": "50000: a quarter of it is what one address may hold",
    "auth.access_ttl": "12h: tokens outlive the run",
}

CONFIG = """version = 1
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
data_dir = "{data}"
threads = {threads}
{tls}
[server.limits]
connections = 12000
connections_per_ip = 12000
[auth]
audience = "{audience}"
access_ttl = "12h"
{auth}
[upstreams.bench]
urls = ["http://127.0.0.1:{upstream}"]
max_requests = 50000
{external}
# The rules of the shipped configuration, and two for what is only asked here.
[[routes]]
path = "/users"
methods = ["POST", "PUT", "PATCH", "DELETE"]
builtin = "users"
access = {{ roles = ["admin"] }}
[[routes]]
path = "/users/*"
methods = ["POST", "PUT", "PATCH", "DELETE"]
builtin = "users"
access = {{ roles = ["admin"] }}
[[routes]]
path = "/users"
methods = ["GET", "OPTIONS"]
upstream = "bench"
access = "read-public"
[[routes]]
path = "/users/*"
methods = ["GET", "OPTIONS"]
upstream = "bench"
access = "read-public"
[[routes]]
path = "/tasks"
upstream = "bench"
access = "read-public"
[[routes]]
path = "/tasks/*"
upstream = "bench"
access = "read-public"
[[routes]]
path = "/files/*"
upstream = "bench"
access = "read-public"
[[routes]]
path = "/open"
upstream = "bench"
access = "public"
allow_get_body = true
"""
AUTH = {"standard": "", "hs256": 'algorithm = "HS256"\nhs256_secret_file = "{keys}/hs256.secret"',
        "drf": 'profile = "drf-jwt"\nhs256_secret_file = "{keys}/hs256.secret"'}
EXTERNAL = """[[auth.external]]
issuer = "{issuer}"
audience = "{audience}"
jwks_file = "{keys}/issuer.jwks.json"
algorithms = ["RS256", "ES256", "EdDSA"]
"""


def write_config(folder, variant, upstream, threads):
    home = HOMES[variant]
    has_issuer = (tokens.KEYS / "issuer.jwks.json").exists()
    path = folder / f"{variant}.toml"
    path.write_text(CONFIG.format(
        data=folder / "data", threads=threads, upstream=upstream, audience=tokens.AUDIENCE,
        auth=AUTH[home].format(keys=tokens.KEYS),
        external=EXTERNAL.format(issuer=tokens.ISSUER, audience=tokens.AUDIENCE, keys=tokens.KEYS)
        if home == "standard" and has_issuer else "",
        tls=f'tls.cert_file = "{tokens.KEYS}/tls.crt"\ntls.key_file = "{tokens.KEYS}/tls.key"' if variant == "tls" else ""))
    return path


class Home:
    """The data folder of a configuration: a first start was made, the benchmark's users are in it."""

    def __init__(self, program, name):
        self.program, self.folder = program, WORK / "home" / name
        # The public keys of its own tokens, for the peers; there when the first start was completed.
        keys = self.folder / "jwks.json"
        if not keys.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            for kind, home in tokens.OWN.items():
                if home == name:
                    tokens.tokens_file(kind).unlink(missing_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = write_config(self.folder, name, 9, 1)
        if not keys.exists():
            with self.started() as address, urllib.request.urlopen(f"http://{address}/.well-known/jwks.json") as answer:
                keys.write_bytes(answer.read())

    @contextlib.contextmanager
    def started(self):
        words = [self.program, "serve", "--config", self.config]
        process = Process(words, Processors().all, self.folder, "first-start")
        try:
            yield process.wait_for_line(r"^listening on (\S+)$")
        finally:
            process.stop()

    def command(self, *words, **more):
        """A command of the gateway on this folder."""
        return run([self.program, *words, "--config", self.config], f"run gateway {words[0]} {words[1]}", env={}, **more)


def start_gateway(program, folder, variant, upstream, threads, processors, quiet, under=(), seconds=30):
    """One gateway with a copy of its home, its log in a file; run by the words of `under`, where there are some."""
    shutil.copytree(WORK / "home" / HOMES[variant] / "data", folder / "data")
    config = write_config(folder, variant, upstream, threads)
    env = {"GATEWAY_LOG_ACCESS": "false"} if quiet else {}
    process = Process([*under, program, "serve", "--config", config], processors, folder, "gateway", env)
    try:
        address = process.wait_for_line(r"^listening on (\S+)$", seconds)
    except Failure:
        process.stop()
        raise
    return process, int(address.rpartition(":")[2])


def start_bare(program, folder, upstream, threads, processors):
    check_bare()
    port = free_ports(1)[0]
    process = Process([program, f"127.0.0.1:{port}", f"127.0.0.1:{upstream}", threads], processors, folder, "bare")
    process.wait_for_port(port)
    return process, port


@functools.cache
def check_bare():
    """Only what is built alike can be compared."""
    def load(path):
        return tomllib.loads((ROOT / path).read_text())

    def versions(path):
        packages = {package["name"]: package["version"] for package in load(path)["package"]}
        return {name: version for name, version in packages.items() if name.startswith("pingora") or name in ("tokio", "argon2")}

    def allocators(path):
        return {name for name in load(path).get("dependencies", {}) if name in ("mimalloc", "tikv-jemallocator", "snmalloc-rs")}

    own = pathlib.Path("bench/bare")
    pairs = {
        "release profile": (load("Cargo.toml")["profile"]["release"], load(own / "Cargo.toml")["profile"]["release"]),
        "allocator": (allocators("gateway/Cargo.toml"), allocators(own / "Cargo.toml")),
    }
    theirs, ours = versions("Cargo.lock"), versions(own / "Cargo.lock")
    for name, version in ours.items():
        pairs[f"version of {name}"] = (theirs.get(name), version)
    for what, (gateway, bare) in pairs.items():
        if gateway != bare:
            raise Failure(f"bench/bare is built otherwise than the gateway: {what} {bare}, the gateway's is {gateway}; "
                          f"make {BENCH.relative_to(ROOT)}/bare follow")


def hashing(home):
    """Argon2's parameters as the gateway takes them: KiB, passes, lanes."""
    values = {entry["key"]: entry["value"] for entry in json.loads(home.command("config", "show", "--json"))}
    number, unit = values["auth.password.memory"].split()
    kib = int(number) * {"KiB": 1, "MiB": 1024, "GiB": 1024 * 1024}[unit]
    return kib, int(values["auth.password.iterations"]), int(values["auth.password.parallelism"])
