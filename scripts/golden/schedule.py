#!/usr/bin/env python3
"""Optimal execution schedules by quadratic programming, for kernel/execution.

Requires: numpy==2.4.6 cvxpy==1.9.3 clarabel==0.11.1
Run: python3 scripts/golden/schedule.py > scripts/golden/schedule.json

Minimises E + lambda*V of Almgren and Chriss (2000) over the trades themselves; the closed form is
not used. Quantities are scaled by the total so that the solver's tolerance means something.
"""

import json

import cvxpy as cp
import numpy as np

PAPER = {"sigma": 0.95, "eta": 2.5e-6, "gamma": 2.5e-7, "epsilon": 0.0625, "tau": 1.0}
CASES = [
    {"lambda": 0.0, "total": 1e6, "slices": 5, **PAPER},
    {"lambda": 1e-6, "total": 1e6, "slices": 5, **PAPER},
    {"lambda": 2e-6, "total": 1e6, "slices": 5, **PAPER},
    {"lambda": 5e-6, "total": 3e5, "slices": 20, **PAPER, "tau": 0.25},
    {"lambda": 1e-5, "total": 2e4, "slices": 12, "sigma": 7.5, "eta": 1.065e-6, "gamma": 0.0,
     "epsilon": 0.01, "tau": 5.0 / 23400.0},
    {"lambda": 1e-4, "total": 2e4, "slices": 60, "sigma": 7.5, "eta": 1.065e-6, "gamma": 0.0,
     "epsilon": 0.01, "tau": 60.0 / 23400.0},
]


def solve(case):
    n, total, tau = case["slices"], case["total"], case["tau"]
    eta_tilde = case["eta"] - 0.5 * case["gamma"] * tau
    trades = cp.Variable(n)
    # Holdings after each slice, as parts of the total.
    left = 1.0 - np.tril(np.ones((n, n))) @ trades
    impact = eta_tilde / tau * total**2
    risk = case["lambda"] * case["sigma"] ** 2 * tau * total**2
    scale = max(impact, risk)
    objective = impact / scale * cp.sum_squares(trades) + risk / scale * cp.sum_squares(left)
    problem = cp.Problem(cp.Minimize(objective), [cp.sum(trades) == 1.0])
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-14, tol_gap_rel=1e-14, tol_feas=1e-14)
    assert problem.status in ("optimal", "optimal_inaccurate"), problem.status
    sold = np.asarray(trades.value) * total
    holdings = total - np.concatenate([[0.0], np.cumsum(sold)])
    expected = (
        0.5 * case["gamma"] * total**2
        + case["epsilon"] * np.abs(sold).sum()
        + eta_tilde / tau * (sold**2).sum()
    )
    variance = case["sigma"] ** 2 * tau * (holdings[1:] ** 2).sum()
    return {**case, "holdings": [float(x) for x in holdings], "expected": float(expected),
            "variance": float(variance)}


if __name__ == "__main__":
    print(json.dumps([solve(c) for c in CASES], indent=1))
