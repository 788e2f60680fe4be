//! Volatility of an instrument: realised, without jumps, over the day, and how it clusters.

use crate::garch::{self, Garch};
use crate::market::Market;
use crate::stats::{Parameter, bootstrap, mean};
use serde::{Deserialize, Serialize};

/// Returns below which a day's variance is not given.
pub const RETURN_COUNT_MIN: usize = 30;
const RESAMPLES: usize = 500;

/// One part of the day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Season {
    /// Start, seconds from the open.
    pub start_s: u64,
    /// End, seconds from the open.
    pub end_s: u64,
    /// Its variance a second over the day's, 1 on average.
    pub variance_ratio: f64,
}

/// Volatility of one symbol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolatilitySection {
    /// Symbol.
    pub symbol: String,
    /// Length of the returns, seconds.
    pub step_s: u64,
    /// Returns used.
    pub returns: usize,
    /// Root of the realised variance, all offsets of the grid averaged, basis points a day.
    pub realised_bps: Parameter,
    /// Root of the bipower variation (Barndorff-Nielsen and Shephard 2004), basis points a day:
    /// what is left without jumps.
    pub bipower_bps: f64,
    /// Part of the variance in jumps, not negative.
    pub jump_share: f64,
    /// Course over the day; empty where the data covers less than a session.
    pub season: Vec<Season>,
    /// GARCH(1,1) of the returns with the course of the day taken out, basis points a step;
    /// absent where not identified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub garch: Option<Garch>,
    /// What must be known before any number.
    pub notes: Vec<String>,
}

/// Too few returns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{symbol}: {found} returns of {step_s} s, expected at least {RETURN_COUNT_MIN}")]
pub struct VolatilityError {
    /// Symbol.
    pub symbol: String,
    /// Returns found.
    pub found: usize,
    /// Step.
    pub step_s: u64,
}

/// Returns realised variance and bipower variation of returns: `Σr²` and
/// `π/2·n/(n−1)·Σ|rᵢ||rᵢ₋₁|`.
pub fn realised_and_bipower(returns: &[f64]) -> (f64, f64) {
    let n = returns.len() as f64;
    let realised = returns.iter().map(|r| r * r).sum();
    let products: f64 = returns.windows(2).map(|w| (w[0] * w[1]).abs()).sum();
    (realised, std::f64::consts::FRAC_PI_2 * n / (n - 1.0).max(1.0) * products)
}

/// Measures a market with returns of `step_s` seconds and a course in buckets of `bucket_s`.
///
/// # Errors
/// [`VolatilityError`].
pub fn measure(
    market: &Market,
    step_s: u64,
    bucket_s: u64,
    seed: u64,
) -> Result<VolatilitySection, VolatilityError> {
    let symbol = market.instrument.symbol.to_string();
    let step = step_s.max(1) as usize;
    let returns: Vec<f64> = market.returns(step).iter().map(|r| 1e4 * r).collect();
    if returns.len() < RETURN_COUNT_MIN {
        return Err(VolatilityError { symbol, found: returns.len(), step_s });
    }
    let steps_a_day = market.session_s() / step as f64;
    let squares: Vec<f64> = returns.iter().map(|r| r * r).collect();
    let daily = |mean_square: f64| (mean_square * steps_a_day).sqrt();
    // Offsets of the grid see the same day: their mean wastes less of it.
    let offsets: Vec<f64> = (0..step.min(10))
        .map(|k| {
            let shifted = k * step / step.min(10);
            let ends: Vec<f64> = market.mid.iter().skip(shifted).step_by(step).copied().collect();
            let known = ends.windows(2).filter(|w| w[0] > 0.0 && w[1] > 0.0);
            mean(&known.map(|w| (1e4 * (w[1] / w[0]).ln()).powi(2)).collect::<Vec<_>>())
        })
        .collect();
    let block = bootstrap::block_length(squares.len());
    let mut blocks = bootstrap::Blocks::new(squares.len(), block, seed);
    let draws: Vec<f64> = (0..RESAMPLES)
        .map(|_| daily(mean(&blocks.draw().iter().map(|&i| squares[i]).collect::<Vec<_>>())))
        .collect();
    let (realised, bipower) = realised_and_bipower(&returns);
    let season = season(market, step, bucket_s);
    let mut notes = Vec::new();
    if season.is_empty() {
        notes.push("not identified: the course of the day: the data covers a part of it".into());
    }
    let garch = match garch::fit(&deseasonalised(market, step, &season)) {
        Ok(g) => Some(g),
        Err(e) => {
            notes.push(format!("not identified: GARCH(1,1): {e}"));
            None
        }
    };
    Ok(VolatilitySection {
        symbol,
        step_s,
        returns: returns.len(),
        realised_bps: bootstrap::parameter(daily(mean(&offsets)), &draws, blocks.independent()),
        bipower_bps: daily(bipower / returns.len() as f64),
        jump_share: (1.0 - bipower / realised).max(0.0),
        season,
        garch,
        notes,
    })
}

