#!/usr/bin/env python3
"""GARCH(1,1) with a constant mean by the `arch` package, for calib.

Requires: numpy==2.4.6 arch==8.0.0
Run: python3 scripts/golden/garch.py > scripts/golden/garch.json

Series are drawn here with fixed seeds, in percent and rounded, so that the file holds exactly
what was fitted. Standard errors are the classic ones (inverse Hessian) and the robust ones.
"""

import json

import numpy as np
from arch import arch_model

CASES = [
    {"seed": 1, "n": 1500, "mu": 0.05, "omega": 0.05, "alpha": 0.08, "beta": 0.90},
    {"seed": 2, "n": 900, "mu": -0.02, "omega": 0.20, "alpha": 0.15, "beta": 0.70},
    {"seed": 3, "n": 600, "mu": 0.00, "omega": 0.02, "alpha": 0.05, "beta": 0.93},
]


def draw(case):
    rng = np.random.default_rng(case["seed"])
    variance = case["omega"] / (1.0 - case["alpha"] - case["beta"])
    out = []
    for z in rng.standard_normal(case["n"]):
        e = np.sqrt(variance) * z
        out.append(round(float(case["mu"] + e), 6))
        variance = case["omega"] + case["alpha"] * e * e + case["beta"] * variance
    return out


def fit(case):
    returns = draw(case)
    model = arch_model(np.array(returns), mean="Constant", vol="GARCH", p=1, q=1, rescale=False)
    result = model.fit(disp="off", tol=1e-12, options={"maxiter": 5000, "ftol": 1e-14})
    classic = model.fit(disp="off", tol=1e-12, cov_type="classic",
                        options={"maxiter": 5000, "ftol": 1e-14})
    forecast = result.forecast(horizon=5, reindex=False).variance.to_numpy()[-1]
    return {
        "returns": returns,
        "parameters": [float(v) for v in result.params],
        "classic": [float(v) for v in classic.std_err],
        "robust": [float(v) for v in result.std_err],
        "log_likelihood": float(result.loglikelihood),
        "forecast_variance": [float(v) for v in forecast],
    }


if __name__ == "__main__":
    print(json.dumps([fit(c) for c in CASES]))
