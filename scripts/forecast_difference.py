"""Where would two forecasts of the same tokens decide differently?

    ijk forecast FEED --out a.parquet; ijk forecast FEED --device cuda --out b.parquet
    python3 scripts/forecast_difference.py a.parquet b.parquet

numpy, pyarrow. Compares pooled class, sign of the pooled mean, and the common rule of
docs/models.md (p(up) - p(down) beyond 0.2) at every token and horizon; the margin is the largest
lead of a class over the next among the tokens that got another class. Ends with 1 where a
probability differs by more than 1e-3: then it is no rounding of keys and values.
"""

import sys

import numpy as np
import pyarrow.parquet as parquet

HORIZONS = (1, 5, 10, 20)
TOLERANCE = 1e-3


def pooled(table):
    """Probabilities (token, horizon, class) and means (token, horizon)."""
    column = lambda name: table[name].to_numpy()
    p = [[column(f"p_{c}_h{h}") for c in ("down", "flat", "up")] for h in HORIZONS]
    mean = [column(f"mean_bps_h{h}") for h in HORIZONS]
    return np.array(p).transpose(2, 0, 1), np.array(mean).T


def differences(p, mean, other_p, other_mean):
    """Prints a row a horizon; returns whether all probabilities are within the tolerance."""
    acts = lambda x: np.where(np.abs(x[:, 2] - x[:, 0]) > 0.2, np.sign(x[:, 2] - x[:, 0]), 0)
    within = True
    print("horizon  max |dp|  max |dmean| bps  class differs  sign differs  rule differs  margin")
    for i, h in enumerate(HORIZONS):
        a, b = p[:, i], other_p[:, i]
        other = a.argmax(1) != b.argmax(1)
        sign = np.sign(mean[:, i]) != np.sign(other_mean[:, i])
        rule = acts(a) != acts(b)
        top = np.sort(a, 1)
        margin = (top[:, 2] - top[:, 1])[other].max(initial=0.0)
        largest = np.abs(a - b).max()
        within &= bool(largest <= TOLERANCE)
        print(
            f"{h:>7} {largest:>9.1e} {np.abs(mean[:, i] - other_mean[:, i]).max():>16.1e} "
            f"{other.sum():>14} {sign.sum():>13} {rule.sum():>13}  {margin:.1e}"
        )
    return within


def main():
    first, second = (parquet.read_table(path) for path in sys.argv[1:])
    if first.num_rows != second.num_rows:
        sys.exit(f"{first.num_rows} tokens and {second.num_rows}: not the same feed")
    print(f"{first.num_rows} tokens")
    sys.exit(0 if differences(*pooled(first), *pooled(second)) else 1)


if __name__ == "__main__":
    main()
