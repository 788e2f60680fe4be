//! The propagator from ticks: how the mid answers signed volume, second by second.
//!
//! The mid's change over one second is regressed on the signed volume of this second and of the
//! ones before: `Δp(t)/σ = G₀ Σₗ k(l)·f(t−l) + ε`, `f = sign·(|v|/V)^δ`, where k(0) = G(0) and
//! k(l) = G(l) − G(l−1) of a kernel with two parameters. Only sums enter (the flow's
//! autocovariance and its covariance with the move), one set a block of seconds, so a resample of
//! blocks adds sums again and never touches the ticks.
//!
//! All trades of the market teach the kernel. That own trades act as anybody's do is an
//! assumption; own fills test it.

use super::propagator::{Arbitrage, Kernel, arbitrage_of_exponential, arbitrage_of_power};
use super::sample::Basis;
use crate::market::Market;
use crate::stats::bootstrap::{Blocks, parameter};
use crate::stats::{Parameter, minimise};
use serde::{Deserialize, Serialize};

/// Seconds of lag.
const LAG_COUNT: usize = 120;
/// Seconds of one block.
const BLOCK_S: usize = 300;
/// Blocks below which nothing is fitted.
const BLOCK_COUNT_MIN: usize = 6;
/// Prints below which nothing is fitted.
pub const PRINT_COUNT_MIN: u64 = 500;
/// Exponents of size tried.
const DELTAS: [f64; 5] = [0.2, 0.4, 0.6, 0.8, 1.0];
const RESAMPLES: usize = 100;

/// A fitted kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelFit {
    /// Prefactor G₀ of `(v/V)^δ`, in daily volatilities.
    pub prefactor: Parameter,
    /// Exponent δ of size, one of a grid.
    pub delta: Parameter,
    /// Decay: γ of the power kernel, ρ in 1/second of the exponential one.
    pub decay: Parameter,
    /// τ of the power kernel, seconds; 0 of the exponential one.
    pub tau_s: f64,
    /// Part of the variance of one-second moves that is explained, in the sample.
    pub r2: f64,
    /// The same in blocks the fit did not see (every other block, both ways).
    pub r2_out_of_sample: f64,
    /// The bound on free round trips.
    pub arbitrage: Arbitrage,
}

impl KernelFit {
    /// Returns the kernel.
    pub fn kernel(&self) -> Kernel {
        if self.tau_s > 0.0 {
            Kernel::Power { gamma: self.decay.value, tau_s: self.tau_s }
        } else {
            Kernel::Exponential { rho_per_s: self.decay.value }
        }
    }
}

/// Both kernels of one instrument.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// Seconds used.
    pub seconds: usize,
    /// Prints used.
    pub prints: u64,
    /// Power kernel.
    pub power: KernelFit,
    /// Exponential kernel.
    pub exponential: KernelFit,
}

/// Why no kernel was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// Too little market.
    #[error(
        "{prints} visible prints of a known aggressor in {seconds} s, expected at least \
         {PRINT_COUNT_MIN} in {}", BLOCK_S * BLOCK_COUNT_MIN
    )]
    TooFew {
        /// Prints found.
        prints: u64,
        /// Seconds found.
        seconds: usize,
    },
    /// The price does not answer the flow at all.
    #[error("the mid does not answer signed volume")]
    Silent,
}

