//! Transient impact: a trade of size v moves the price by `f(v)·G(t)` t later, `f(v) = v^δ`
//! (Bouchaud, Gefen, Potters, Wyart 2004). Two kernels, and what they cost an order.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Decay of impact, 1 at time zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kernel", rename_all = "snake_case", deny_unknown_fields)]
pub enum Kernel {
    /// `(1 + t/τ)^−γ`.
    Power {
        /// γ.
        gamma: f64,
        /// τ, seconds.
        tau_s: f64,
    },
    /// `e^(−ρt)` (Obizhaeva and Wang 2013).
    Exponential {
        /// ρ, 1/second.
        rho_per_s: f64,
    },
}

impl Kernel {
    /// Returns the part of the impact that is left after `t_s` seconds.
    pub fn at(&self, t_s: f64) -> f64 {
        match *self {
            Kernel::Power { gamma, tau_s } => (1.0 + t_s / tau_s).powf(-gamma),
            Kernel::Exponential { rho_per_s } => (-rho_per_s * t_s).exp(),
        }
    }

    /// Returns the matrix of what trade j leaves of its impact at trade i.
    fn matrix(&self, trades: usize, step_s: f64) -> DMatrix<f64> {
        DMatrix::from_fn(trades, trades, |i, j| self.at(i.abs_diff(j) as f64 * step_s))
    }

    /// Returns the parts of an order to trade at `trades` equidistant times over `horizon_s`
    /// (first and last included) with the least cost under linear impact: `G x = 1`, scaled to 1
    /// (Alfonsi, Fruth, Schied 2010). `None` where the kernel is not positive definite there, or
    /// no trade is asked for.
    pub fn optimal(&self, trades: usize, horizon_s: f64) -> Option<Vec<f64>> {
        if trades < 2 || !(horizon_s > 0.0 && horizon_s.is_finite()) {
            return (trades == 1).then(|| vec![1.0]);
        }
        let matrix = self.matrix(trades, horizon_s / (trades - 1) as f64);
        let x = matrix.cholesky()?.solve(&DVector::from_element(trades, 1.0));
        let total = x.sum();
        (total.is_finite() && total > 0.0).then(|| x.iter().map(|v| v / total).collect())
    }

    /// Returns the cost factor of an order traded in `parts` at equidistant times over
    /// `horizon_s`: the mean price move, in units of prefactor times `X^δ`, that its parts meet;
    /// each part pays half of its own impact.
    pub fn cost(&self, parts: &[f64], horizon_s: f64, delta: f64) -> f64 {
        let step_s = horizon_s / (parts.len().max(2) - 1) as f64;
        let mut cost = 0.0;
        for (i, part) in parts.iter().enumerate() {
            let before: f64 = parts[..i]
                .iter()
                .enumerate()
                .map(|(j, p)| p.signum() * p.abs().powf(delta) * self.at((i - j) as f64 * step_s))
                .sum();
            cost += part * (before + 0.5 * part.signum() * part.abs().powf(delta));
        }
        cost
    }
}

/// What the no-dynamic-arbitrage bound of Gatheral (2010) says of a fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arbitrage {
    /// No round trip is free of cost: γ+δ ≥ 1, also at the lower ends of the intervals.
    Excluded,
    /// The intervals hold values on both sides of the bound.
    Undecided,
    /// γ+δ < 1 over the whole intervals: the fitted model would let a round trip earn, so the fit
    /// must not be used to schedule large orders.
    Admitted,
}

impl Arbitrage {
    /// Returns the word used in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Arbitrage::Excluded => "excluded",
            Arbitrage::Undecided => "undecided",
            Arbitrage::Admitted => "admitted",
        }
    }
}

/// Applies `γ+δ ≥ 1` to a power kernel; each of the two as (lower, upper).
pub fn arbitrage_of_power(gamma: (f64, f64), delta: (f64, f64)) -> Arbitrage {
    if gamma.0 + delta.0 >= 1.0 {
        Arbitrage::Excluded
    } else if gamma.1 + delta.1 < 1.0 {
        Arbitrage::Admitted
    } else {
        Arbitrage::Undecided
    }
}

