//! Performance numbers of a run, with their errors.

/// Trading minutes a day that a Sharpe ratio is scaled with.
const MINUTES_PER_DAY: f64 = 390.0;
/// Trading days a year.
const DAYS_PER_YEAR: f64 = 252.0;
/// Fewest minutes that a Sharpe ratio is computed from.
const MINUTES_MIN: usize = 30;

/// A Sharpe ratio and its standard error, both a year.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sharpe {
    /// Mean over standard deviation of one-minute results, scaled to a year.
    pub value: f64,
    /// Standard error for independent returns (Lo 2002, eq. 9): `sqrt((1 + S^2/2)/n)`.
    pub error: f64,
    /// Number of one-minute results.
    pub minutes: usize,
}

/// Returns the Sharpe ratio of cumulative results at whole minutes, or `None` where there are
/// fewer than thirty or they never move.
pub fn sharpe(cumulative: &[f64]) -> Option<Sharpe> {
    let steps: Vec<f64> = cumulative.windows(2).map(|w| w[1] - w[0]).collect();
    let n = steps.len();
    if n < MINUTES_MIN {
        return None;
    }
    let mean = steps.iter().sum::<f64>() / n as f64;
    let var = steps.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
    if var <= 0.0 {
        return None;
    }
    let ratio = mean / var.sqrt();
    let scale = (MINUTES_PER_DAY * DAYS_PER_YEAR).sqrt();
    let error = ((1.0 + ratio * ratio / 2.0) / n as f64).sqrt();
    Some(Sharpe { value: ratio * scale, error: error * scale, minutes: n })
}

/// Implementation shortfall of one parent in currency units, by Perold's parts, against the mid
/// at its start: positive is a cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shortfall {
    /// What was filled, against the arrival mid.
    pub execution: f64,
    /// What was not filled, marked at the mid of the parent's end.
    pub opportunity: f64,
    /// Commission and fees.
    pub fees: f64,
    /// Sum in basis points of the parent's value at arrival; 0 for an unpriced parent.
    pub total_bps: f64,
}

/// Decomposes one parent: `sign` +1 buys, quantities in whole units.
pub fn shortfall(
    sign: f64,
    arrival_mid: f64,
    end_mid: f64,
    filled: f64,
    filled_value: f64,
    unfilled: f64,
    fees: f64,
) -> Shortfall {
    if arrival_mid <= 0.0 || end_mid <= 0.0 {
        return Shortfall { fees, ..Shortfall::default() };
    }
    let execution = sign * (filled_value - arrival_mid * filled);
    let opportunity = sign * (end_mid - arrival_mid) * unfilled;
    let value = arrival_mid * (filled + unfilled);
    let total = execution + opportunity + fees;
    let total_bps = if value > 0.0 { 1e4 * total / value } else { 0.0 };
    Shortfall { execution, opportunity, fees, total_bps }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sharpe_matches_a_hand_computed_series() {
        // Steps alternate 3, -1: mean 1, sample variance 4·n/(n-1).
        let mut cumulative = vec![0.0];
        for i in 0..40 {
            cumulative.push(cumulative[i] + if i % 2 == 0 { 3.0 } else { -1.0 });
        }
        let s = sharpe(&cumulative).unwrap();
        let ratio = 1.0 / (4.0f64 * 40.0 / 39.0).sqrt();
        assert!((s.value - ratio * (390.0f64 * 252.0).sqrt()).abs() < 1e-9);
        let se = ((1.0 + ratio * ratio / 2.0) / 40.0).sqrt() * (390.0f64 * 252.0).sqrt();
        assert!((s.error - se).abs() < 1e-9);
    }

    #[test]
    fn too_short_or_flat_has_no_sharpe() {
        assert_eq!(sharpe(&[0.0; 20]), None);
        assert_eq!(sharpe(&[5.0; 100]), None);
    }

    #[test]
    fn shortfall_parts_sum_and_mirror() {
        let buy = shortfall(1.0, 100.0, 101.0, 60.0, 60.0 * 100.5, 40.0, 1.0);
        assert!((buy.execution - 30.0).abs() < 1e-9);
        assert!((buy.opportunity - 40.0).abs() < 1e-9);
        assert!((buy.total_bps - 1e4 * 71.0 / 10_000.0).abs() < 1e-9);
        let sell = shortfall(-1.0, 100.0, 101.0, 60.0, 60.0 * 100.5, 40.0, 1.0);
        assert!((sell.execution + 30.0).abs() < 1e-9);
        assert!((sell.opportunity + 40.0).abs() < 1e-9);
    }
}