/// Fits both kernels to a market. `seed` is of the resampling.
///
/// # Errors
/// [`ResponseError`].
pub fn fit(market: &Market, basis: &Basis, seed: u64) -> Result<Response, ResponseError> {
    let from = market.mid.iter().position(|m| *m > 0.0).unwrap_or(market.mid.len());
    let seconds = market.mid.len().saturating_sub(from + 1);
    let prints = market.trades.len() as u64;
    if prints < PRINT_COUNT_MIN || seconds < BLOCK_S * BLOCK_COUNT_MIN {
        return Err(ResponseError::TooFew { prints, seconds });
    }
    let moves: Vec<f64> = market.mid[from..]
        .windows(2)
        .map(|w| 1e4 * (w[1] / w[0]).ln() / basis.volatility_bps)
        .collect();
    let flow: Vec<f64> = market.signed[from + 1..].iter().map(|v| v / basis.daily_volume).collect();
    let by_delta: Vec<Vec<Sums>> = DELTAS.iter().map(|&d| sums_of(&moves, &flow, d)).collect();
    Ok(Response {
        seconds,
        prints,
        power: fit_kernel(&by_delta, Shape::Power, seed)?,
        exponential: fit_kernel(&by_delta, Shape::Exponential, seed)?,
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Power,
    Exponential,
}

impl Shape {
    /// Parameters are searched as logarithms.
    fn kernel(self, log: &[f64]) -> Kernel {
        match self {
            Shape::Power => Kernel::Power { gamma: log[0].exp(), tau_s: log[1].exp() },
            Shape::Exponential => Kernel::Exponential { rho_per_s: log[0].exp() },
        }
    }

    fn start(self) -> &'static [f64] {
        match self {
            Shape::Power => &[-0.7, 0.0],
            Shape::Exponential => &[-2.5],
        }
    }
}

/// Sums of one block: the flow's autocovariance by lag, its covariance with the move after it,
/// the variance of the moves.
#[derive(Clone)]
struct Sums {
    flow: Vec<f64>,
    cross: Vec<f64>,
    moves: f64,
}

impl Sums {
    fn zero() -> Sums {
        Sums { flow: vec![0.0; LAG_COUNT], cross: vec![0.0; LAG_COUNT], moves: 0.0 }
    }

    fn add(&mut self, other: &Sums) {
        for (a, b) in self.flow.iter_mut().zip(&other.flow) {
            *a += b;
        }
        for (a, b) in self.cross.iter_mut().zip(&other.cross) {
            *a += b;
        }
        self.moves += other.moves;
    }

    /// Returns the best prefactor of a kernel's shape and what it leaves of the moves.
    fn best(&self, kernel: Kernel) -> (f64, f64) {
        let (cross, square) = self.projections(kernel);
        if square <= 0.0 {
            return (0.0, self.moves);
        }
        let prefactor = cross / square;
        (prefactor, self.moves - prefactor * cross)
    }

    fn projections(&self, kernel: Kernel) -> (f64, f64) {
        let k: Vec<f64> = (0..LAG_COUNT)
            .map(|l| kernel.at(l as f64) - if l > 0 { kernel.at(l as f64 - 1.0) } else { 0.0 })
            .collect();
        let cross = k.iter().zip(&self.cross).map(|(a, b)| a * b).sum();
        let mut square = 0.0;
        for lag in 0..LAG_COUNT {
            let overlap: f64 = k[lag..].iter().zip(&k).map(|(a, b)| a * b).sum();
            square += self.flow[lag] * overlap * if lag > 0 { 2.0 } else { 1.0 };
        }
        (cross, square)
    }
}

fn total<'a>(blocks: impl Iterator<Item = &'a Sums>) -> Sums {
    let mut sum = Sums::zero();
    blocks.for_each(|b| sum.add(b));
    sum
}

fn sums_of(moves: &[f64], flow: &[f64], delta: f64) -> Vec<Sums> {
    let f: Vec<f64> = flow.iter().map(|v| v.signum() * v.abs().powf(delta)).collect();
    (0..moves.len() / BLOCK_S)
        .map(|b| {
            let mut sums = Sums::zero();
            for t in b * BLOCK_S..(b + 1) * BLOCK_S {
                sums.moves += moves[t] * moves[t];
                for lag in 0..LAG_COUNT.min(t + 1) {
                    sums.flow[lag] += f[t] * f[t - lag];
                    sums.cross[lag] += moves[t] * f[t - lag];
                }
            }
            sums
        })
        .collect()
}

struct Best {
    log: Vec<f64>,
    prefactor: f64,
    left: f64,
}

fn search(sums: &Sums, shape: Shape, start: &[f64]) -> Best {
    let loss = |log: &[f64]| {
        // Shapes far outside what seconds can tell are all the same: keep away from them.
        let out: f64 = log.iter().map(|x| (x.abs() - 6.0).max(0.0).powi(2)).sum();
        sums.best(shape.kernel(log)).1 + out * sums.moves
    };
    let (log, _) = minimise::from(loss, start, &vec![0.7; start.len()]);
    let (prefactor, left) = sums.best(shape.kernel(&log));
    Best { log, prefactor, left }
}

