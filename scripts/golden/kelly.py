#!/usr/bin/env python3
"""Kelly fractions, t quantiles and no-trade targets by brute optimisation, for kernel/sizing.

Requires: numpy==2.4.6 scipy==1.16.3
Run: python3 scripts/golden/kelly.py > scripts/golden/kelly.json

- log_growth: the fraction that maximises the exact E[log(1 + f*R)] for R normal around `mean`,
  by Gauss-Hermite quadrature; the kernel's mean/variance agrees to second order.
- student_t: one-sided quantiles.
- region: the target that maximises mean-variance utility less proportional costs, found by
  search from a fixed grid of cases, without the kernel's closed form.
"""

import json

import numpy as np
from scipy import optimize, stats

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(61)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def log_growth(mean, sd):
    returns = mean + sd * NODES
    # No fraction may lose everything at the lowest node.
    limit = 0.999 / -returns.min()

    def slope(f):
        return float((WEIGHTS * returns / (1.0 + f * returns)).sum())

    fraction = optimize.brentq(slope, 0.0, limit, xtol=1e-14, rtol=1e-14)
    growth = float((WEIGHTS * np.log1p(fraction * returns)).sum())
    half = float((WEIGHTS * np.log1p(0.5 * fraction * returns)).sum())
    return {"mean": mean, "sd": sd, "fraction": fraction, "half_growth": half / growth}


def region(mean, cost, variance, multiplier, position):
    def loss(w):
        if position * w < 0:
            paid = abs(position) + 2 * abs(w)
        elif abs(w) > abs(position):
            paid = 2 * (abs(w) - abs(position))
        else:
            paid = abs(position) - abs(w)
        return -(mean * w - 0.5 * variance * w * w / multiplier - cost * paid)

    # Convex, with kinks at zero and at the position: search each smooth piece, compare the ends.
    cuts = sorted({-20.0, 0.0, position, 20.0})
    best = min(cuts, key=loss)
    for low, high in zip(cuts, cuts[1:]):
        found = optimize.minimize_scalar(
            loss, bounds=(low, high), method="bounded", options={"xatol": 1e-13, "maxiter": 2000}
        )
        if found.fun < loss(best) - 1e-18:
            best = float(found.x)
    return {"mean": mean, "cost": cost, "variance": variance, "multiplier": multiplier,
            "position": position, "target": best}


if __name__ == "__main__":
    document = {
        "log_growth": [
            log_growth(m, s) for m, s in [(5e-5, 1e-2), (1e-4, 1e-2), (2e-5, 3e-3), (5e-6, 1e-3)]
        ],
        "student_t": [
            {"confidence": p, "df": df, "quantile": float(stats.t.ppf(p, df))}
            for p in (0.6, 0.9, 0.95, 0.975, 0.999)
            for df in (1, 2, 3, 4)
        ],
        "region": [
            region(m, c, 1e-3, k, w)
            for m in (-2e-3, -4e-4, -1e-4, 0.0, 2e-4, 1e-3)
            for c in (0.0, 1.5e-4)
            for k in (0.25, 1.0)
            for w in (-0.8, -0.1, 0.0, 0.05, 0.6)
        ],
    }
    print(json.dumps(document, indent=1))
