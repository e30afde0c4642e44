#!/usr/bin/env python3
"""Compares the results of a replay with the list of deliberate differences.

    check.py CORPUS.json RESULTS.json EXCEPTIONS.toml

Every `core` and `detail` case passes or is listed, every listed case really differs, at most 40 are
listed, and no `accident` case ends in a server error or without an answer.
"""
import json
import re
import sys
import tomllib

MOST = 40


def main():
    corpus_path, results_path, exceptions_path = sys.argv[1:]
    with open(corpus_path, encoding="utf-8") as f:
        parity = {case["id"]: case["parity"] for case in json.load(f)["cases"]}
    with open(results_path, encoding="utf-8") as f:
        results = json.load(f)
    with open(exceptions_path, "rb") as f:
        reasons = {case: group["reason"] for group in tomllib.load(f)["exception"] for case in group["cases"]}

    failed = {r["id"]: r["problems"] for r in results if not r["ok"]}
    faults = []
    for case, problems in failed.items():
        if parity[case] == "accident":
            if any(re.search(r"got 5\d\d|no answer|answered 5\d\d", p) for p in problems):
                faults.append("%s: server error or no answer: %s" % (case, "; ".join(problems)))
        elif case not in reasons:
            faults.append("%s (%s): %s" % (case, parity[case], "; ".join(problems)))
    ran = {r["id"] for r in results}
    for case in reasons:
        if case not in parity:
            faults.append("%s: listed in %s, but there is no such case" % (case, exceptions_path))
        elif case in ran and case not in failed:
            faults.append("%s: listed in %s, but it passes: remove it there" % (case, exceptions_path))
    if len(reasons) > MOST:
        faults.append("%d exceptions are listed; at most %d may be" % (len(reasons), MOST))
    for fault in faults:
        print("FAIL " + fault)

    count = {"core": [0, 0], "detail": [0, 0], "accident": [0, 0]}
    for r in results:
        count[parity[r["id"]]][not r["ok"]] += 1
    for kind, (ok, differ) in count.items():
        print("%-9s %3d as recorded, %3d deliberately different" % (kind, ok, differ))
    print("%d passed, %d failed" % (len(results) - len(faults), len(faults)))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