/// An exponential kernel excludes arbitrage with linear impact alone: δ = 1 (Gatheral 2010).
pub fn arbitrage_of_exponential(delta: (f64, f64)) -> Arbitrage {
    if delta.0 <= 1.0 && 1.0 <= delta.1 {
        if delta.0 == delta.1 { Arbitrage::Excluded } else { Arbitrage::Undecided }
    } else {
        Arbitrage::Admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clarabel::algebra::CscMatrix;
    use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, SupportedConeT, ZeroConeT};

    /// Alfonsi, Fruth, Schied (2010): with ρ=20, T=1 and N=10 intervals of an exponential kernel
    /// the ends get X/(2+(N−1)(1−a)), a=e^(−ρT/N), the others (1−a) of that.
    #[test]
    fn obizhaeva_wang_in_discrete_time() {
        let kernel = Kernel::Exponential { rho_per_s: 20.0 };
        let x = kernel.optimal(11, 1.0).unwrap();
        for (i, part) in x.iter().enumerate() {
            let want = if i == 0 || i == 10 { 10.222_876_651 } else { 8.839_360_744 };
            assert!((100.0 * part - want).abs() < 1e-8, "{i}: {part}");
        }
    }

    /// Recomputed apart as a quadratic program: (1+10t)^−0.4 over ten intervals.
    #[test]
    fn power_kernel_gives_the_known_u_shape() {
        let kernel = Kernel::Power { gamma: 0.4, tau_s: 0.1 };
        let x = kernel.optimal(11, 1.0).unwrap();
        let want = [19.273_14, 8.313_658, 6.946_955, 6.364_537, 6.094_605, 6.014_21];
        for (i, w) in want.into_iter().enumerate() {
            assert!((100.0 * x[i] - w).abs() < 1e-5, "{i}: {} is not {w}", 100.0 * x[i]);
            assert!((x[i] - x[10 - i]).abs() < 1e-12, "the shape is symmetric");
        }
    }

    fn by_quadratic_program(kernel: Kernel, n: usize, horizon: f64) -> Vec<f64> {
        let g = kernel.matrix(n, horizon / (n - 1) as f64);
        let dense: Vec<Vec<f64>> = (0..n)
            .map(|i| (0..n).map(|j| if i <= j { g[(i, j)] } else { 0.0 }).collect())
            .collect();
        let p = CscMatrix::from(&dense);
        let a = CscMatrix::from(&[vec![1.0; n]]);
        let settings = DefaultSettings {
            verbose: false,
            tol_gap_abs: 1e-12,
            tol_gap_rel: 1e-12,
            tol_feas: 1e-12,
            ..DefaultSettings::default()
        };
        let cones: [SupportedConeT<f64>; 1] = [ZeroConeT(1)];
        let mut solver =
            DefaultSolver::new(&p, &vec![0.0; n], &a, &[1.0], &cones, settings).unwrap();
        solver.solve();
        solver.solution.x.clone()
    }

    #[test]
    fn schedules_equal_a_quadratic_program() {
        for kernel in [
            Kernel::Exponential { rho_per_s: 5.0 },
            Kernel::Exponential { rho_per_s: 0.3 },
            Kernel::Power { gamma: 0.4, tau_s: 0.1 },
            Kernel::Power { gamma: 0.6, tau_s: 0.02 },
        ] {
            for n in [2, 7, 30] {
                let closed = kernel.optimal(n, 1.0).unwrap();
                let solved = by_quadratic_program(kernel, n, 1.0);
                for (a, b) in closed.iter().zip(&solved) {
                    assert!((a - b).abs() < 1e-6, "{kernel:?} {n}: {a} is not {b}");
                }
            }
        }
    }

    /// What scheduling alone can save against an even pace: the published ratios.
    #[test]
    fn the_optimum_saves_as_little_as_is_known() {
        let ratio = |kernel: Kernel, n: usize| {
            let even = vec![1.0 / n as f64; n];
            let best = kernel.optimal(n, 1.0).unwrap();
            kernel.cost(&best, 1.0, 1.0) / kernel.cost(&even, 1.0, 1.0)
        };
        for (rho, n, want) in
            [(20.0, 11, 0.997), (20.0, 61, 0.970), (5.0, 11, 0.945), (5.0, 61, 0.902)]
        {
            let found = ratio(Kernel::Exponential { rho_per_s: rho }, n);
            assert!((found - want).abs() < 2e-3, "rho {rho} n {n}: {found} is not {want}");
        }
        assert!(ratio(Kernel::Power { gamma: 0.4, tau_s: 0.1 }, 11) < 1.0);
    }

    #[test]
    fn the_bound_on_round_trips() {
        assert_eq!(arbitrage_of_power((0.55, 0.6), (0.5, 0.6)), Arbitrage::Excluded);
        assert_eq!(arbitrage_of_power((0.3, 0.6), (0.3, 0.5)), Arbitrage::Undecided);
        assert_eq!(arbitrage_of_power((0.2, 0.3), (0.3, 0.4)), Arbitrage::Admitted);
        assert_eq!(arbitrage_of_exponential((0.4, 0.6)), Arbitrage::Admitted);
        assert_eq!(arbitrage_of_exponential((1.0, 1.0)), Arbitrage::Excluded);
    }
}
