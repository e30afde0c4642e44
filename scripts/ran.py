"""Which tests are in the sources, and which of them ran and passed.

The report is nextest's, or what `cargo test` printed, whichever is younger; scripts/test keeps the latter, and notes the
scripts that it runs. Where there is no report, a test that exists is all that can be asked for, and `told` says so.
"""
import collections
import os
import pathlib
import re
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
# nextest keeps its reports in the tree, wherever cargo builds.
JUNIT = ROOT / "target" / "nextest" / "default" / "junit.xml"
CARGO_TEST = TARGET / "ran" / "cargo-test"
SCRIPTS = TARGET / "ran" / "scripts"
# `#[test]` and `#[tokio::test(…)]`, with other attributes and comments between them and the `fn`.
TEST = re.compile(
    r"#\[(?:tokio::)?test\b[^\]]*\]\s*(?:(?:#\[[^\]]*\]|//[^\n]*)\s*)*(?:pub(?:\([^)]*\))? )?(?:async )?fn (\w+)"
)
# Lists of what a macro makes tests of: gateway/src/store/laws.rs.
LAWS = re.compile(r"\blaws!\[(.*?)\];", re.S)


def known(text):
    laws = "".join(LAWS.findall(text))
    return {*TEST.findall(text), *re.findall(r"[a-z]\w+", laws)}


def junit(path):
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        passed = not any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))
        yield case.get("name"), passed


def cargo_test(path):
    for name, result in re.findall(r"^test (\S+)(?: - should panic)? \.\.\. (\w+)", path.read_text(encoding="utf-8"), re.M):
        yield name, result == "ok"


class Tests:
    def __init__(self):
        sources = [path for crate in ("gateway", "task-service") for path in (ROOT / crate).rglob("*.rs")]
        self.known = {name for path in sources for name in known(path.read_text(encoding="utf-8"))}
        self.results = collections.defaultdict(list)
        self.scripts = {}
        reports = [path for path in (JUNIT, CARGO_TEST) if path.is_file()]
        report = max(reports, key=lambda path: path.stat().st_mtime, default=None)
        self.told = "no report of a run is there, so it was only looked whether they exist"
        if report:
            for name, passed in (junit if report == JUNIT else cargo_test)(report):
                self.results[name.rpartition("::")[2]].append(passed)
            written = report.stat().st_mtime
            self.told = "run at " + time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(written))
            if any(path.stat().st_mtime > written for path in sources):
                self.told += ", before the sources changed"
        if SCRIPTS.is_file():
            lines = SCRIPTS.read_text(encoding="utf-8").splitlines()
            self.scripts = {name: result for result, name in map(str.split, lines)}

    def fault(self, name):
        """Why this name holds nothing; `None` where it does."""
        if "/" in name:
            return self.script_fault(name)
        if name not in self.known:
            return f"there is no test {name}"
        if self.results and name not in self.results:
            return f"the test {name} did not run (`cargo nextest run --workspace` runs all)"
        if not all(self.results.get(name, [])):
            return f"the test {name} failed"
        return None

    def script_fault(self, name):
        if not (ROOT / name).is_file():
            return f"there is no script {name}"
        # Skipped is what a script says of itself, where a machine has not what it needs.
        if self.scripts and name not in self.scripts:
            return f"the script {name} did not run"
        return None

    def skipped(self, names):
        return sorted(name for name in names if self.scripts.get(name) == "skipped")