fn fit_kernel(by_delta: &[Vec<Sums>], shape: Shape, seed: u64) -> Result<KernelFit, ResponseError> {
    let best_of = |picks: &[usize], starts: &[Vec<f64>]| {
        by_delta
            .iter()
            .enumerate()
            .map(|(d, blocks)| {
                (d, search(&total(picks.iter().map(|&i| &blocks[i])), shape, &starts[d]))
            })
            .min_by(|a, b| a.1.left.total_cmp(&b.1.left))
    };
    let count = by_delta.first().map_or(0, Vec::len);
    let all: Vec<usize> = (0..count).collect();
    let starts = vec![shape.start().to_vec(); by_delta.len()];
    let (at, best) = best_of(&all, &starts).ok_or(ResponseError::Silent)?;
    let moves = total(by_delta[at].iter()).moves;
    if best.prefactor <= 0.0 || best.left >= moves {
        return Err(ResponseError::Silent);
    }
    // Resamples start at the point's shape and try its neighbours of δ alone.
    let near: Vec<usize> = (at.saturating_sub(1)..(at + 2).min(DELTAS.len())).collect();
    let mut blocks = Blocks::new(count, 2, seed);
    let draws: Vec<(f64, f64, f64)> = (0..RESAMPLES)
        .filter_map(|_| {
            let picks = blocks.draw();
            let of = |&d: &usize| {
                let sums = total(picks.iter().map(|&i| &by_delta[d][i]));
                (d, search(&sums, shape, &best.log))
            };
            let (d, b) = near.iter().map(of).min_by(|a, b| a.1.left.total_cmp(&b.1.left))?;
            Some((b.prefactor, DELTAS[d], b.log[0].exp()))
        })
        .collect();
    let n = blocks.independent();
    let column = |get: fn(&(f64, f64, f64)) -> f64, value: f64| {
        parameter(value, &draws.iter().map(get).collect::<Vec<_>>(), n)
    };
    // Neither can be negative: widening an interval must not say so.
    let positive = |p: Parameter| Parameter { lower: p.lower.max(0.0), ..p };
    let prefactor = positive(column(|d| d.0, best.prefactor));
    // The grid's step is the least that is known of δ.
    let delta = column(|d| d.1, DELTAS[at]);
    let half = 0.5 * (DELTAS[1] - DELTAS[0]);
    let delta = Parameter {
        lower: (delta.lower - half).max(0.0),
        upper: delta.upper + half,
        standard_error: delta.standard_error.max(half / 3f64.sqrt()),
        ..delta
    };
    let decay = positive(column(|d| d.2, best.log[0].exp()));
    let interval = |p: &Parameter| (p.lower, p.upper);
    let arbitrage = match shape {
        Shape::Power => arbitrage_of_power(interval(&decay), interval(&delta)),
        Shape::Exponential => arbitrage_of_exponential(interval(&delta)),
    };
    Ok(KernelFit {
        r2: 1.0 - best.left / moves,
        r2_out_of_sample: out_of_sample(&by_delta[at], shape, &best.log),
        tau_s: if shape == Shape::Power { best.log[1].exp() } else { 0.0 },
        prefactor,
        delta,
        decay,
        arbitrage,
    })
}

