"""Recorded rows through our exchange and others' engines: agreement first, then times by turns.

    python replay.py OUT.json REASONS ROWS LEVELS ours=COMMAND NAME=COMMAND...

ROWS: rows that hftbacktest gets; LEVELS: levels that NautilusTrader gets. REASONS holds a line
(name, tab, why) for each peer that could not be set up. Ends with 1 where the books or the trades
do not agree.
"""

import sys
from pathlib import Path

import turns

ROUNDS, BATCH_S = 15, 0.05
# (peer, its way, our way, least ratio wanted)
BARS = [
    ("hftbacktest", "top", "top", 3.0),
    ("hftbacktest", "grid", "grid", 3.0),
    ("hftbacktest", "grid.partial", "grid", 3.0),
    ("hftbacktest-rs", "top", "top", 3.0),
    ("hftbacktest-rs", "grid", "grid", 3.0),
    ("hftbacktest-rs", "grid.partial", "grid", 3.0),
    ("nautilus", "touch", "touch", 10.0),
    ("nautilus", "single", "touch", None),
]
# Least share of samples with the same best prices, and largest difference of quantities that the
# grid traded, as a part of theirs: fills differ in what README.md says.
SAME_TOUCH, SAME_LOTS = 0.999, 0.05


def agree_with(ours, theirs, wrong):
    """How well the books and the grids agree with hftbacktest's, in Python or Rust."""
    pairs = list(zip(ours["samples"], theirs["samples"]))
    same = sum(a == b for a, b in pairs) / len(pairs)
    found = {"samples": len(pairs), "same_touch": same, "grid": {"ours": ours["grid"]}}
    if same < SAME_TOUCH:
        wrong(f"the books agree in {100 * same:.2f} % of samples only")
    lots = ours["grid"]["bought_lots"] + ours["grid"]["sold_lots"]
    for way in ("grid", "grid.partial"):
        sent, trades, volume, position = theirs[way]
        found["grid"][way] = {"sent": sent, "trades": trades, "lots": volume,
                              "position_lots": position}
    off = abs(lots - found["grid"]["grid.partial"]["lots"]) / max(lots, 1.0)
    if off > SAME_LOTS:
        wrong(f"the grid traded {100 * off:.1f} % apart")
    return found


def agree(ours, peers):
    """What agrees, and what does not."""
    found, wrong = {}, []
    for name in [n for n in ("hftbacktest", "hftbacktest-rs") if n in peers]:
        theirs = peers[name]
        found[name] = agree_with(ours, theirs, lambda text: wrong.append(f"{name}: {text}"))
    if "nautilus" in peers:
        found["touch"] = {"ours": ours["touch"]} | peers["nautilus"]
        for way, numbers in peers["nautilus"].items():
            wrong += [f"nautilus {way}: {k} {numbers[k]}, ours {v}"
                      for k, v in ours["touch"].items() if numbers[k] != v]
    return found, wrong


def main():
    out, reasons, rows, levels = sys.argv[1:5]
    peers = turns.start(sys.argv[5:])
    checks = {name: peer.ask("check") for name, peer in peers.items()}
    found, wrong = agree(checks["ours"], {n: c for n, c in checks.items() if n != "ours"})
    record = turns.head(peers, reasons) | {"rows": int(rows), "levels": int(levels),
                                           "agreement": found, "disagreement": wrong}
    record["ns"] = turns.measure(peers, {n: p.ways for n, p in peers.items()}, ROUNDS, BATCH_S)
    record["ratios"] = turns.ratios(record["ns"], BARS)
    record["rate"] = {
        name: {way: int(levels if way in ("touch", "single") else rows) / t["best"] * 1e3
               for way, t in ways.items()}
        for name, ways in record["ns"].items()
    }
    rates = [f"{n} {w} {r:.1f}" for n, ways in record["rate"].items() for w, r in ways.items()]
    record["notes"] = ["", "Best rate, million rows (levels for touch and single) a CPU second: "
                       + ", ".join(rates) + ".", "", f"Agreement: {found}"]
    record["notes"] += ["", *(f"**Disagreement**: {w}" for w in wrong)]
    turns.write(record, Path(out), "Replay", "ms", 1e-6)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
