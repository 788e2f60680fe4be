//! Weighted linear least squares from sums, so that a resample only adds sums again.

use nalgebra::{DMatrix, DVector};

/// Smallest pivot of the scaled normal matrix: below it columns say the same and nothing is
/// solved.
const PIVOT_MIN: f64 = 1e-10;

/// Sums of a weighted regression.
#[derive(Clone, Debug, PartialEq)]
pub struct Sums {
    xx: DMatrix<f64>,
    xy: DVector<f64>,
    yy: f64,
    count: usize,
}

/// A solved regression.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// Coefficients, in the order of the columns.
    pub coefficients: Vec<f64>,
    /// Weighted sum of squared residuals.
    pub residual_sum: f64,
    /// Inverse of the normal matrix: times the residual variance it is the covariance of the
    /// coefficients.
    pub inverse: DMatrix<f64>,
}

impl Sums {
    /// Returns empty sums of `columns` columns.
    pub fn new(columns: usize) -> Sums {
        let (xx, xy) = (DMatrix::zeros(columns, columns), DVector::zeros(columns));
        Sums { xx, xy, yy: 0.0, count: 0 }
    }

    /// Adds one row with its weight (the inverse of its variance).
    pub fn add(&mut self, row: &[f64], y: f64, weight: f64) {
        for (i, a) in row.iter().enumerate() {
            for (j, b) in row.iter().enumerate() {
                self.xx[(i, j)] += weight * a * b;
            }
            self.xy[i] += weight * a * y;
        }
        self.yy += weight * y * y;
        self.count += 1;
    }

    /// Returns the sums with one more column: its sums with the columns so far, with itself and
    /// with y.
    #[must_use]
    pub fn with_column(&self, cross: &[f64], square: f64, with_y: f64) -> Sums {
        let n = self.xy.len();
        let mut wider = Sums::new(n + 1);
        wider.xx.view_mut((0, 0), (n, n)).copy_from(&self.xx);
        wider.xy.rows_mut(0, n).copy_from(&self.xy);
        for (i, v) in cross.iter().enumerate() {
            (wider.xx[(i, n)], wider.xx[(n, i)]) = (*v, *v);
        }
        (wider.xx[(n, n)], wider.xy[n]) = (square, with_y);
        (wider.yy, wider.count) = (self.yy, self.count);
        wider
    }

    /// Returns the number of rows.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Solves; `None` where the columns are collinear or a sum is not finite.
    pub fn solve(&self) -> Option<Solution> {
        let n = self.xy.len();
        let scale: Vec<f64> = (0..n).map(|i| self.xx[(i, i)].sqrt()).collect();
        if scale.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
            return None;
        }
        let scaled = DMatrix::from_fn(n, n, |i, j| self.xx[(i, j)] / (scale[i] * scale[j]));
        let factor = scaled.cholesky()?;
        if (0..n).any(|i| factor.l_dirty()[(i, i)].powi(2) < PIVOT_MIN) {
            return None;
        }
        let inverse = factor.inverse();
        let inverse = DMatrix::from_fn(n, n, |i, j| inverse[(i, j)] / (scale[i] * scale[j]));
        let coefficients = &inverse * &self.xy;
        let residual_sum = (self.yy - coefficients.dot(&self.xy)).max(0.0);
        residual_sum.is_finite().then(|| Solution {
            coefficients: coefficients.iter().copied().collect(),
            residual_sum,
            inverse,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Naive oracle: no small step from the solution lowers the weighted sum of squares.
        #[test]
        fn the_solution_is_the_lowest_point(
            rows in prop::collection::vec(
                (-3.0..3.0f64, -3.0..3.0f64, -5.0..5.0f64, 0.1..4.0f64),
                6..40,
            ),
        ) {
            let mut sums = Sums::new(2);
            for (a, b, y, w) in &rows {
                sums.add(&[*a, *b], *y, *w);
            }
            let loss = |c: &[f64]| -> f64 {
                rows.iter().map(|(a, b, y, w)| w * (y - c[0] * a - c[1] * b).powi(2)).sum()
            };
            if let Some(s) = sums.solve() {
                let best = loss(&s.coefficients);
                prop_assert!((best - s.residual_sum).abs() < 1e-6 * (1.0 + best));
                for (da, db) in [(1e-3, 0.0), (-1e-3, 0.0), (0.0, 1e-3), (0.0, -1e-3)] {
                    let c = [s.coefficients[0] + da, s.coefficients[1] + db];
                    prop_assert!(loss(&c) >= best - 1e-9 * (1.0 + best));
                }
            }
        }
    }

    #[test]
    fn a_column_added_later_is_a_column() {
        let rows = [[1.0, 2.0, 5.0], [0.5, -1.0, 2.0], [3.0, 0.2, 1.0]];
        let (mut all, mut first) = (Sums::new(2), Sums::new(1));
        for [a, b, y] in rows {
            all.add(&[a, b], y, 2.0);
            first.add(&[a], y, 2.0);
        }
        let sum = |get: fn(&[f64; 3]) -> f64| 2.0 * rows.iter().map(get).sum::<f64>();
        let cross = sum(|r| r[0] * r[1]);
        let wider = first.with_column(&[cross], sum(|r| r[1] * r[1]), sum(|r| r[1] * r[2]));
        let (a, b) = (all.solve().unwrap(), wider.solve().unwrap());
        assert!(a.coefficients.iter().zip(&b.coefficients).all(|(x, y)| (x - y).abs() < 1e-12));
    }

    #[test]
    fn collinear_columns_have_no_solution() {
        let mut sums = Sums::new(2);
        for x in 1..9 {
            sums.add(&[f64::from(x), 2.0 * f64::from(x)], 1.0, 1.0);
        }
        assert_eq!(sums.solve(), None);
        assert_eq!(Sums::new(1).solve(), None);
    }
}
