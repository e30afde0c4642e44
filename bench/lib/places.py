"""Where things lie, and which processors do what."""
import os
import pathlib
import socket

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BENCH = ROOT / "bench"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
# Everything that the harness makes: peers, keys, tokens, configurations, logs.
WORK = TARGET / "bench"
RELEASE = TARGET / "release"


class Processors:
    """One for the proxy and one for the load and the upstream; with two proxy threads twice as many, where there are."""

    def __init__(self):
        self.all = sorted(os.sched_getaffinity(0))
        if len(self.all) < 2:
            raise SystemExit("bench/run wants two processors: one for the proxy, one for the load and the upstream")

    def proxy(self, threads=1):
        return self.all[:threads]

    def load(self, threads=1):
        """Never the proxy's, unless there are too few: then everything shares them all, and the result says so."""
        rest = self.all[threads:]
        return rest[:threads] if len(rest) >= threads else self.all


def words(processors):
    return ",".join(map(str, processors))


def free_ports(count):
    """Ports that were free a moment ago: the peers cannot say which one they took."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports
