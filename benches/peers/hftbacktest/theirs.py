"""hftbacktest over the same rows and the same flow."""

import numpy as np
from hftbacktest import ALL_ASSETS, GTC, LIMIT, BacktestAsset, HashMapMarketDepthBacktest
from hftbacktest.order import IOC
from numba import njit

REST, TAKE, CANCEL = 0, 1, 2
# How often orders are looked at; fills carry their own time.
STEP_NS = 1_000_000
QUEUES = {
    "power": lambda asset: asset.power_prob_queue_model(3.0),
    "log": lambda asset: asset.log_prob_queue_model(),
    "risk averse": lambda asset: asset.risk_adverse_queue_model(),
}


def steps(lines):
    """The flow as arrays: time, action, id, side, price, quantity."""
    rows = [line.split(",") for line in lines[1:]]
    action = {"rest": REST, "take": TAKE, "cancel": CANCEL}
    return (
        np.array([int(r[0]) for r in rows], np.int64),
        np.array([action[r[1]] for r in rows], np.int64),
        np.array([int(r[2]) for r in rows], np.int64),
        np.array([1 if r[3] == "buy" else -1 for r in rows], np.int64),
        np.array([float(r[4]) for r in rows]),
        np.array([float(r[5]) for r in rows]),
    )


@njit
def note(hbt, left, log, count, lot):
    """Notes every order whose open quantity has fallen since it was last looked at."""
    values = hbt.orders(0).values()
    while values.has_next():
        order = values.get()
        known = left[order.order_id]
        if known - order.leaves_qty > 1e-12:
            log[count, 0] = order.order_id
            log[count, 1] = order.exch_timestamp
            log[count, 2] = order.exec_price_tick
            log[count, 3] = round(round((known - order.leaves_qty) / lot) * lot * 1e9)
            log[count, 4] = order.arr[0].maker
            count += 1
            left[order.order_id] = order.leaves_qty
    return count


@njit
def play(hbt, ts, action, ids, side, px, qty, left, log, lot):
    """Sends the flow at its times; returns how many fills were heard of, and how it ended."""
    count = 0
    at = 0
    # There is no time before the first row.
    result = hbt.elapse(STEP_NS)
    while result == 0:
        now = hbt.current_timestamp
        while at < len(ts) and ts[at] <= now:
            i = at
            at += 1
            if action[i] == CANCEL:
                order = hbt.orders(0).get(ids[i])
                if order is not None and order.cancellable:
                    hbt.cancel(0, ids[i], False)
                continue
            left[ids[i]] = qty[i]
            tif = IOC if action[i] == TAKE else GTC
            if side[i] > 0:
                hbt.submit_buy_order(0, ids[i], px[i], qty[i], tif, LIMIT, False)
            else:
                hbt.submit_sell_order(0, ids[i], px[i], qty[i], tif, LIMIT, False)
        result = hbt.elapse(min(STEP_NS, ts[at] - now) if at < len(ts) else STEP_NS)
        if len(hbt.orders(0)) > 0:
            count = note(hbt, left, log, count, lot)
            hbt.clear_inactive_orders(0)
    return count, result


def run(rows, lines, tick, lot, order_ns, report_ns, queue):
    """Runs the flow; returns fills as (id, exchange ns, price tick, quantity e9, maker)."""
    asset = (
        BacktestAsset()
        .data([rows])
        .linear_asset(1.0)
        .constant_order_latency(order_ns, report_ns)
        .partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(tick)
        .lot_size(lot)
    )
    asset = QUEUES[queue](asset)
    hbt = HashMapMarketDepthBacktest([asset])
    flow = steps(lines)
    # PartialFillExchange keeps an order whose queue lets exactly its rest through, marked filled,
    # and stops with an error at its next fill. Of a whole number of lots less a bit, what is let
    # through is never exactly the rest; fills are rounded to lots again.
    flow[5][:] -= 0.4 * lot
    left = np.zeros(int(flow[2].max()) + 1)
    log = np.zeros((20 * len(lines), 5), np.int64)
    count, ended = play(hbt, *flow, left, log, lot)
    hbt.close()
    if ended != 1:
        raise RuntimeError(f"hftbacktest stopped with code {ended}, not at the end of the rows")
    return log[:count]
