"""What a run has at hand, and the targets of one scenario while it lasts."""
import contextlib
import shutil
from dataclasses import dataclass

from . import install, ours, peers, tokens
from .places import WORK, Processors
from .process import Absent, Process
from .upstream import Upstream

GATEWAYS = ("gateway", "gateway-quiet", "baseline")


@dataclass
class Options:
    seconds: float
    rounds: int
    quick: bool = False
    # Programs to take instead of building one, and to measure beside it.
    gateway: str = ""
    baseline: str = ""


@dataclass
class Started:
    """One running target."""
    process: Process
    # Door → port.
    ports: dict


class World:
    def __init__(self, options, chosen, progress):
        self.options, self.chosen, self.progress = options, chosen, progress
        self.processors = Processors()
        self.folder = WORK / "run"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        # Keys, and data folders with more of them.
        WORK.chmod(0o700)
        self.homes = {}
        targets = {lane.target for scenario in chosen for lane in scenario.lanes}
        generators = {lane.request.generator for scenario in chosen for lane in scenario.lanes}
        self.tools = install.find([*targets, *generators, "strace"])
        self.get_targets(targets)
        tokens.prepare()
        self.get_tokens()

    def get_targets(self, targets):
        kinds = {scenario.kind for scenario in self.chosen}
        if targets & {"envoy", "envoy-cache"}:
            install.envoy(self.tools)
        if "bare" in targets or "flood" in kinds:
            self.progress.note("building bench/bare, minutes the first time")
            install.bare(self.tools)
        if self.options.gateway:
            self.tools.paths["gateway"] = self.options.gateway
        else:
            self.progress.note("building the gateway, release profile")
            install.gateway(self.tools)
        if "gateway" not in self.tools:
            raise SystemExit(self.tools.missing["gateway"])

    def get_tokens(self):
        wanted = set().union(*({lane.request.token or "" for lane in s.lanes} for s in self.chosen))
        wanted = {token.removeprefix("forged-") for token in wanted} - {""}
        if any(s.kind == "flood" for s in self.chosen):
            # Its users are made with the tokens.
            wanted.add("EdDSA")
        if wanted & {*tokens.EXTERNAL, "HS256"}:
            # Of HS256, those that must be refused.
            tokens.external(self.tools)
        # The standard one always: its public keys go to the peers.
        for name in {"standard", *(tokens.OWN[kind] for kind in wanted if kind in tokens.OWN)}:
            self.homes[name] = ours.Home(self.tools["gateway"], name)
        for kind in sorted(wanted & set(tokens.OWN)):
            tokens.own(kind, self.homes[tokens.OWN[kind]].command, self.progress)
        if "HS256" in wanted:
            tokens.forge()

    def program(self, target):
        """The program of a target; `Absent` says why there is none."""
        if target == "baseline":
            return self.options.baseline
        name = {"gateway-quiet": "gateway", "envoy-cache": "envoy", "bare": "bench-bare"}.get(target, target)
        if name not in self.tools:
            raise Absent(self.tools.missing.get(name, "not installed"))
        return self.tools[name]


class Stage:
    """The upstream and the targets of one scenario, started when first asked for, stopped at its end."""

    def __init__(self, world, scenario):
        self.world, self.scenario = world, scenario
        self.folder = world.folder / scenario.name
        self.folder.mkdir()
        self.started = {}

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        threads = max(lane.threads for lane in self.scenario.lanes)
        unpinned = any(lane.unpinned for lane in self.scenario.lanes)
        here = self.world.processors.all if unpinned else self.world.processors.load(threads)
        try:
            self.upstream = Upstream(self.world.tools, self.folder, here)
            self.stack.callback(self.upstream.process.stop)
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *what):
        self.stack.close()

    def target(self, lane):
        """The running target of a lane, and the port that it is to be asked on."""
        variant = ours.VARIANTS[lane.request.door] if lane.target in GATEWAYS else ""
        key = (lane.target, variant, lane.threads)
        if key not in self.started:
            self.started[key] = self.start(lane, variant)
        started = self.started[key]
        return started.process, started.ports[lane.request.door]

    def start(self, lane, variant):
        world = self.world
        here = world.processors.all if lane.unpinned else world.processors.proxy(lane.threads)
        program = world.program(lane.target)
        folder = self.folder / "-".join(filter(None, (lane.target, variant, str(lane.threads))))
        folder.mkdir()
        doors = {other.request.door for other in self.scenario.lanes if other.target == lane.target}
        port = self.upstream.port
        if lane.target in GATEWAYS:
            quiet = lane.target == "gateway-quiet"
            process, port = ours.start_gateway(program, folder, variant, port, lane.threads, here, quiet)
            ports = dict.fromkeys(doors, port)
        elif lane.target == "bare":
            process, port = ours.start_bare(program, folder, port, lane.threads, here)
            ports = dict.fromkeys(doors, port)
        else:
            process, ports = peers.start(lane.target, program, folder, port, doors, lane.threads, here)
        self.stack.callback(process.stop)
        return Started(process, ports)
