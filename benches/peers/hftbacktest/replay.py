"""hftbacktest over recorded rows, behind the protocol of `worker.py`: `top` wakes at each row and
reads the best prices, `grid` keeps ten orders a side every 100 ms. Its fastest book
(`ROIVectorMarketDepth`), constant latency, both of its exchanges.

    python replay.py ROWS.gz TICK LOT
"""

import sys
import time
from pathlib import Path

import hftbacktest
import numpy as np
from hftbacktest import (
    BUY,
    GTC,
    LIMIT,
    SELL,
    BacktestAsset,
    ROIVectorMarketDepthBacktest,
)
from numba import njit

sys.path.insert(0, str(Path(__file__).parent.parent))
import rows  # noqa: E402
import worker  # noqa: E402

EVERY_NS = 100_000_000
ORDERS, HALF_SPREAD, GRID, LOTS = 10, 0.000_05, 0.000_05, 10
ORDER_NS = REPORT_NS = 5_000_000
FAR_S = 3600 * 1_000_000_000

tick, lot = float(sys.argv[2]), float(sys.argv[3])
events = rows.hftbacktest_rows(sys.argv[1], tick)
# The book's range: every price that was traded, and a tenth around.
traded = events["px"][(events["ev"] & 0xFF) == hftbacktest.TRADE_EVENT]
low, high = 0.9 * traded.min(), 1.1 * traded.max()


def backtest(partial):
    asset = (
        BacktestAsset()
        .data([events])
        .linear_asset(1.0)
        .constant_order_latency(ORDER_NS, REPORT_NS)
        .power_prob_queue_model(3.0)
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(tick)
        .lot_size(lot)
        .roi_lb(low)
        .roi_ub(high)
    )
    asset = asset.partial_fill_exchange() if partial else asset.no_partial_fill_exchange()
    return ROIVectorMarketDepthBacktest([asset])


@njit
def top(hbt):
    total, wakes = 0, 0
    while hbt.wait_next_feed(True, FAR_S) == 2:
        depth = hbt.depth(0)
        total += depth.best_bid_tick + depth.best_ask_tick
        wakes += 1
    return total, wakes


@njit
def samples(hbt, out):
    count = 0
    while hbt.elapse(EVERY_NS) == 0 and count < len(out):
        depth = hbt.depth(0)
        out[count, 0] = depth.best_bid_tick
        out[count, 1] = depth.best_ask_tick
        count += 1
    return count


@njit
def grid(hbt, qty, found):
    bids, asks = np.zeros(ORDERS, np.int64), np.zeros(ORDERS, np.int64)
    while hbt.elapse(EVERY_NS) == 0:
        hbt.clear_inactive_orders(0)
        depth = hbt.depth(0)
        bid, ask, tick = depth.best_bid_tick, depth.best_ask_tick, depth.tick_size
        position = hbt.position(0)
        mid = (bid + ask) / 2.0
        skew = HALF_SPREAD / ORDERS * (position / qty)
        step = max(np.round(mid * GRID), 1.0)
        buy = np.floor(min(mid * (1.0 - HALF_SPREAD - skew), bid) / step) * step
        sell = np.ceil(max(mid * (1.0 + HALF_SPREAD - skew), ask) / step) * step
        for i in range(ORDERS):
            bids[i], asks[i] = int(buy - i * step), int(sell + i * step)
        orders = hbt.orders(0)
        values = orders.values()
        while values.has_next():
            order = values.get()
            wanted = bids if order.side == BUY else asks
            if order.cancellable and not np.any(wanted == order.price_tick):
                hbt.cancel(0, order.order_id, False)
        if position < ORDERS * qty - 1e-9:
            for at in bids:
                if at not in orders:
                    hbt.submit_buy_order(0, at, at * tick, qty, GTC, LIMIT, False)
                    found[0] += 1
        if position > -ORDERS * qty + 1e-9:
            for at in asks:
                if at not in orders:
                    hbt.submit_sell_order(0, at, at * tick, qty, GTC, LIMIT, False)
                    found[0] += 1
    state = hbt.state_values(0)
    found[1], found[2], found[3] = state.num_trades, state.trading_volume, hbt.position(0)


def timed(play, *arguments, partial=False):
    hbt = backtest(partial)
    before = time.process_time_ns()
    play(hbt, *arguments)
    spent = time.process_time_ns() - before
    hbt.close()
    return spent


def run_grid(count, partial):
    return sum(timed(grid, LOTS * lot, np.zeros(4), partial=partial) for _ in range(count))


def check():
    out = np.zeros((100_000, 2), np.int64)
    hbt = backtest(False)
    count = samples(hbt, out)
    hbt.close()
    found = {"samples": out[:count]}
    for partial in (False, True):
        numbers = np.zeros(4)
        timed(grid, LOTS * lot, numbers, partial=partial)
        found["grid.partial" if partial else "grid"] = np.array(
            [numbers[0], numbers[1], numbers[2] / lot, numbers[3] / lot])
    return found


ways = {
    "top": lambda count: sum(timed(top) for _ in range(count)),
    "grid": lambda count: run_grid(count, False),
    "grid.partial": lambda count: run_grid(count, True),
}
for way in ways.values():
    way(1)
worker.serve(hftbacktest.__version__, ways, check, rows=len(events))
