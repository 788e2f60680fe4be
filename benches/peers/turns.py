"""Runs programs by turns: ours, one of theirs, ours, the next of theirs, and so on."""

import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from datetime import date


# Why a program that was set up did not start.
NOT_STARTED = {}


class Peer:
    """A program behind the protocol of `worker.py`."""

    def __init__(self, name, command):
        pipe = subprocess.PIPE
        self.name = name
        self.process = subprocess.Popen(shlex.split(command), stdin=pipe, stdout=pipe, text=True)
        self.about = self.ask("info")
        self.ways = self.about["ways"]

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            code = self.process.wait()
            raise RuntimeError(f"{self.name} ended with {code} at '{line}'") from None

    def run(self, way, count):
        """CPU nanoseconds of one repetition."""
        return self.ask(f"run {way} {count}")["cpu_ns"] / count


def start(arguments):
    """Starts `name=command` in their order; what does not start is told and left out."""
    pin()
    peers = {}
    for argument in arguments:
        name, command = argument.split("=", 1)
        try:
            peers[name] = Peer(name, command)
        except (RuntimeError, OSError) as e:
            if name == "ours":
                raise
            NOT_STARTED[name] = str(e)
            print(f"{name}: not run: {e}", file=sys.stderr)
    return peers


def pin():
    """Everything on the last core that we may use; in real-time order where asked for."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if os.environ.get("IJK_PEERS_FIFO") == "1":
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))


def measure(peers, ways, rounds, batch_s):
    """Best and median CPU nanoseconds of one repetition by peer and way.

    Each batch lasts about `batch_s`; a batch of our first way stands before each of theirs, and
    our other ways once in a round, so that whatever the machine does meanwhile meets both.
    """
    counts = {}
    for name, peer in peers.items():
        for way in ways[name]:
            once = min(peer.run(way, 1) for _ in range(3))
            counts[name, way] = max(1, round(batch_s * 1e9 / once))
    found = {name: {way: [] for way in ways[name]} for name in peers}
    theirs = [key for key in counts if key[0] != "ours"]
    mine = [key for key in counts if key[0] == "ours"]
    for _ in range(rounds):
        turn = mine[1:] + [key for their in theirs for key in (mine[0], their)]
        for name, way in turn:
            found[name][way].append(peers[name].run(way, counts[name, way]))
    summary = lambda v: {"best": min(v), "median": statistics.median(v), "batches": len(v)}
    return {name: {way: summary(v) for way, v in by.items()} for name, by in found.items()}


def ratios(times, bars):
    """Their time over ours, of the bests and of the medians, and whether a bar is met by both."""
    rows = []
    for peer, way, our, bar in bars:
        if peer in times and way in times[peer] and our in times["ours"]:
            pair = times[peer][way], times["ours"][our]
            best, median = (pair[0][k] / pair[1][k] for k in ("best", "median"))
            met = None if bar is None else best >= bar and median >= bar
            rows.append({"peer": peer, "way": way, "ours": our, "bar": bar,
                         "best": best, "median": median, "met": met})
    return rows


def head(peers, reasons):
    """What a record says of its circumstances."""
    with open(reasons) as file:
        missing = dict(line.rstrip("\n").split("\t", 1) for line in file)
    return {
        "date": date.today().isoformat(),
        "machine": machine(),
        "load": os.getloadavg()[0],
        "real_time": os.environ.get("IJK_PEERS_FIFO") == "1",
        "commit": os.environ.get("IJK_COMMIT", "unknown"),
        "peers": {name: peer.about for name, peer in peers.items()},
        "not_run": missing | NOT_STARTED,
    }


def machine():
    """The processor's name and how many there are."""
    names = [x.split(":")[1].strip() for x in open("/proc/cpuinfo") if x.startswith("model name")]
    return f"{len(names)}-core {names[0]}" if names else platform.machine()


def write(record, path, title, unit, scale):
    """Writes the record, and its table beside it and to the terminal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
    versions = ", ".join(f"{n} {p['version']}" for n, p in record["peers"].items() if n != "ours")
    lines = [
        f"# {title}",
        "",
        f"`benches/peers/run.sh`, {versions}; {record['date']}, {record['machine']}, commit "
        f"{record['commit']}, load {record['load']:.1f}. CPU time, one thread, by turns.",
        "",
        f"| who | way | best, {unit} | median, {unit} | batches |",
        "|---|---|---|---|---|",
    ]
    for name, ways in record["ns"].items():
        about = record["peers"][name].get("about", {})
        for way, t in ways.items():
            detail = f" ({about[way]})" if way in about else ""
            best, median = t["best"] * scale, t["median"] * scale
            lines.append(f"| {name} | {way}{detail} | {best:.2f} | {median:.2f} | {t['batches']} |")
    lines += ["", "| ratio | best | median | bar | met |", "|---|---|---|---|---|"]
    for r in record["ratios"]:
        sign = "≤" if r.get("at_most") else "≥"
        bar = "" if r["bar"] is None else f"{sign} {r['bar']:g}"
        met = {None: "", True: "yes", False: "**no**"}[r["met"]]
        pair = f"{r['peer']} {r['way']} / ours {r['ours']}"
        lines.append(f"| {pair} | {r['best']:.1f} | {r['median']:.1f} | {bar} | {met} |")
    lines += record.get("notes", [])
    lines += [f"\n{name} was not run: {why}" for name, why in record["not_run"].items()]
    text = "\n".join(lines) + "\n"
    path.with_suffix(".md").write_text(text)
    print(text)
