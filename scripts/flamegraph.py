"""A flame graph out of `perf script`: one SVG without scripts, width is time on the CPU.

    perf script --input perf.data | python3 scripts/flamegraph.py TITLE [ROOT [WITHOUT]] > g.svg

ROOT keeps the samples with that text in a frame's name, from the outermost such frame on; WITHOUT
leaves out those with that text. Frames below a thousandth are left out.
"""

import re
import sys
from html import escape

WIDTH, ROW, FONT, CHAR = 1200, 17, 11, 6.3
LEAST = 0.001
COLOURS = {
    "ijk_infer": "#e4572e",
    "ijk_market": "#f2b134",
    "ijk_engine": "#5b8e7d",
    "ijk_execution": "#8cb369",
    "ijk_risk": "#bc4b51",
    "ijk_venue": "#7b9acc",
    "ijk_journal": "#9a7aa0",
    "ijk_": "#a3b18a",
}
OTHER = "#c9c9c9"


def plain(symbol):
    """A function's name without addresses, hashes and type arguments."""
    name = re.sub(r"\+0x[0-9a-f]+$", "", symbol)
    name = re.sub(r"::h[0-9a-f]{16}$", "", name)
    name = name.replace("{{closure}}", "closure")
    trait = re.match(r"<(.+?) as (.+?)>(::.*)$", name)
    if trait:
        name = re.sub(r"<.*", "", trait.group(1)) + trait.group(3)
    while re.search(r"<[^<>]*>", name):
        name = re.sub(r"(::)?<[^<>]*>", "", name)
    return name


def stacks(lines, root, without):
    """Yields the frames of each sample from `root` on, the outermost first."""
    frames = []
    for line in [*lines, ""]:
        if line.strip():
            match = re.match(r"\s+[0-9a-f]+ (.*?)( \([^()]*\))?$", line.rstrip())
            if match:
                frames.append(plain(match.group(1)))
            continue
        frames.reverse()
        starts = [at for at, name in enumerate(frames) if root is None or root in name]
        left_out = without is not None and any(without in name for name in frames)
        if starts and not left_out:
            yield frames[starts[0] :]
        frames = []


def tree(samples):
    """Nested dictionaries of counts: name -> [count, children]."""
    root = [0, {}]
    for frames in samples:
        node = root
        node[0] += 1
        for frame in frames:
            node = node[1].setdefault(frame, [0, {}])
            node[0] += 1
    return root


def draw(node, total, x, depth, out):
    """Adds a node's children; returns the depth reached."""
    deepest = depth
    for name, (count, children) in sorted(node[1].items()):
        width = WIDTH * count / total
        if count / total >= LEAST:
            colour = next((c for k, c in COLOURS.items() if name.startswith(k)), OTHER)
            room = int((width - 6) / CHAR)
            short = name if len(name) <= room else name.split("::", 1)[-1]
            text = short if len(short) <= room else short[: max(room - 1, 0)] + "…"
            text = text if room >= 3 else ""
            y = depth * ROW + 44
            out.append(
                f'<g><title>{escape(name)}: {100 * count / total:.1f} %</title>'
                f'<rect x="{x:.1f}" y="{y}" width="{max(width - 0.5, 0.5):.1f}" height="{ROW - 1}" '
                f'fill="{colour}" rx="1"/>'
                + (f'<text x="{x + 3:.1f}" y="{y + 12}">{escape(text)}</text>' if text else "")
                + "</g>"
            )
            deepest = max(deepest, draw([count, children], total, x, depth + 1, out))
        x += width
    return deepest


def main():
    title, start, without, *_ = [*sys.argv[1:], None, None]
    root = tree(stacks(sys.stdin, start, without))
    if root[0] == 0:
        sys.exit("no samples" + (f" with {start}" if start else ""))
    out = []
    deepest = draw(root, root[0], 0.0, 0, out)
    height = (deepest + 1) * ROW + 50
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="monospace" font-size="{FONT}">'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
        f'<text x="4" y="18" font-size="15">{escape(title)}</text>'
        f'<text x="4" y="34">{root[0]} samples; callers above, callees below</text>'
    )
    print("\n".join(out))
    print("</svg>")


if __name__ == "__main__":
    main()
