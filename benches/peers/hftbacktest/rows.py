"""The rows that both sides get, the order flow, and the rows as hftbacktest reads them."""

import sys
from pathlib import Path

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_CLEAR_EVENT,
    DEPTH_EVENT,
    DEPTH_SNAPSHOT_EVENT,
    EXCH_EVENT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
)
from hftbacktest.types import event_dtype

sys.path.insert(0, str(Path(__file__).parent.parent))
from recorded import filtered, messages  # noqa: E402, F401


class Book:
    """Levels by price text, enough to know where the touch is."""

    def __init__(self):
        self.sides = {"b": {}, "a": {}}

    def apply(self, data, names=("b", "a")):
        for side, name in zip("ba", names):
            levels = self.sides[side]
            for px, qty in data[name]:
                if float(qty) > 0:
                    levels[float(px)] = float(qty)
                else:
                    levels.pop(float(px), None)

    def touch(self):
        """Best bid and ask with their sizes; None where a side is empty or the book crossed."""
        bids, asks = self.sides["b"], self.sides["a"]
        if not bids or not asks:
            return None
        bid, ask = max(bids), min(asks)
        return (bid, bids[bid], ask, asks[ask]) if bid < ask else None


def hftbacktest_rows(path, tick):
    """The rows as an hftbacktest event array, on the recorder's clock.

    Exchange stamps are not used, as in our exchange: they run 1.27 s ahead of the recorder, and on
    one clock both sides see the same book at the same time.
    """
    both = EXCH_EVENT | LOCAL_EVENT
    rows = []
    last = 0

    def add(ev, ts, px, qty):
        rows.append((ev | both, ts, ts, px, qty, 0, 0, 0.0))

    for ts, kind, data, _ in messages(path):
        last = max(last, ts)
        if kind == "trade":
            side = SELL_EVENT if data["m"] else BUY_EVENT
            add(TRADE_EVENT | side, last, float(data["p"]), float(data["q"]))
            continue
        snapshot = kind == "snapshot"
        names = ("bids", "asks") if snapshot else ("b", "a")
        ev = DEPTH_SNAPSHOT_EVENT if snapshot else DEPTH_EVENT
        for side, name in zip((BUY_EVENT, SELL_EVENT), names):
            levels = [(float(p), float(q)) for p, q in data[name]]
            if snapshot and levels:
                far = levels[-1][0]
                add(DEPTH_CLEAR_EVENT | side, last, far, 0.0)
            for px, qty in levels:
                add(ev | side, last, px, qty)
    return np.array(rows, dtype=event_dtype)


def flow(path, tick, lot, every_ms, life_s):
    """A deterministic order flow: takes and rests around the touch, one every `every_ms`."""
    decimals = max(0, len(f"{tick:.10f}".rstrip("0").split(".")[1]))
    lots = max(0, len(f"{lot:.10f}".rstrip("0").split(".")[1]))
    book = Book()
    steps, cancels = [], []
    began, due, number = None, None, 0
    for ts, kind, data, _ in messages(path):
        began = began or ts
        due = due or began + 15_000_000_000
        while due < ts and book.touch():
            number += 1
            steps.append((due, number, *order(number, book.touch(), tick, lot)))
            if steps[-1][2] == "rest":
                cancels.append((due + int(life_s * 1e9), steps[-1]))
            due += int(every_ms * 1e6)
        if kind == "depthUpdate":
            book.apply(data)
        elif kind == "snapshot":
            book.sides = {"b": {}, "a": {}}
            book.apply(data, ("bids", "asks"))
    text = [(at, f"{at},{a},{n},{side},{px:.{decimals}f},{qty:.{lots}f}")
            for at, n, a, side, px, qty in steps]
    text += [(at, f"{at},cancel,{s[1]},{s[3]},0,0") for at, s in cancels if at < ts]
    return ["ts_ns,action,id,side,px,qty"] + [line for _, line in sorted(text)]


def order(number, touch, tick, lot):
    """Action, side, price and quantity of the order `number`.

    Of six: a small take; a take of twice the touch, five ticks deep; a rest that joins the touch;
    a large one; one a tick inside the spread where there is room; one ten ticks behind.
    """
    bid, bid_qty, ask, ask_qty = touch
    buy = number // 6 % 2 == 0
    side, sign = ("buy", 1) if buy else ("sell", -1)
    near, far = (bid, ask) if buy else (ask, bid)
    near_qty, far_qty = (bid_qty, ask_qty) if buy else (ask_qty, bid_qty)
    small = 20 * lot
    whole = lambda qty: max(lot, round(qty / lot) * lot)
    room = ask - bid > 1.5 * tick
    return {
        0: ("take", side, far, small),
        1: ("take", side, far + sign * 5 * tick, whole(2 * far_qty)),
        2: ("rest", side, near, small),
        3: ("rest", side, near, whole(0.5 * near_qty)),
        4: ("rest", side, near + sign * tick if room else near, small),
        5: ("rest", side, near - sign * 10 * tick, small),
    }[number % 6]
