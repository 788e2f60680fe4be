#!/usr/bin/env python3
"""Weibull fill times with censoring by `lifelines`, for calib.

Requires: numpy==2.4.6 pandas==2.3.3 lifelines==0.30.3
Run: python3 scripts/golden/fill.py > scripts/golden/fill.json
"""

import json

import numpy as np
import pandas as pd
from lifelines import KaplanMeierFitter, WeibullAFTFitter


def main():
    rng = np.random.default_rng(11)
    n = 400
    queue = np.round(rng.gamma(1.5, 4.0, n), 4)
    behind = rng.integers(0, 4, n).astype(float)
    share = np.round(rng.uniform(0.05, 0.95, n), 4)
    eta = 1.2 + 0.9 * np.log1p(queue) + 0.4 * behind - 0.7 * (share - 0.5)
    t = np.exp(eta) * rng.weibull(0.8, n)
    limit = rng.uniform(1.0, 120.0, n)
    seconds = np.round(np.minimum(t, limit), 5) + 1e-5
    filled = (t <= limit).astype(int)
    frame = pd.DataFrame({"ln_queue": np.log1p(queue), "behind": behind, "share": share - 0.5,
                          "seconds": seconds, "filled": filled})
    fitter = WeibullAFTFitter()
    fitter.fit(frame, "seconds", "filled")
    p, se = fitter.params_, fitter.standard_errors_
    keys = [("lambda_", "Intercept"), ("lambda_", "ln_queue"), ("lambda_", "behind"),
            ("lambda_", "share"), ("rho_", "Intercept")]
    curve = KaplanMeierFitter().fit(seconds, filled)
    grid = [1.0, 5.0, 20.0, 60.0]
    print(json.dumps({
        "queue": queue.tolist(), "behind": behind.tolist(), "share": share.tolist(),
        "seconds": [float(v) for v in seconds], "filled": filled.tolist(),
        "parameters": [float(p[k]) for k in keys],
        "standard_errors": [float(se[k]) for k in keys],
        "log_likelihood": float(fitter.log_likelihood_),
        "kaplan_meier": [[g, float(1.0 - curve.predict(g))] for g in grid],
    }))


if __name__ == "__main__":
    main()
