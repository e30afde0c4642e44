"""One picture: processor time for each request, as bars, in SVG that reads in light and in dark."""
from xml.sax.saxutils import escape

SHOWN = ("plain-get", "post-hs256", "post-rs256", "post-es256", "post-eddsa", "refuse-hs256")
WIDTH, LEFT, RIGHT, BAR, GAP, HEAD = 820, 150, 90, 16, 5, 34
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .group { font-weight: 600 }
  .quiet { fill: #59636e }
  .other { fill: #8c959f }
  .ours { fill: #0969da }
  .page { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .quiet { fill: #9198a1 }
    .other { fill: #6e7681 }
    .ours { fill: #4493f8 }
    .page { fill: #0d1117 }
  }
"""


def groups(result):
    """Title and bars of each scenario that is shown: label, microseconds, whether they are ours."""
    found = []
    for name in SHOWN:
        scenario = result["scenarios"].get(name)
        bars = [(label, lane["cpu_us"], lane["target"] == "gateway") for label, lane in (scenario or {"lanes": {}})["lanes"].items()
                if "cpu_us" in lane and "failure" not in lane]
        if bars:
            found.append((scenario["title"], sorted(bars, key=lambda bar: bar[1])))
    return found


def svg(result):
    """The picture, or nothing where nothing was measured that it shows."""
    shown = groups(result)
    if not shown:
        return None
    most = max(micros for _, bars in shown for _, micros, _ in bars)
    scale, y, parts = (WIDTH - LEFT - RIGHT) / most, 62, []
    for title, bars in shown:
        parts.append(f'<text class="group" x="16" y="{y + 18}">{escape(title)}</text>')
        y += HEAD - 6
        for label, micros, ours in bars:
            middle = y + BAR - 3.5
            parts.append(
                f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end">{escape(label)}</text>'
                f'<rect class="{"ours" if ours else "other"}" x="{LEFT}" y="{y}" width="{micros * scale:.1f}" height="{BAR}" rx="2"/>'
                f'<text class="quiet" x="{LEFT + micros * scale + 6:.1f}" y="{middle}">{micros:.1f} µs</text>')
            y += BAR + GAP
        y += 10
    height = y + 12
    title = "Processor time for each request"
    told = "; ".join(f"{group}: " + ", ".join(f"{label} {micros:.1f}" for label, micros, _ in bars) for group, bars in shown)
    machine = result["machine"]
    under = f"µs, less is better. One thread, 32 connections, medians. {machine['processor']}, {result['date'][:10]}, {result['commit']}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-labelledby="title desc">\n<title id="title">{title}</title>\n'
        f'<desc id="desc">Microseconds, less is better. {escape(told)}.</desc>\n<style>{STYLE}</style>\n'
        f'<rect class="page" width="{WIDTH}" height="{height}"/>\n<text class="title" x="16" y="28">{title}</text>\n'
        f'<text class="quiet" x="16" y="48">{escape(under)}</text>\n' + "\n".join(parts) + "\n</svg>\n")
