//! Bets that keep a drawdown unlikely, and bounds that hold without a model of the errors. Pure
//! functions; only [`cushion`] is called per decision, the rest works on a track record or once.

/// Halvings of a search: more than a double's digits.
const HALVINGS: usize = 60;

/// Returns the exponent λ = ln β / ln α with which `E[(1 + f·r)^(−λ)] ≤ 1` bounds the probability
/// that wealth ever falls to `level` = α of its start by `probability` = β (Busseti, Ryu and Boyd
/// 2016, "Risk-constrained Kelly gambling"). Both in (0, 1).
pub fn risk_exponent(level: f64, probability: f64) -> f64 {
    probability.ln() / level.ln()
}

/// Returns the largest fraction c of the Kelly bet, in (0, 2], whose probability ever to fall to
/// `level` of the start is at most `probability`: from `level^(2/c − 1)` (Thorp 2006), which is
/// the constraint of [`risk_exponent`] for small bets, c = 2/(1 + λ).
pub fn kelly_fraction_bound(level: f64, probability: f64) -> f64 {
    2.0 / (1.0 + risk_exponent(level, probability))
}

/// Returns the part of a position that an account keeps which must not fall by `fall` (in (0, 1])
/// from its peak: the cushion over that floor as a part of equity, 1 at the peak and 0 at the
/// floor (Grossman and Zhou 1993). 1 is no floor: the answer is 1.
pub fn cushion(equity: f64, peak: f64, fall: f64) -> f64 {
    if fall >= 1.0 || equity >= peak {
        return 1.0;
    }
    let floor = (1.0 - fall) * peak / equity;
    ((1.0 - floor) / fall).clamp(0.0, 1.0)
}

/// Returns the long fraction in `0..=cap` that maximises the mean of `ln(1 + f·r)` over `returns`
/// among those with `mean (1 + f·r)^(−λ) ≤ 1`; λ = 0 is plain Kelly of the empirical returns. 0
/// where no bet grows, or a number is not finite.
pub fn constrained_fraction(returns: &[f64], lambda: f64, cap: f64) -> f64 {
    let worst = returns.iter().copied().fold(0.0, f64::min);
    let usable =
        !returns.is_empty() && returns.iter().all(|r| r.is_finite()) && lambda >= 0.0 && cap > 0.0;
    if !usable {
        return 0.0;
    }
    // No fraction may lose everything in the worst period on record.
    let top = if worst < 0.0 { cap.min(-0.999 / worst) } else { cap };
    let n = returns.len() as f64;
    // Both conditions are of one sign below their root and of the other above it: the growth's
    // slope falls, and the constraint is convex and 1 at zero.
    let slope = |f: f64| returns.iter().map(|r| r / (1.0 + f * r)).sum::<f64>() / n;
    let risk = |f: f64| returns.iter().map(|r| (1.0 + f * r).powf(-lambda)).sum::<f64>() / n - 1.0;
    if slope(0.0) <= 0.0 {
        return 0.0;
    }
    let last = |holds: &dyn Fn(f64) -> bool| {
        if holds(top) {
            return top;
        }
        let (mut low, mut high) = (0.0, top);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            if holds(middle) { low = middle } else { high = middle }
        }
        low
    };
    let growth = last(&|f| slope(f) >= 0.0);
    if lambda == 0.0 { growth } else { growth.min(last(&|f| risk(f) <= 0.0)) }
}

