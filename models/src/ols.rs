//! Ordinary least squares on the twelve features of one token: the baseline that a sequence model
//! has to be held against.

use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::HORIZON_COUNT;

const N: usize = FEATURE_COUNT + 1;

/// One linear forecast a horizon: intercept first, then a coefficient per scaled feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ols {
    /// Basis points per unit of the scaled feature.
    pub coefficients: [[f64; N]; HORIZON_COUNT],
}

impl Ols {
    /// Solves the normal equations per horizon; rows whose label is NaN are left out.
    ///
    /// A ridge of 1e-9 of the mean diagonal keeps features that never vary from making the
    /// system singular.
    pub fn fit<'a>(
        rows: impl Iterator<Item = (&'a [f32; FEATURE_COUNT], &'a [f64; HORIZON_COUNT])> + Clone,
    ) -> Ols {
        let coefficients = std::array::from_fn(|h| {
            let mut gram = [[0.0; N]; N];
            let mut right = [0.0; N];
            for (x, labels) in rows.clone().filter(|(_, l)| l[h].is_finite()) {
                let x = with_intercept(x);
                for i in 0..N {
                    right[i] += x[i] * labels[h];
                    for j in 0..=i {
                        gram[i][j] += x[i] * x[j];
                    }
                }
            }
            let ridge = 1e-9 * (0..N).map(|i| gram[i][i]).sum::<f64>() / N as f64;
            (0..N).for_each(|i| gram[i][i] += ridge);
            solve(gram, right)
        });
        Ols { coefficients }
    }

    /// Returns the forecast in basis points.
    pub fn forecast(&self, x: &[f32; FEATURE_COUNT], h: usize) -> f64 {
        with_intercept(x).iter().zip(&self.coefficients[h]).map(|(x, b)| x * b).sum()
    }
}

fn with_intercept(x: &[f32; FEATURE_COUNT]) -> [f64; N] {
    std::array::from_fn(|i| if i == 0 { 1.0 } else { f64::from(x[i - 1]) })
}

/// Solves `a x = b` for a symmetric positive definite `a` given by its lower half (Cholesky).
/// Without any row the solution is zero.
fn solve(mut a: [[f64; N]; N], mut b: [f64; N]) -> [f64; N] {
    for i in 0..N {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| a[i][k] * a[j][k]).sum();
            let rest = a[i][j] - dot;
            a[i][j] = if i == j { rest.max(0.0).sqrt() } else { divide(rest, a[j][j]) };
        }
    }
    for i in 0..N {
        let dot: f64 = (0..i).map(|k| a[i][k] * b[k]).sum();
        b[i] = divide(b[i] - dot, a[i][i]);
    }
    for i in (0..N).rev() {
        let dot: f64 = (i + 1..N).map(|k| a[k][i] * b[k]).sum();
        b[i] = divide(b[i] - dot, a[i][i]);
    }
    b
}

fn divide(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_linear_law_is_found() {
        let mut rng = crate::rng::Stream::new(5, "ols");
        let truth: [f64; N] = std::array::from_fn(|i| i as f64 - 6.0);
        let rows: Vec<([f32; FEATURE_COUNT], [f64; HORIZON_COUNT])> = (0..200)
            .map(|_| {
                let x = std::array::from_fn(|_| rng.uniform() as f32 - 0.5);
                let y: f64 = with_intercept(&x).iter().zip(&truth).map(|(x, b)| x * b).sum();
                (x, [y, 2.0 * y, f64::NAN, y])
            })
            .collect();
        let ols = Ols::fit(rows.iter().map(|(x, y)| (x, y)));
        for (i, b) in truth.iter().enumerate() {
            assert!((ols.coefficients[0][i] - b).abs() < 1e-6);
            assert!((ols.coefficients[1][i] - 2.0 * b).abs() < 1e-6);
        }
        assert_eq!(ols.coefficients[2], [0.0; N], "a horizon without labels forecasts nothing");
        assert!((ols.forecast(&rows[3].0, 3) - rows[3].1[3]).abs() < 1e-6);
    }
}
