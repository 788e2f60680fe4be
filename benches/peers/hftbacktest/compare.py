"""The same rows and orders through our exchange and hftbacktest: which fills agree, and why not.

    python compare.py DATA_DIR IJK_PEERS_BINARY OUT_DIR

Writes OUT_DIR/hftbacktest.json and OUT_DIR/hftbacktest.md; ends with 1 if a stated tolerance is
not met.
"""

import csv
import io
import json
import platform
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path

import hftbacktest
import rows
import theirs

ORDER_NS, REPORT_NS, POWER = 1_000_000, 500_000, 3.0
# File, tick, lot.
FILES = [
    ("usdm/btcusdt_20240808.gz", 0.1, 0.001),
    ("usdm/ethusdt_20240808.gz", 0.01, 0.001),
    ("spot/btcusdt_20240808.gz", 0.01, 0.00001),
    ("spot/ethusdt_20240808.gz", 0.01, 0.0001),
]
# Milliseconds between orders, seconds that one rests.
FLOWS = {"one at a time": (2_500, 2.0), "many at once": (250, 20.0)}
# Largest difference of filled orders and of filled quantity, as parts of theirs, with their queue
# model of the same form as ours. Why they are not zero is in README.md beside this.
TOLERANCE = {
    "one at a time": {"take": (0.02, 0.01), "rest": (0.05, 0.005)},
    "many at once": {"take": (0.05, 0.25), "rest": (0.02, 0.02)},
}
# First fills of resting orders, one at a time: 99 % within this many milliseconds.
SHIFT_MS = 1.0