/// Returns the radius that the error of one more forecast stays within with probability
/// `1 − alpha`, given the absolute errors of earlier ones that are exchangeable with it (split
/// conformal, Vovk et al. 2005): the `⌈(n+1)(1−α)⌉`-th smallest. Infinite where there are too few
/// to say. Sorts `errors`.
pub fn conformal_radius(errors: &mut [f64], alpha: f64) -> f64 {
    errors.sort_by(f64::total_cmp);
    let rank = ((errors.len() + 1) as f64 * (1.0 - alpha)).ceil();
    if !(rank >= 1.0 && rank <= errors.len() as f64) {
        return f64::INFINITY;
    }
    errors[rank as usize - 1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A coin that wins 1 with p and loses 1: Kelly is 2p − 1; with λ the bound is the root of
    /// p(1+f)^−λ + (1−p)(1−f)^−λ = 1. At λ = 1 that is f = 2p − 1 too.
    #[test]
    fn a_coin_by_hand() {
        let coin: Vec<f64> = [vec![1.0; 6], vec![-1.0; 4]].concat();
        assert!((constrained_fraction(&coin, 0.0, 5.0) - 0.2).abs() < 1e-12);
        assert!((constrained_fraction(&coin, 1.0, 5.0) - 0.2).abs() < 1e-9);
        let f = constrained_fraction(&coin, 6.456_03, 5.0);
        let risk = 0.6 * (1.0 + f).powf(-6.456_03) + 0.4 * (1.0 - f).powf(-6.456_03);
        assert!((risk - 1.0).abs() < 1e-9 && f < 0.06 && f > 0.04, "{f} {risk}");
        assert!((risk_exponent(0.7, 0.1) - 6.455_7).abs() < 1e-3);
        assert_eq!(constrained_fraction(&[-0.1, 0.05], 0.0, 1.0), 0.0);
        assert_eq!(constrained_fraction(&[f64::NAN], 0.0, 1.0), 0.0);
        assert_eq!(constrained_fraction(&[0.1], 0.0, 2.0), 2.0);
    }

    #[test]
    fn fractions_of_kelly_by_hand() {
        use crate::kelly::ruin_probability;
        // Full Kelly halves with probability 1/2, half Kelly with 1/8; certainty bounds nothing.
        assert!((kelly_fraction_bound(0.5, 0.5) - 1.0).abs() < 1e-15);
        assert!((kelly_fraction_bound(0.5, 0.125) - 0.5).abs() < 1e-15);
        assert_eq!(kelly_fraction_bound(0.8, 1.0), 2.0);
        let c = kelly_fraction_bound(0.7, 0.1);
        assert!((ruin_probability(0.7, c) - 0.1).abs() < 1e-12);
        // At the peak all, halfway to the floor about half, at and below it nothing.
        assert_eq!(cushion(100.0, 100.0, 0.2), 1.0);
        assert!((cushion(90.0, 100.0, 0.2) - (1.0 - 80.0 / 90.0) / 0.2).abs() < 1e-15);
        assert_eq!((cushion(80.0, 100.0, 0.2), cushion(50.0, 100.0, 0.2)), (0.0, 0.0));
        assert_eq!((cushion(120.0, 100.0, 0.2), cushion(1.0, 100.0, 1.0)), (1.0, 1.0));
    }

    /// The bound for small bets is the one of the empirical returns.
    #[test]
    fn the_fraction_of_kelly_is_the_constrained_bet_of_small_returns() {
        let returns: Vec<f64> =
            (0..1_000).map(|i| 2e-5 + 1e-3 * f64::from(i % 2 * 2 - 1)).collect();
        let lambda = risk_exponent(0.7, 0.1);
        let kelly = constrained_fraction(&returns, 0.0, 1e3);
        let bounded = constrained_fraction(&returns, lambda, 1e3);
        let ratio = bounded / kelly / kelly_fraction_bound(0.7, 0.1);
        assert!((ratio - 1.0).abs() < 2e-3, "{ratio}");
    }

    #[test]
    fn radii_by_hand() {
        let mut errors = [3.0, 1.0, 2.0, 5.0, 4.0, 9.0, 7.0, 8.0, 6.0];
        assert_eq!(conformal_radius(&mut errors, 0.1), 9.0);
        assert_eq!(conformal_radius(&mut errors, 0.5), 5.0);
        assert_eq!(conformal_radius(&mut errors, 0.05), f64::INFINITY);
        assert_eq!(conformal_radius(&mut [], 0.5), f64::INFINITY);
    }

    proptest! {
        #[test]
        fn a_stricter_bound_never_bets_more(
            returns in prop::collection::vec(-0.2..0.3f64, 5..40),
            lambda in 0.1..10.0f64, more in 0.0..10.0f64,
        ) {
            let (a, b) = (
                constrained_fraction(&returns, lambda, 3.0),
                constrained_fraction(&returns, lambda + more, 3.0),
            );
            let kelly = constrained_fraction(&returns, 0.0, 3.0);
            prop_assert!(b <= a + 1e-9 && a <= kelly + 1e-9 && b >= 0.0);
            // Naive oracle: no point of a grid grows faster.
            let growth =
                |f: f64| returns.iter().map(|r| (1.0 + f * r).ln()).sum::<f64>();
            for i in 0..=300 {
                prop_assert!(growth(f64::from(i) * 0.01) <= growth(kelly) + 1e-9);
            }
        }

        /// The radius holds for a new error as often as it says, whatever the errors are.
        #[test]
        fn radii_cover(errors in prop::collection::vec(0.0..1.0f64, 40), alpha in 0.1..0.9f64) {
            let covered = (0..errors.len())
                .filter(|&i| {
                    let mut rest: Vec<f64> = errors.clone();
                    let new = rest.swap_remove(i);
                    new <= conformal_radius(&mut rest, alpha)
                })
                .count();
            prop_assert!(covered as f64 >= (1.0 - alpha) * errors.len() as f64 - 1e-9);
        }
    }
}
