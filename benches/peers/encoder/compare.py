"""Our encoder and others' on the same weights and tokens: agreement first, then times by turns.

    python compare.py WEIGHTS OUT.json REASONS MODEL NAME=COMMAND...

Each COMMAND speaks the protocol of `worker.py`; MODEL is the folder of the exported model. Writes
OUT.json and the table beside it; ends with 1 where a peer's outputs disagree with ours. REASONS
holds a line (name, tab, why) for each peer that could not be set up.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
import turns  # noqa: E402

ROUNDS, BATCH_S = 60, 0.02
# Largest difference of a forecast's numbers, as a part of the number or of one.
TOLERANCE = 1e-4
# Where weights and activations are rounded to bf16 by the peer; shown, and held to this.
TOLERANCE_BF16 = 0.2
# (peer, its way, our way, least ratio wanted)
BARS = [
    ("onnxruntime", "window", "one", 70.0),
    ("openvino", "window", "one", 55.0),
    ("onnxruntime", "step", "one", 12.0),
    ("onnxruntime", "ring", "one", 12.0),
    ("onnxruntime", "window", "one.avx2", 30.0),
    ("onnxruntime", "step", "all", 1.0),
    ("onnxruntime", "ring", "all", 1.0),
    ("openvino", "window_bf16", "one", None),
    ("pytorch", "window", "one", None),
    ("pytorch", "step", "one", None),
    ("tract", "window", "one", None),
]


def forecasts(rows, target):
    """Rows of the head in the units of a forecast."""
    rows = np.array(rows, np.float64).reshape(len(rows), 4, 5)
    rows[:, :, 3] *= target
    rows[:, :, 4] = rows[:, :, 4].clip(-10.0, 10.0) + 2.0 * np.log(target)
    return rows.reshape(len(rows), 20)


def differences(ours, peer, target):
    """Largest relative difference by way."""
    found = {}
    for name, rows in peer.items():
        truth = np.array(ours["window" if name.startswith("window") else "step"])
        theirs = forecasts(rows, target)
        found[name] = float((np.abs(theirs - truth) / np.maximum(np.abs(truth), 1.0)).max())
    return found


def bars(times):
    """Ratios wanted and found."""
    rows = turns.ratios(times, BARS)
    five = [times["ours"]["all"][k] / times["ours"]["one"][k] for k in ("best", "median")]
    rows.append({"peer": "ours", "way": "all", "ours": "one", "bar": 4.2, "at_most": True,
                 "best": five[0], "median": five[1], "met": max(five) <= 4.2})
    return rows


def main():
    target = np.load(Path(sys.argv[4]) / "model.npz")["target"]
    peers = turns.start(sys.argv[5:])
    checks = {name: peer.ask("check") for name, peer in peers.items()}
    record = turns.head(peers, sys.argv[3]) | {"weights": Path(sys.argv[1]).name,
                                               "tolerance": TOLERANCE, "difference": {}}
    wrong = []
    for name in list(peers):
        if name != "ours":
            found = differences(checks["ours"], checks[name], target)
            record["difference"][name] = found
            for way, most in found.items():
                if not most <= (TOLERANCE_BF16 if "bf16" in way else TOLERANCE):
                    wrong.append(f"{name} {way}: outputs differ by {most:.2e}")
    if wrong:
        sys.exit("\n".join(wrong))
    ways = {name: peer.ways for name, peer in peers.items()}
    record["ns"] = turns.measure(peers, ways, ROUNDS, BATCH_S)
    record["ratios"] = bars(record["ns"])
    turns.write(record, Path(sys.argv[2]), "One token", "µs", 1e-3)


if __name__ == "__main__":
    main()
