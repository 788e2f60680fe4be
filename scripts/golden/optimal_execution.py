#!/usr/bin/env python3
"""Schedules under power-law impact and under propagators by convex programming, for kernel/execution.

Requires: numpy==2.4.6 cvxpy==1.9.3 clarabel==0.11.1
Run: python3 scripts/golden/optimal_execution.py > scripts/golden/optimal_execution.json

Power law: minimises sum n^(1+beta) + lambda * sum x^2 over trades that add up to 1, x what is left
after each trade. Propagator: minimises 1/2 n'Gn. No closed form or recursion is used.
"""

import json

import cvxpy as cp
import numpy as np

POWER = [(5, 1.0, 0.4), (5, 0.6, 0.4), (12, 0.6, 0.05), (20, 0.5, 1e-3), (8, 0.6, 3.0)]
KERNELS = [(11, "exponential", 2.0), (40, "exponential", 0.05), (11, "power", 0.4), (64, "power", 0.6)]


def optimum(trades, objective):
    problem = cp.Problem(cp.Minimize(objective), [cp.sum(trades) == 1.0, trades >= 0.0])
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-13, tol_gap_rel=1e-13, tol_feas=1e-13)
    assert problem.status in ("optimal", "optimal_inaccurate"), problem.status
    return [float(v) for v in trades.value]


def power_law(n, beta, risk):
    trades = cp.Variable(n)
    left = 1.0 - np.tril(np.ones((n, n))) @ trades
    cost = cp.sum(cp.power(trades, 1.0 + beta)) + risk * cp.sum_squares(left)
    return {"n": n, "beta": beta, "lambda": risk, "trades": optimum(trades, cost)}


def propagator(n, kind, parameter):
    lags = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    kernel = np.exp(-parameter * lags) if kind == "exponential" else (1.0 + lags) ** -parameter
    trades = cp.Variable(n)
    cost = 0.5 * cp.quad_form(trades, cp.psd_wrap(kernel))
    return {"n": n, "kernel": kind, "parameter": parameter, "trades": optimum(trades, cost)}


if __name__ == "__main__":
    golden = {
        "power_law": [power_law(*c) for c in POWER],
        "propagator": [propagator(*c) for c in KERNELS],
    }
    print(json.dumps(golden, indent=1))
