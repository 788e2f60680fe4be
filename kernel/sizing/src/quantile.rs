//! One-sided quantiles of Student's t for the few degrees of freedom an ensemble has.

/// Returns the distribution function at `t` for `df` in 1..=4 (closed forms).
fn cdf(t: f64, df: usize) -> f64 {
    use core::f64::consts::PI;
    match df {
        1 => 0.5 + t.atan() / PI,
        2 => 0.5 + t / (2.0 * (2.0 + t * t).sqrt()),
        3 => {
            let x = t / 3.0f64.sqrt();
            0.5 + (x / (1.0 + x * x) + x.atan()) / PI
        }
        4 => {
            let s = 1.0 + t * t / 4.0;
            0.5 + 0.375 * t / s.sqrt() * (1.0 - t * t / (12.0 * s))
        }
        _ => unreachable!("an ensemble has at most five members"),
    }
}

/// Returns the `p` quantile of Student's t with `df` degrees of freedom, `p` in [0.5, 1), `df`
/// in 1..=4. Runs once, when the sizer is made.
pub fn student_t(p: f64, df: usize) -> f64 {
    assert!((0.5..1.0).contains(&p) && (1..=4).contains(&df));
    let (mut low, mut high) = (0.0, 1.0);
    while cdf(high, df) < p && high < 1e12 {
        high *= 2.0;
    }
    // 200 halvings end at neighbouring numbers whatever the bracket was.
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if cdf(middle, df) < p { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_printed_table() {
        // Any printed t table, one-sided 95 % and 97.5 %.
        let table = [(1, 6.3138, 12.7062), (2, 2.9200, 4.3027), (3, 2.3534, 3.1824)];
        for (df, q95, q975) in table.into_iter().chain([(4, 2.1318, 2.7764)]) {
            assert!((student_t(0.95, df) - q95).abs() < 5e-5, "df={df}");
            assert!((student_t(0.975, df) - q975).abs() < 5e-5, "df={df}");
            assert!(student_t(0.5, df) < 1e-9);
        }
    }
}