def ours(binary, feed, flow_file, tick, lot):
    """Runs our exchange; returns fills by order and the ids that the gate refused."""
    command = [binary, f"binance:{feed}", flow_file, f"{tick:.8f}", f"{lot:.8f}"]
    command += [str(ORDER_NS // 1000), str(REPORT_NS // 1000), str(POWER)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    fills, refused = defaultdict(list), set()
    for row in csv.DictReader(io.StringIO(text)):
        if row["event"] == "Fill":
            tick_px = round(int(row["px"]) / (tick * 1e9))
            fill = (int(row["ts_ns"]), tick_px, int(row["qty"]), int(row["maker"]))
            fills[int(row["id"])].append(fill)
        elif row["event"] == "refused":
            refused.add(int(row["id"]))
    return fills, refused


def peer(events, lines, tick, lot, queue):
    """Runs hftbacktest; returns fills by order."""
    fills = defaultdict(list)
    log = theirs.run(events, lines, tick, lot, ORDER_NS, REPORT_NS, queue)
    for number, ts, px, qty, maker in log.tolist():
        fills[number].append((ts, px, qty, maker))
    return fills


def fate(a, b, order, lot_e9):
    """Names how the two differ about one order."""
    qty_a, qty_b = sum(f[2] for f in a), sum(f[2] for f in b)
    action, _, wanted = order
    if not a and not b:
        return "neither filled"
    same = abs(qty_a - qty_b) < lot_e9
    if action == "take":
        # hftbacktest tells a taker the price of the last level only.
        if same:
            alike = a[-1][1] == b[-1][1] and a[-1][0] == b[-1][0]
            return "same" if alike else "taken at another price or time"
        return "taken: we remember what we took" if qty_a < qty_b else "taken: more with us"
    if same:
        alike = a[0][0] == b[0][0] and a[-1][0] == b[-1][0]
        return "same" if alike else "same quantity at another time"
    if any(not f[3] for f in b) or any(not f[3] for f in a):
        return "marketable on arrival"
    if qty_a < qty_b and qty_b >= wanted - lot_e9:
        return "theirs whole, ours by what traded"
    return "only theirs" if not a else "only ours" if not b else "another part"


def compare(a, b, lines, refused, lot):
    """Counts fates and quantities over all orders."""
    orders = {}
    for line in lines[1:]:
        _, action, number, side, _, qty = line.split(",")
        if action != "cancel" and int(number) not in refused:
            orders[int(number)] = (action, side, round(float(qty) * 1e9))
    lot_e9 = round(lot * 1e9)
    result = {}
    for action in ("take", "rest"):
        ids = [n for n, o in orders.items() if o[0] == action]
        fates = Counter(fate(a[n], b[n], orders[n], lot_e9) for n in ids)
        quantity = [sum(f[2] for n in ids for f in x[n]) * 1e-9 for x in (a, b)]
        filled = [sum(1 for n in ids if x[n]) for x in (a, b)]
        shift = sorted(abs(a[n][0][0] - b[n][0][0]) * 1e-6 for n in ids if a[n] and b[n])
        value = [sum(f[1] * f[2] for n in ids for f in x[n]) for x in (a, b)]
        whole = [sum(f[2] for n in ids for f in x[n]) for x in (a, b)]
        price = [v / w if w else float("nan") for v, w in zip(value, whole)]
        agree = fates["same"] + fates["neither filled"]
        result[action] = {
            "orders": len(ids),
            "filled_orders": filled,
            "filled_quantity": quantity,
            "mean_price_ticks": price,
            "same_fate": agree / max(1, len(ids)),
            "first_fill_shift_ms_p50_p99": [pick(shift, 0.5), pick(shift, 0.99)],
            "fates": dict(sorted(fates.items())),
        }
    return result


def pick(values, part):
    return values[min(len(values) - 1, int(part * len(values)))] if values else None


def apart(pair):
    """Difference of ours from theirs as a part of theirs."""
    mine, other = pair
    return abs(mine - other) / other if other else float(mine != other)


def misses(results):
    """Lists every tolerance that is not met."""
    found = []
    for row in (r for r in results if r["queue"] == "power"):
        where = f"{row['file']}, {row['flow']}"
        for action, (orders, quantity) in TOLERANCE[row["flow"]].items():
            r = row[action]
            for name, limit in (("filled_orders", orders), ("filled_quantity", quantity)):
                # One order of a few is no difference in kind.
                few = name == "filled_orders" and abs(r[name][0] - r[name][1]) <= 1
                if apart(r[name]) > limit and not few:
                    found.append(f"{where}: {action} {name} {r[name]} differ by more than {limit}")
        shift = row["rest"]["first_fill_shift_ms_p50_p99"][1]
        if row["flow"] == "one at a time" and (shift or 0.0) > SHIFT_MS:
            found.append(f"{where}: first fills {shift} ms apart")
    return found


def markdown(record):
    """The record for people."""
    lines = [
        "# Fills against hftbacktest",
        "",
        f"`benches/peers/hftbacktest.sh`, hftbacktest {record['hftbacktest']}, {record['date']}, "
        f"{record['machine']}. Ours / theirs.",
        "",
        "| rows | orders | their queue model | action | orders | filled | quantity | mean price, "
        "ticks | same fate | first fill apart, ms p50, p99 |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in record["results"]:
        for action in ("take", "rest"):
            r = row[action]
            quantity = " / ".join(f"{q:.4f}" for q in r["filled_quantity"])
            price = r["mean_price_ticks"][0] - r["mean_price_ticks"][1]
            shift = ", ".join("" if v is None else f"{v:.3f}" for v in
                              r["first_fill_shift_ms_p50_p99"])
            lines.append(
                f"| {row['file'].split('_')[0]} | {row['flow']} | {row['queue']} | {action} | "
                f"{r['orders']} | {r['filled_orders'][0]} / {r['filled_orders'][1]} | {quantity} | "
                f"{price:+.3f} | {100 * r['same_fate']:.1f} % | {shift} |"
            )
    lines += ["", "Fates, their power model:", ""]
    for row in (r for r in record["results"] if r["queue"] == "power"):
        for action in ("take", "rest"):
            fates = ", ".join(f"{k} {v}" for k, v in row[action]["fates"].items())
            lines.append(f"- {row['file'].split('_')[0]}, {row['flow']}, {action}: {fates}")
    verdict = record["misses"] or ["Every tolerance is met."]
    return "\n".join(lines + ["", *verdict, ""])


def main():
    data, binary, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name, tick, lot in FILES:
            feed = Path(folder) / "rows.gz"
            rows.filtered(data / "hftbacktest" / name, feed)
            events = rows.hftbacktest_rows(feed, tick)
            for flow_name, (every_ms, life_s) in FLOWS.items():
                lines = rows.flow(feed, tick, lot, every_ms, life_s)
                flow_file = Path(folder) / "flow.csv"
                flow_file.write_text("\n".join(lines) + "\n")
                a, refused = ours(binary, feed, flow_file, tick, lot)
                kept = [x for x in lines[1:] if int(x.split(",")[2]) not in refused]
                for queue in theirs.QUEUES:
                    b = peer(events, lines[:1] + kept, tick, lot, queue)
                    found = compare(a, b, lines, refused, lot)
                    row = {"file": name, "flow": flow_name, "queue": queue}
                    results.append(row | {"refused": len(refused), **found})
                print(f"{name}: {flow_name}", flush=True)
    record = {
        "hftbacktest": hftbacktest.__version__,
        "date": date.today().isoformat(),
        "machine": machine(),
        "order_latency_ns": ORDER_NS,
        "report_latency_ns": REPORT_NS,
        "queue_power": POWER,
        "tolerance": TOLERANCE,
        "results": results,
        "misses": misses(results),
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "hftbacktest.json").write_text(json.dumps(record, indent=1) + "\n")
    (out / "hftbacktest.md").write_text(markdown(record))
    print("\n".join(record["misses"] or ["every tolerance is met"]))
    sys.exit(1 if record["misses"] else 0)


def machine():
    """The processor's name and how many there are."""
    names = [x.split(":")[1].strip() for x in open("/proc/cpuinfo") if x.startswith("model name")]
    return f"{len(names)}-core {names[0]}" if names else platform.machine()


if __name__ == "__main__":
    main()