/// Returns the course over the session from returns of `step` seconds; empty where less than
/// nine tenths of it are covered.
fn season(market: &Market, step: usize, bucket_s: u64) -> Vec<Season> {
    let session = market.instrument.session;
    let session_s = market.session_s();
    if session.close_ns == u64::MAX || market.covered_s() < 0.9 * session_s {
        return Vec::new();
    }
    let open_s = session.open_ns / 1_000_000_000;
    let bounds = crate::volume::bounds(session_s as u64, bucket_s);
    let mut sums = vec![(0.0, 0u32); bounds.len()];
    for (offset, square) in squares_by_offset(market, step, open_s) {
        if let Some(entry) = sums.get_mut((offset / bucket_s) as usize) {
            *entry = (entry.0 + square, entry.1 + 1);
        }
    }
    let means: Vec<f64> = sums.iter().map(|(s, n)| s / f64::from((*n).max(1))).collect();
    let all = mean(&means);
    let whole = |((start_s, end_s), m): (&(u64, u64), &f64)| Season {
        start_s: *start_s,
        end_s: *end_s,
        variance_ratio: m / all,
    };
    if all > 0.0 { bounds.iter().zip(&means).map(whole).collect() } else { Vec::new() }
}

fn squares_by_offset(market: &Market, step: usize, open_s: u64) -> Vec<(u64, f64)> {
    let ends: Vec<usize> = (step - 1..market.mid.len()).step_by(step).collect();
    let square = |w: &[usize]| (1e4 * (market.mid[w[1]] / market.mid[w[0]]).ln()).powi(2);
    let offset = |w: &[usize]| (market.start_s + w[0] as u64).saturating_sub(open_s);
    let pairs = ends.windows(2).map(|w| (offset(w), square(w)));
    pairs.filter(|(_, s)| s.is_finite()).collect()
}

fn deseasonalised(market: &Market, step: usize, season: &[Season]) -> Vec<f64> {
    let open_s = market.instrument.session.open_ns / 1_000_000_000;
    let ends: Vec<usize> = (step - 1..market.mid.len()).step_by(step).collect();
    let of = |w: &[usize]| {
        let r = 1e4 * (market.mid[w[1]] / market.mid[w[0]]).ln();
        let offset = (market.start_s + w[0] as u64).saturating_sub(open_s);
        let ratio = season.iter().find(|s| s.start_s <= offset && offset < s.end_s);
        r / ratio.map_or(1.0, |s| s.variance_ratio.max(1e-6)).sqrt()
    };
    ends.windows(2).map(of).filter(|r| r.is_finite()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::bootstrap::normal;
    use ijk_core::{DepthKind, Instrument, Session, Symbol};
    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::SeedableRng;

    /// A session of a random walk whose volatility halves at noon, with a few jumps.
    fn market(jumps: usize, seed: u64) -> Market {
        let open_ns = 1_700_000_000_000_000_000;
        let session = Session { open_ns, close_ns: open_ns + 23_400 * 1_000_000_000 };
        let share = Instrument::us_equity(Symbol::new("AAA").unwrap());
        let mut m = Market::new(&Instrument { session, ..share }, DepthKind::L2);
        m.start_s = open_ns / 1_000_000_000;
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let mut x = 0.0;
        for t in 0..23_400 {
            let sd = if t < 11_700 { 2.0 } else { 1.0 };
            x += 1e-4 * sd * normal(&mut rng);
            if jumps > 0 && t % (23_400 / jumps) == 5_000 {
                x += 0.01;
            }
            m.mid.push(100.0 * f64::exp(x));
        }
        m
    }

    #[test]
    fn a_known_walk_is_measured_with_its_course() {
        let truth = (23_400.0 * 2.5f64).sqrt();
        let mut covered = 0;
        for seed in 0..20 {
            let v = measure(&market(0, seed), 60, 1_800, seed).unwrap();
            covered += u32::from(v.realised_bps.lower <= truth && truth <= v.realised_bps.upper);
            assert!(v.jump_share < 0.12, "{}", v.jump_share);
            let ratio = v.season[0].variance_ratio / v.season[12].variance_ratio;
            assert!((1.0..16.0).contains(&ratio), "{ratio}");
        }
        assert!(covered >= 16, "{covered} of 20");
        let jumpy = measure(&market(4, 1), 60, 1_800, 1).unwrap();
        assert!(jumpy.jump_share > 0.2, "{}", jumpy.jump_share);
        assert!(jumpy.bipower_bps < jumpy.realised_bps.value);
    }

    #[test]
    fn formulas_by_hand_and_a_thin_market() {
        let (rv, bv) = realised_and_bipower(&[1.0, -2.0, 3.0]);
        assert_eq!(rv, 14.0);
        assert!((bv - std::f64::consts::FRAC_PI_2 * 1.5 * 8.0).abs() < 1e-12);
        let mut thin = market(0, 1);
        thin.mid.truncate(900);
        let error = measure(&thin, 60, 1_800, 1).unwrap_err();
        assert_eq!(error.to_string(), "AAA: 14 returns of 60 s, expected at least 30");
        let half = measure(&thin, 5, 1_800, 1).unwrap();
        assert!(half.season.is_empty() && half.notes[0].contains("course of the day"));
    }
}
