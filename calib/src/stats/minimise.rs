//! Minima of smooth functions without derivatives, by `argmin`.

use argmin::core::{CostFunction, Error, Executor, State};
use argmin::solver::brent::BrentOpt;
use argmin::solver::neldermead::NelderMead;

struct Objective<F>(F);

impl<F: Fn(f64) -> f64> CostFunction for Objective<(F,)> {
    type Param = f64;
    type Output = f64;
    fn cost(&self, x: &f64) -> Result<f64, Error> {
        Ok(finite((self.0.0)(*x)))
    }
}

struct Many<F>(F);

impl<F: Fn(&[f64]) -> f64> CostFunction for Many<F> {
    type Param = Vec<f64>;
    type Output = f64;
    fn cost(&self, x: &Vec<f64>) -> Result<f64, Error> {
        Ok(finite((self.0)(x)))
    }
}

/// A search must not follow what is not a number.
fn finite(v: f64) -> f64 {
    if v.is_finite() { v } else { f64::MAX.sqrt() }
}

/// Returns the lowest point of `f` between `low` and `high` (Brent 1973, after a scan of
/// `scan` points so that a second valley is seen) and its value.
pub fn between(f: impl Fn(f64) -> f64, low: f64, high: f64, scan: usize) -> (f64, f64) {
    let scan = scan.max(3);
    let at = |i: usize| low + (high - low) * i as f64 / (scan - 1) as f64;
    let values: Vec<f64> = (0..scan).map(|i| finite(f(at(i)))).collect();
    let best = (0..scan).min_by(|&i, &j| values[i].total_cmp(&values[j])).unwrap_or(0);
    let (from, to) = (at(best.saturating_sub(1)), at((best + 1).min(scan - 1)));
    let solver = BrentOpt::new(from, to).set_tolerance(1e-9, 1e-9);
    let found = Executor::new(Objective((&f,)), solver).configure(|s| s.max_iters(100)).run();
    let refined = found.ok().and_then(|r| r.state.get_best_param().copied());
    let refined = refined.map_or((at(best), values[best]), |x| (x, finite(f(x))));
    if refined.1 <= values[best] { refined } else { (at(best), values[best]) }
}

/// Returns the lowest point of `f` found from `start` (Nelder and Mead 1965), with first steps
/// `steps`, and its value. Restarted once from where it ended.
pub fn from(f: impl Fn(&[f64]) -> f64, start: &[f64], steps: &[f64]) -> (Vec<f64>, f64) {
    let mut best = (start.to_vec(), finite(f(start)));
    for shrink in [1.0, 0.1] {
        let mut simplex = vec![best.0.clone()];
        for (i, step) in steps.iter().enumerate() {
            let mut corner = best.0.clone();
            corner[i] += step * shrink;
            simplex.push(corner);
        }
        let Ok(solver) = NelderMead::new(simplex).with_sd_tolerance(1e-12) else { break };
        let run = Executor::new(Many(&f), solver).configure(|s| s.max_iters(4_000)).run();
        let found = run.ok().and_then(|r| r.state.get_best_param().cloned());
        if let Some(x) = found {
            let value = finite(f(&x));
            if value <= best.1 {
                best = (x, value);
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_minima_are_found() {
        let (x, v) = between(|x| (x - 0.3).powi(2) + 1.0, 0.0, 1.0, 5);
        assert!((x - 0.3).abs() < 1e-6 && (v - 1.0).abs() < 1e-12);
        let (edge, _) = between(|x| x, 0.0, 1.0, 5);
        assert!(edge < 1e-6);
        // Two valleys: the deeper one.
        let (x, _) = between(|x| (x * 12.0).cos() - x, 0.0, 1.6, 40);
        assert!((x - 1.315_95).abs() < 1e-3, "{x}");
        let rosenbrock = |p: &[f64]| (1.0 - p[0]).powi(2) + 100.0 * (p[1] - p[0] * p[0]).powi(2);
        let (p, v) = from(rosenbrock, &[-1.2, 1.0], &[0.5, 0.5]);
        assert!(v < 1e-8 && (p[0] - 1.0).abs() < 1e-3, "{p:?} {v}");
    }
}
