"""The result for people: a table of goals, and one for each scenario."""
from . import goals

# Figure → heading and form, in their order; a table has those that its lanes have.
COLUMNS = {
    "cpu_us": ("CPU, µs/request", "{:.1f}"), "range": ("least–most", "{}"), "relative": ("× first row", "{:.2f}"),
    "rps": ("requests/s", "{:,.0f}"), "p50": ("p50, µs", "{:,.0f}"), "p99": ("p99, µs", "{:,.0f}"),
    "max": ("slowest, µs", "{:,.0f}"), "client_late_p99": ("client late p99, µs", "{:,.0f}"),
    "logins": ("log-ins/s", "{:.1f}"), "util": ("cores", "{:.2f}"), "rss": ("memory, MiB", "{:.1f}"),
    "reloads": ("reloads a round", "{:.0f}"), "idle_mib": ("idle, MiB", "{:.1f}"),
    "full_mib": ("with all, MiB", "{:.1f}"), "per_connection_kib": ("KiB/connection", "{:.1f}"),
}


def table(headings, rows):
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def goals_table(rows):
    return table(["goal", "measured", "must", "aim", "verdict"], [
        [row["goal"], goals.value(row), goals.bound(row, "must"), goals.bound(row, "aim"), row["verdict"]] for row in rows])


def scenario_table(lanes):
    lanes = {label: extended(result, lanes) for label, result in lanes.items()}
    shown = [name for name in COLUMNS if any(name in result for result in lanes.values())]
    rows = []
    for label, result in lanes.items():
        why = absence(result)
        cells = [why] + [""] * (len(shown) - 1) if why else [
            COLUMNS[name][1].format(result[name]) if name in result else "" for name in shown]
        rows.append([label, *cells])
    return table(["target", *(COLUMNS[name][0] for name in shown)], rows) if shown else table(
        ["target", "why"], [[label, absence(result)] for label, result in lanes.items()])


def absence(result):
    """Why there are no figures, where there are none."""
    if "failure" in result:
        return "FAILED: " + one_line(result["failure"])
    return "not had: " + one_line(result["missing"]) if "missing" in result else ""


def one_line(text):
    return " ".join(text.split()).replace("|", "/")[:200]


def extended(result, lanes):
    """With what is computed of others."""
    if "cpu_us" not in result or "failure" in result:
        return result
    more = {"range": f"{result['cpu_min']:.1f}–{result['cpu_max']:.1f}"}
    first = next(iter(lanes.values()))
    if "cpu_us" in first:
        more["relative"] = result["cpu_us"] / first["cpu_us"]
    if result["rounds"] and "reloads" in result["rounds"][0]:
        more["reloads"] = result["rounds"][0]["reloads"]
    return result | more


def syscalls_line(label, calls):
    if "missing" in calls:
        return f"- {label}: {calls['missing']}\n"
    often = [f"{name} {count:.2f}" for name, count in calls.items() if count >= 0.05]
    return f"- {label}: {sum(calls.values()):.1f} ({', '.join(often)})\n"


def markdown(result):
    machine, method = result["machine"], result["method"]
    parts = [
        "# Measured\n\n",
        "**A quick run: its figures are worth nothing.**\n\n" if method["quick"] else "",
        f"{result['date']}, commit {result['commit']}. {machine['processor']}, {machine['processors']} processors, "
        f"{machine['memory_gib']} GiB, {machine['system']}, Linux {machine['kernel']}.\n\n",
        ", ".join(f"{name} {version}" for name, version in result["versions"].items()) + ".\n\n",
        f"Medians of {method['rounds']} rounds of {method['seconds']:g} s, the targets in turn. Proxies have one thread on processor "
        f"{method['proxy_on'][0]} unless said otherwise; load and upstream are on {method['load_and_upstream_on']}. "
        "What is measured and what these figures do not say: [README](../README.md).\n\n",
        "## Goals\n\n", "The gateway's processor time for each request divided by the other's, unless said otherwise.\n\n",
        goals_table(result["goals"]), "\n"]
    if any("cpu_us" in lane for s in result["scenarios"].values() for lane in s["lanes"].values()):
        parts.append("![Processor time for each request](results.svg)\n\n")
    for name, scenario in result["scenarios"].items():
        parts.append(f"## {scenario['title']}\n\n`bench/run --only {name}`\n\n")
        parts.append(scenario["note"] + "\n\n" if scenario["note"] else "")
        parts.append(scenario_table(scenario["lanes"]) + "\n")
        traced = {label: lane["syscalls"] for label, lane in scenario["lanes"].items() if "syscalls" in lane}
        if traced:
            parts.append("System calls a request:\n\n" + "".join(syscalls_line(*pair) for pair in traced.items()) + "\n")
    parts.append("## Settings that are not the defaults\n\n")
    for name, changed in result["changed"].items():
        text = "; ".join(f"`{key}` {why}" for key, why in changed.items()) if isinstance(changed, dict) else changed
        parts.append(f"- {name}: {text}\n")
    for name, why in result["missing"].items():
        parts.append(f"- {name}: {one_line(why)}\n")
    return "".join(parts)


def terminal(rows):
    """The goals as aligned lines."""
    cells = [("goal", "measured", "must", "aim", "verdict")]
    cells += [(row["goal"], goals.value(row), goals.bound(row, "must"), goals.bound(row, "aim"), row["verdict"]) for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in cells)
