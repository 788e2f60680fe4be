//! Every schedule that claims to be an optimum against the optimum that a conic solver finds.

use clarabel::algebra::CscMatrix;
use clarabel::solver::SupportedConeT::{NonnegativeConeT, PowerConeT, ZeroConeT};
use clarabel::solver::{DefaultSettingsBuilder, DefaultSolver, IPSolver, SupportedConeT};
use ijk_execution::almgren_chriss::{holdings, kappa_from_squared};
use ijk_execution::power_law::PowerLaw;
use ijk_execution::resilience::{edge_part, propagator_trades};

type Matrix = Vec<Vec<f64>>;

/// Minimises `½x'Px + q'x` subject to `Ax + s = b`, s in the cones.
fn solve(p: &Matrix, q: &[f64], a: &Matrix, b: &[f64], cones: &[SupportedConeT<f64>]) -> Vec<f64> {
    let mut upper = p.clone();
    for (i, row) in upper.iter_mut().enumerate() {
        row[..i].fill(0.0);
    }
    let mut settings = DefaultSettingsBuilder::default();
    settings.verbose(false).tol_gap_abs(1e-13).tol_gap_rel(1e-13).tol_feas(1e-13).max_iter(500);
    let (p, a) = (CscMatrix::from(&upper), CscMatrix::from(a));
    let mut solver = DefaultSolver::new(&p, q, &a, b, cones, settings.build().unwrap()).unwrap();
    solver.solve();
    // The tolerances ask for more than doubles give: the residuals say how good it is.
    let s = &solver.solution;
    assert!(s.r_prim < 1e-8 && s.r_dual < 1e-8, "{:?} {} {}", s.status, s.r_prim, s.r_dual);
    s.x.clone()
}

/// Rows of `sum(trades) = 1` and `trades >= 0` for `n` trades among `width` variables.
fn simplex(n: usize, width: usize) -> (Matrix, Vec<f64>, Vec<SupportedConeT<f64>>) {
    let unit = |i: usize, v: f64| {
        let mut row = vec![0.0; width];
        row[i] = v;
        row
    };
    let mut all = vec![0.0; width];
    all[..n].fill(1.0);
    let mut a = vec![all];
    a.extend((0..n).map(|i| unit(i, -1.0)));
    let mut b = vec![0.0; n + 1];
    b[0] = 1.0;
    (a, b, vec![ZeroConeT(1), NonnegativeConeT(n)])
}

/// `P` and `q` of `impact·Σ n² + risk·Σ x²`, x what is left after each trade.
fn risk_terms(n: usize, width: usize, impact: f64, risk: f64) -> (Matrix, Vec<f64>) {
    let mut p = vec![vec![0.0; width]; width];
    let mut q = vec![0.0; width];
    for j in 0..n {
        for (l, value) in p[j].iter_mut().enumerate().take(n) {
            // Trades j and l both stand in every holding from the later of them on.
            *value = 2.0 * risk * (n - j.max(l)) as f64;
        }
        p[j][j] += 2.0 * impact;
        q[j] = -2.0 * risk * (n - j) as f64;
    }
    (p, q)
}

fn close(got: &[f64], want: &[f64], tolerance: f64, what: &str) {
    for (k, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() < tolerance, "{what}, trade {k}: {g} is not {w}");
    }
}

#[test]
fn almgren_chriss_is_the_optimum_of_its_quadratic_program() {
    for (n, risk) in [(5usize, 0.0), (5, 0.4), (20, 0.02), (60, 0.004)] {
        let (p, q) = risk_terms(n, n, 1.0, risk);
        let (a, b, cones) = simplex(n, n);
        let optimum = solve(&p, &q, &a, &b, &cones);
        let mut left = vec![0.0; n + 1];
        holdings(1.0, kappa_from_squared(risk, 1.0), 1.0, &mut left);
        let closed: Vec<f64> = left.windows(2).map(|w| w[0] - w[1]).collect();
        close(&closed, &optimum, 1e-6, &format!("{n} trades, risk {risk}"));
    }
}

#[test]
fn obizhaeva_wang_and_the_propagator_are_the_optimum_of_theirs() {
    let optimum = |n: usize, g: &dyn Fn(usize) -> f64| {
        let p: Matrix =
            (0..n).map(|i| (0..n).map(|j| g(usize::abs_diff(i, j))).collect()).collect();
        let (a, b, cones) = simplex(n, n);
        solve(&p, &vec![0.0; n], &a, &b, &cones)
    };
    for (n, rho) in [(2usize, 1.0), (11, 2.0), (11, 0.5), (40, 0.05)] {
        let a = f64::exp(-rho);
        let g = |lag: usize| a.powi(lag as i32);
        let edge = edge_part(n as u64, a);
        let mut closed = vec![edge * (1.0 - a); n];
        (closed[0], closed[n - 1]) = (edge, edge);
        close(&closed, &optimum(n, &g), 1e-6, &format!("exponential, {n} trades, rho {rho}"));
        let mut solved = vec![0.0; n];
        propagator_trades(g, &mut solved);
        close(&solved, &closed, 1e-9, "the recursion and the closed form");
    }
    for (n, gamma, scale) in [(11usize, 0.4, 1.0), (11, 0.6, 0.1), (64, 0.415, 3.0)] {
        let g = |lag: usize| (1.0 + lag as f64 / scale).powf(-gamma);
        let mut solved = vec![0.0; n];
        propagator_trades(g, &mut solved);
        close(&solved, &optimum(n, &g), 1e-6, &format!("power {gamma}, {n} trades"));
    }
}

#[test]
fn power_law_shortfall_is_the_optimum_of_its_power_cone_program() {
    for (n, beta, lambda) in
        [(5usize, 1.0, 0.4), (5, 0.6, 0.4), (12, 0.6, 0.05), (20, 0.5, 1e-3), (8, 0.6, 3.0)]
    {
        // One day a step, V = 1, η = 1, σ = 1: cost Σ n^(1+β) + λ Σ x².
        let model = PowerLaw { eta: 1.0, beta, sigma: 1.0, volume: 1.0, lambda };
        let mut trades = vec![0.0; n];
        model.trades(1.0, 1.0, &mut trades);
        let (mut p, mut q) = risk_terms(n, 2 * n, 0.0, lambda);
        // The second n variables are at least n^(1+β): (t, 1, n) in the power cone of 1/(1+β).
        q[n..].fill(1.0);
        p.iter_mut().enumerate().for_each(|(i, row)| row[i] += 1e-14);
        let (mut a, mut b, mut cones) = simplex(n, 2 * n);
        for k in 0..n {
            let mut rows = vec![vec![0.0; 2 * n]; 3];
            rows[0][n + k] = -1.0;
            rows[2][k] = -1.0;
            a.extend(rows);
            b.extend([0.0, 1.0, 0.0]);
            cones.push(PowerConeT(1.0 / (1.0 + beta)));
        }
        let optimum = solve(&p, &q, &a, &b, &cones);
        let what = format!("{n} trades, beta {beta}, lambda {lambda}");
        close(&trades, &optimum[..n], 2e-5, &what);
        let value = |x: &[f64]| {
            let (cost, variance) = model.cost_moments(x, 1.0);
            cost + lambda * variance
        };
        assert!(value(&trades) <= value(&optimum[..n]) + 1e-9, "{what}: not the least");
    }
}
