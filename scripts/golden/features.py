"""Golden values of the twelve features: a random session, the features by pandas.

Requires: numpy==2.4.6 pandas==3.1.1
Run:      python3 scripts/golden/features.py > kernel/market/src/tests/golden/features.json

A session is a list of rows: time in ns, five bids and five asks as [price, size] (price in 1e-9
units; size 0 where the level is missing), and trades as [price, size, aggressor] (+1 buys, -1
sells, 0 unknown). Both sides always hold at least one level. The averages are
pandas.DataFrame.ewm(halflife=100, adjust=False), which is the recursion that starts with its
first value.
"""

import json

import numpy as np
import pandas as pd

ROWS, STRIDE, LEVELS, TICK = 240, 8, 5, 10_000_000


def session(rng):
    mid, ts, rows = 50_000, 34_200_000_000_000, []
    bids = {mid - 1 - k: int(rng.integers(1, 500)) for k in range(8)}
    asks = {mid + 1 + k: int(rng.integers(1, 500)) for k in range(8)}
    for _ in range(ROWS):
        ts += int(rng.exponential(3e7)) if rng.random() < 0.9 else 0
        trades = []
        step = int(rng.integers(-1, 2)) if rng.random() < 0.3 else 0
        mid += step
        for side, sign in ((bids, -1), (asks, 1)):
            for px in [p for p in side if (p - mid) * sign < 1]:
                trades.append([px * TICK, side.pop(px), sign if rng.random() < 0.9 else 0])
            if rng.random() < 0.6 or not side:
                px = mid + sign * int(rng.integers(1, 9))
                side[px] = int(rng.integers(1, 500))
            elif len(side) > 2 and rng.random() < 0.5:
                side.pop(list(side)[int(rng.integers(len(side)))])
        top = []
        for side, sign in ((bids, -1), (asks, 1)):
            best = sorted(side, key=lambda p: p * sign)[:LEVELS]
            levels = [[p * TICK, side[p]] for p in best]
            top.append(levels + [[0, 0]] * (LEVELS - len(levels)))
        rows.append([ts, top[0], top[1], trades])
    return rows


def part(px, qty, sign):
    """Bid (+1) or ask (-1) part of e_n at one level; a missing level lies infinitely far."""
    far = np.where(qty > 0, sign * px, -np.inf)
    here, before = far[1:], far[:-1]
    flow = (here >= before) * qty[1:] - (here <= before) * qty[:-1]
    return np.concatenate([[0.0], flow])


def features(rows):
    ts = np.array([r[0] for r in rows])
    bid = np.array([r[1] for r in rows], dtype=float)
    ask = np.array([r[2] for r in rows], dtype=float)
    flows = [
        part(bid[:, k, 0], bid[:, k, 1], 1) - part(ask[:, k, 0], ask[:, k, 1], -1)
        for k in range(LEVELS)
    ]
    trades = [(n, *t) for n, r in enumerate(rows) for t in r[3]]
    prints = pd.DataFrame(trades, columns=["row", "px", "qty", "side"])
    per_row = lambda s: s.groupby(prints.row).sum().reindex(range(len(rows)), fill_value=0)
    frame = pd.DataFrame({
        "token": np.arange(len(rows)) // STRIDE,
        "e1": flows[0],
        "e5": sum(flows),
        "buy": per_row(prints.qty * (prints.side > 0)),
        "sell": per_row(prints.qty * (prints.side < 0)),
        "all": per_row(prints.qty),
    })
    sums = frame.groupby("token").sum()
    pq, q = per_row(prints.px * prints.qty).cumsum(), per_row(prints.qty).cumsum()
    at = np.arange(STRIDE - 1, len(rows), STRIDE)
    b, a, qb, qa = bid[at, 0, 0], ask[at, 0, 0], bid[at, 0, 1], ask[at, 0, 1]
    sb, sa = bid[at, :, 1].sum(axis=1), ask[at, :, 1].sum(axis=1)
    m = (a + b) / 2
    micro = ((b * qa + a * qb) / (qa + qb) - m) / (a - b)
    mean = lambda x: pd.Series(np.asarray(x, dtype=float)).ewm(halflife=100, adjust=False).mean()
    ret = np.concatenate([[0.0], 1e4 * np.diff(np.log(m))])
    known = sums.buy + sums.sell
    gap = np.concatenate([[0.0], np.diff(ts[at]) / 1e9])
    volume, mean_volume = sums["all"].to_numpy(float), mean(sums["all"]).to_numpy()
    vwap = pq.to_numpy(float)[at] / np.maximum(q.to_numpy(float)[at], 1)
    return np.column_stack([
        ret,
        1e4 * (a - b) / m,
        micro,
        (qb - qa) / (qb + qa),
        (sb - sa) / (sb + sa),
        sums.e1.to_numpy() / mean((qb + qa) / 2),
        sums.e5.to_numpy() / mean((sb + sa) / 10),
        np.where(known > 0, (sums.buy - sums.sell) / np.maximum(known, 1), 0.0),
        np.log1p(np.where(mean_volume > 0, volume / np.where(mean_volume > 0, mean_volume, 1), 0)),
        np.sqrt(mean(ret**2)),
        np.log(1e-6 + gap),
        np.where(q.to_numpy()[at] > 0, 1e4 * (m - vwap) / m, 0.0),
    ])


def main():
    rows = session(np.random.default_rng(20120621))
    tokens = [[float(x) for x in t] for t in features(rows)]
    lines = lambda items: ",\n".join(json.dumps(i, separators=(",", ":")) for i in items)
    print(f'{{"stride":{STRIDE},\n"rows":[\n{lines(rows)}\n],\n"tokens":[\n{lines(tokens)}\n]}}')


if __name__ == "__main__":
    main()
