"""What the runners have in common: processes on loopback, and a gateway among them."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
GATEWAY = TARGET / "debug" / "gateway"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Process:
    """A process that says on which address it listens, and everything it says after that, in a file."""

    def __init__(self, command, out, err=None, says=r"listening on (\S+)\n", **options):
        self.out = out
        with open(out, "w") as stdout, open(err, "w") if err else open(out, "a") as stderr:
            self.process = subprocess.Popen(command, stdout=stdout, stderr=stderr, **options)
        self.address = self.wait(says)

    def wait(self, says):
        """The address, or nothing where the process ended first."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = re.search(says, self.out.read_text())
            if found:
                return found[1]
            if self.process.poll() is not None:
                return None
            time.sleep(0.02)
        raise SystemExit(f"{self.process.args[0]} did not start: {self.out.read_text()}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


class Gateway(Process):
    """A gateway in front of one upstream on loopback: the runner's own, unless a port is given."""

    def __init__(self, work, routes, extra="", name="gateway", upstream=None):
        self.upstream = upstream or free_port()
        self.config = work / (name + ".toml")
        self.config.write_text(f'''version = 1
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
data_dir = "{work / name}"
{extra}
[upstreams.recorder]
urls = ["http://127.0.0.1:{self.upstream}"]
{routes}''')
        super().__init__([GATEWAY, "serve", "--config", self.config], work / (name + ".out"), work / (name + ".log"))

    def token(self):
        minted = subprocess.run([GATEWAY, "token", "mint", "admin", "--config", self.config],
                                check=True, capture_output=True, text=True)
        return minted.stdout.strip()


def rule(path, access, *more):
    return "\n".join([f'[[routes]]\npath = "{path}"\nupstream = "recorder"\naccess = "{access}"', *more, ""])
