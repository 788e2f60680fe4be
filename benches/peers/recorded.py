"""Recorded Binance rows as messages, and as the levels that NautilusTrader gets.

    python recorded.py filter RECORDING.gz ROWS.gz
    python recorded.py count ROWS.gz
    python recorded.py deltas ROWS.gz TICK LOT DELTAS.bin
"""

import gzip
import json
import struct
import sys


def messages(path):
    """Yields receive time, message and line of depth updates, snapshots and trades.

    Book tickers are left out on both sides: hftbacktest has no use for them in its book, and our
    reader would put them on top of the depth.
    """
    with gzip.open(path, "rt") as lines:
        for line in lines:
            ts, text = line.split(" ", 1)
            outer = json.loads(text)
            data = outer.get("data", outer)
            kind = data.get("e", "snapshot" if "lastUpdateId" in data else "other")
            if kind in ("depthUpdate", "trade", "snapshot"):
                yield int(ts), kind, data, line


def filtered(path, out):
    """Writes the rows that both sides get."""
    with gzip.open(out, "wt", compresslevel=1) as file:
        for _, _, _, line in messages(path):
            file.write(line)


def deltas(path, tick, lot, out):
    """Writes time, price in ticks, lots, side (2 clears the book) and whether it ends its message,
    32 bytes a level; returns how many."""
    count = 0
    with open(out, "wb") as file:
        for ts, kind, data, _ in messages(path):
            if kind == "trade":
                continue
            sides = ("bids", "asks") if kind == "snapshot" else ("b", "a")
            levels = [(n, p, q) for n, side in enumerate(sides) for p, q in data[side]]
            if kind == "snapshot":
                levels.insert(0, (2, 0, 0))
            for at, (side, px, qty) in enumerate(levels):
                last = at + 1 == len(levels)
                px, qty = round(float(px) / tick), round(float(qty) / lot)
                file.write(struct.pack("<QqqBB6x", ts, px, qty, side, last))
            count += len(levels)
    return count


def rows(path):
    """Returns how many rows hftbacktest makes of the file: levels, and trades."""
    count = 0
    for _, kind, data, _ in messages(path):
        names = ("bids", "asks") if kind == "snapshot" else ("b", "a")
        levels = [len(data[n]) for n in names] if kind != "trade" else [1]
        # A snapshot clears each side that it has levels of.
        count += sum(levels) + (sum(n > 0 for n in levels) if kind == "snapshot" else 0)
    return count


if __name__ == "__main__":
    what, path, *rest = sys.argv[1:]
    if what == "filter":
        filtered(path, *rest)
    elif what == "count":
        print(rows(path))
    else:
        tick, lot, out = rest
        print(deltas(path, float(tick), float(lot), out))