/// Fits even blocks and looks at odd ones, and the other way round.
fn out_of_sample(blocks: &[Sums], shape: Shape, start: &[f64]) -> f64 {
    let (mut left, mut moves) = (0.0, 0.0);
    for parity in 0..2 {
        let of = |p: usize| total(blocks.iter().skip(p).step_by(2));
        let (seen, unseen) = (of(parity), of(1 - parity));
        let best = search(&seen, shape, start);
        let (cross, square) = unseen.projections(shape.kernel(&best.log));
        let g = best.prefactor;
        left += unseen.moves - 2.0 * g * cross + g * g * square;
        moves += unseen.moves;
    }
    1.0 - left / moves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::bootstrap::{normal, uniform};
    use ijk_core::{DepthKind, Instrument, Symbol};
    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::SeedableRng;

    /// A market whose mid follows a known propagator of a flow with long memory.
    fn market(kernel: Kernel, delta: f64, prefactor: f64, seconds: usize) -> (Market, Basis) {
        let mut rng = ChaCha12Rng::seed_from_u64(7);
        let share = Instrument::us_equity(Symbol::new("AAA").unwrap());
        let mut m = Market::new(&share, DepthKind::L2);
        let mut sign = 1.0;
        let flow: Vec<f64> = (0..seconds)
            .map(|_| {
                if uniform(&mut rng) < 0.3 {
                    sign = -sign;
                }
                sign * 1e-4 * (0.7 * normal(&mut rng)).exp()
            })
            .collect();
        let f: Vec<f64> = flow.iter().map(|v| v.signum() * v.abs().powf(delta)).collect();
        let mut walk = 0.0;
        for t in 0..seconds {
            walk += 2e-3 * normal(&mut rng);
            let pushed: f64 =
                (0..=t.min(400)).map(|l| prefactor * f[t - l] * kernel.at(l as f64)).sum();
            m.mid.push(100.0 * (1e-4 * 150.0 * (walk + pushed)).exp());
            m.signed.push(flow[t] * 1e6);
            m.volume.push(flow[t].abs() * 1e6);
            m.spread_bps.push(1.0);
            m.trades.push(crate::market::Print {
                second: t as u32,
                sign: flow[t].signum() as f32,
                half_effective_bps: 0.5,
                qty: 1.0,
            });
        }
        let basis = Basis {
            volatility_bps: 150.0,
            daily_volume: 1e6,
            session_s: 23_400.0,
            spread_bps: 1.0,
            price: 100.0,
            shares_outstanding: None,
        };
        (m, basis)
    }

    #[test]
    fn a_known_power_kernel_is_recovered() {
        let truth = Kernel::Power { gamma: 0.45, tau_s: 2.0 };
        let (market, basis) = market(truth, 0.6, 3.0, 12_000);
        let fit = fit(&market, &basis, 1).unwrap();
        let p = &fit.power;
        assert!((p.delta.value - 0.6).abs() < 1e-9, "{:?}", p.delta);
        assert!(p.decay.lower <= 0.45 && 0.45 <= p.decay.upper, "{:?}", p.decay);
        assert!((p.prefactor.value / 3.0 - 1.0).abs() < 0.15, "{:?}", p.prefactor);
        assert!(p.r2_out_of_sample > 0.0 && p.r2_out_of_sample <= p.r2 + 1e-9);
        assert!(p.r2_out_of_sample >= fit.exponential.r2_out_of_sample, "the true shape wins");
        assert!(matches!(p.arbitrage, Arbitrage::Undecided | Arbitrage::Excluded));
    }

    #[test]
    fn a_known_exponential_kernel_is_recovered() {
        let (market, basis) = market(Kernel::Exponential { rho_per_s: 0.1 }, 1.0, 40.0, 12_000);
        let fit = fit(&market, &basis, 1).unwrap();
        let e = &fit.exponential;
        assert!((e.decay.value / 0.1 - 1.0).abs() < 0.25, "{:?}", e.decay);
        assert!((e.prefactor.value / 40.0 - 1.0).abs() < 0.15, "{:?}", e.prefactor);
        assert_eq!(e.delta.value, 1.0);
    }

    #[test]
    fn a_thin_or_deaf_market_gives_no_kernel() {
        let (mut market, basis) = market(Kernel::Exponential { rho_per_s: 0.1 }, 1.0, 40.0, 2_000);
        let mut short = market.clone();
        short.trades.truncate(499);
        let error = fit(&short, &basis, 1).unwrap_err();
        assert!(error.to_string().contains("499 visible prints"), "{error}");
        market.signed.iter_mut().for_each(|v| *v = 0.0);
        assert_eq!(fit(&market, &basis, 1), Err(ResponseError::Silent));
    }
}
