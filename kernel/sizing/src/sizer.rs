//! From an ensemble's forecast to a target position.

use crate::drawdown::{cushion, kelly_fraction_bound};
use crate::kelly::shrinkage;
use crate::quantile::student_t;
use crate::region::Edge;
use ijk_core::config::{EdgeBound, SizingConfig};
use ijk_core::forecast::{HORIZON_COUNT, HORIZONS, Pooled};
use ijk_core::limits::MEMBER_COUNT_MAX;
use ijk_core::record::DecisionReason;
use ijk_core::{EnsembleForecast, Qty};

const BPS: f64 = 1e-4;
/// Half width of a normal 90 % interval in standard deviations: Φ⁻¹(0.95).
const NORMAL_Z90: f64 = 1.644_853_626_951_472_2;

/// What one decision is made from.
#[derive(Clone, Copy, Debug)]
pub struct SizingInput<'a> {
    /// The ensemble's forecast.
    pub forecast: &'a EnsembleForecast,
    /// Mid price, currency units, positive.
    pub mid: f64,
    /// Spread, basis points of the mid, not negative.
    pub spread_bps: f64,
    /// Commission and fees of one side, basis points of notional; a rebate is negative.
    pub fee_bps_per_side: f64,
    /// Position held, fills only, signed.
    pub position: Qty,
    /// Equity, dollars, positive.
    pub equity_usd: f64,
    /// Highest equity so far, dollars; below `equity_usd` it counts as that.
    pub peak_equity_usd: f64,
    /// Value of `Qty(1)`, dollars, positive.
    pub notional_per_unit_usd: f64,
    /// Smallest quantity step, positive.
    pub lot: Qty,
    /// Realised volatility of the instrument per trading day, basis points, positive.
    pub vol_bps_per_day: f64,
    /// Tokens per trading day, positive.
    pub tokens_per_day: f64,
    /// False while only reducing trades are allowed.
    pub may_add_risk: bool,
    /// Distance of the features to those the model was trained on, 1 at the edge of what it
    /// knows. From 1 on (and where it is not a number) nothing is added.
    pub distrust: f64,
    /// Half width of the model's measured 90 % interval at the horizon used, predictive standard
    /// deviations (split conformal prediction); `None` where the weights state none.
    pub interval_z90: Option<f64>,
}

/// What was decided, with everything a decision record wants to know. All numbers are finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SizingOutcome {
    /// Position wanted; equal to the position held unless `reason` is `Trade`.
    pub target: Qty,
    /// Why.
    pub reason: DecisionReason,
    /// Pooled mean, basis points.
    pub mean_bps: f64,
    /// Epistemic variance as forecast, squared basis points.
    pub epistemic_var: f64,
    /// Aleatoric variance as forecast, squared basis points.
    pub aleatoric_var: f64,
    /// Lower bound of the edge in the direction of the mean, basis points.
    pub edge_lower_bps: f64,
    /// Expected cost of a round trip, basis points.
    pub cost_bps: f64,
    /// Fraction of equity wanted, signed, after all caps, before the band and the lots.
    pub kelly_fraction: f64,
}

/// Settings that cannot be sized with.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum SizingConfigError {
    /// Unknown horizon.
    #[error("sizing.horizon_index is {0}; use 0 to {last}", last = HORIZON_COUNT - 1)]
    HorizonIndex(usize),
    /// A number outside its range.
    #[error("sizing.{key} is {value}; use {range}")]
    Range {
        /// Name of the key.
        key: &'static str,
        /// Value found.
        value: f64,
        /// Range allowed.
        range: &'static str,
    },
}

/// Turns forecasts into targets. Keeps no state between decisions.
#[derive(Clone, Debug)]
pub struct Sizer {
    config: SizingConfig,
    /// Fraction of full Kelly that the drawdown bound leaves.
    multiplier: f64,
    /// One-sided quantile by member count; `[0]` is unused.
    quantile: [f64; MEMBER_COUNT_MAX + 1],
}

impl Sizer {
    /// Returns a sizer for checked settings.
    ///
    /// # Errors
    /// [`SizingConfigError`] names the first key outside its range.
    pub fn new(config: &SizingConfig) -> Result<Sizer, SizingConfigError> {
        if config.horizon_index >= HORIZON_COUNT {
            return Err(SizingConfigError::HorizonIndex(config.horizon_index));
        }
        let c = config;
        let within = |v: f64, max: f64| 0.0 < v && v <= max;
        let (multiplier, confidence) = (c.kelly_multiplier, c.confidence);
        let (cap, vol) = (c.position_fraction_max, c.vol_target_bps_per_day);
        let (band, slippage) = (c.no_trade_band_fraction, c.slippage_bps);
        let (level, probability) = (c.drawdown_level, c.drawdown_probability);
        let radius = c.conformal_radius_bps;
        // Comparisons are written so that NaN fails them.
        let checks = [
            ("kelly_multiplier", multiplier, "(0, 1]", within(multiplier, 1.0)),
            ("confidence", confidence, "(0.5, 1)", 0.5 < confidence && confidence < 1.0),
            ("position_fraction_max", cap, "(0, 10]", within(cap, 10.0)),
            ("vol_target_bps_per_day", vol, "(0, 10000]", within(vol, 1e4)),
            ("no_trade_band_fraction", band, "[0, 1]", (0.0..=1.0).contains(&band)),
            ("slippage_bps", slippage, "[0, 10000]", (0.0..=1e4).contains(&slippage)),
            ("conformal_radius_bps", radius, "[0, 10000]", (0.0..=1e4).contains(&radius)),
            ("drawdown_level", level, "(0, 1)", 0.0 < level && level < 1.0),
            ("drawdown_probability", probability, "(0, 1]", within(probability, 1.0)),
            ("drawdown_max", c.drawdown_max, "(0, 1]", within(c.drawdown_max, 1.0)),
            (
                "parent_horizon_s",
                c.parent_horizon_s,
                "(0, 86400]",
                within(c.parent_horizon_s, 86_400.0),
            ),
        ];
        for (key, value, range, ok) in checks {
            if !ok {
                return Err(SizingConfigError::Range { key, value, range });
            }
        }
        let mut quantile = [0.0; MEMBER_COUNT_MAX + 1];
        for (members, q) in quantile.iter_mut().enumerate().skip(1) {
            *q = student_t(config.confidence, (members - 1).max(1));
        }
        let multiplier = multiplier.min(kelly_fraction_bound(level, probability));
        Ok(Sizer { config: config.clone(), multiplier, quantile })
    }

    /// Returns the target for one token.
    ///
    /// The bound is `|mean| − t·√epistemic` with Student's t of `members − 1` degrees of freedom:
    /// the members are taken as draws from the posterior of the mean, and a spread estimated
    /// from five draws is itself uncertain. One member alone says nothing of what it does not
    /// know; its own variance stands in, with one degree of freedom, which all but forbids trades.
    /// `sizing.bound` takes the least favourable member instead, or the lower of both; a conformal
    /// radius, where one is set, bounds it too.
    ///
    /// Where the measured interval is wider than a normal one of the forecast's own variance, the
    /// variances are those of a normal law with the measured width: sizes, shrinkage and bound
    /// stand on what was calibrated. A narrower interval earns nothing.
    ///
    /// - Risk is added only where the bound covers a round trip, up to
    ///   `multiplier·(shrunk mean − round trip)/variance`, the position cap and the volatility cap.
    ///   The multiplier is at most what the drawdown bound leaves, times the cushion over
    ///   `drawdown_max`, times the volatility target's part where `vol_scaling` is set.
    /// - A position is reduced where it exceeds `multiplier·(mean + one side)/variance`, that is
    ///   closed where the mean has turned against it by more than the exit costs.
    /// - In between it is held: `InBand` with an edge, `NoEdge` without.
    /// - Where the features are unlike the training data (`distrust` from 1 on) nothing is added;
    ///   reducing and closing stay possible.
    /// - A position beyond `position_fraction_max` is cut to a band below it, whatever it costs.
    ///
    /// Anything not finite, or not positive where it must be, keeps the position.
    pub fn decide(&self, input: &SizingInput<'_>) -> SizingOutcome {
        let mut outcome = SizingOutcome {
            target: input.position,
            reason: DecisionReason::BadForecast,
            mean_bps: 0.0,
            epistemic_var: 0.0,
            aleatoric_var: 0.0,
            edge_lower_bps: 0.0,
            cost_bps: 0.0,
            kelly_fraction: 0.0,
        };
        let Some(pooled) = input.forecast.pooled(self.config.horizon_index) else {
            return outcome;
        };
        let known = pooled.epistemic_var + pooled.aleatoric_var;
        if !(known > 0.0 && known.is_finite()) {
            return outcome;
        }
        outcome.mean_bps = pooled.mean_bps;
        outcome.epistemic_var = pooled.epistemic_var;
        outcome.aleatoric_var = pooled.aleatoric_var;
        let Some(units) = units_of_equity(input) else {
            outcome.reason = DecisionReason::BadBook;
            return outcome;
        };
        let (edge, lower_bps) = self.edge(input, &pooled);
        outcome.edge_lower_bps = lower_bps;
        outcome.cost_bps = 2.0 * edge.cost_side / BPS;
        let position = input.position.0 as f64 / units;
        let wanted = self.wanted(input, &edge, position);
        outcome.kelly_fraction = wanted;
        let idle = if edge.entry == 0.0 { DecisionReason::NoEdge } else { DecisionReason::InBand };
        (outcome.target, outcome.reason) = self.settle(input, wanted, units, idle);
        outcome
    }

    /// Returns the edge in fractions and the lower bound in basis points.
    fn edge(&self, input: &SizingInput<'_>, pooled: &Pooled) -> (Edge, f64) {
        let members = input.forecast.member_count as usize;
        let widened = widening(input.interval_z90);
        let aleatoric = pooled.aleatoric_var * widened;
        let epistemic = if members > 1 { pooled.epistemic_var * widened } else { aleatoric };
        let mean = pooled.mean_bps;
        let lower = self.lower_bps(input.forecast, mean, epistemic, members);
        let cost = 0.5 * input.spread_bps + input.fee_bps_per_side + self.config.slippage_bps;
        let cost = cost.max(0.0);
        // A network may understate its variance: what the market really moved over the horizon
        // is the floor.
        let horizon = f64::from(HORIZONS[self.config.horizon_index]);
        let realised =
            input.vol_bps_per_day * input.vol_bps_per_day * horizon / input.tokens_per_day;
        let variance = epistemic + aleatoric.max(realised);
        let entry = if lower > 2.0 * cost { mean * shrinkage(mean, epistemic) } else { 0.0 };
        let edge = Edge {
            entry: entry * BPS,
            hold: mean * BPS,
            cost_side: cost * BPS,
            variance: variance * BPS * BPS,
            multiplier: self.multiplier * self.shrink(input),
        };
        (edge, lower)
    }

    /// Returns the lower bound of the edge in the direction of `mean`, basis points.
    fn lower_bps(&self, f: &EnsembleForecast, mean: f64, epistemic: f64, members: usize) -> f64 {
        let spread = || mean.abs() - self.quantile[members] * epistemic.sqrt();
        let worst = || {
            let horizon = self.config.horizon_index;
            let means = f.members[..members].iter().map(|m| f64::from(m[horizon].mean_bps));
            means.map(|m| m * mean.signum()).fold(f64::INFINITY, f64::min)
        };
        let lower = match self.config.bound {
            EdgeBound::StudentT => spread(),
            // One member has nobody to disagree with it.
            EdgeBound::WorstMember if members > 1 => worst(),
            EdgeBound::WorstMember => spread(),
            EdgeBound::Both => spread().min(worst()),
        };
        match self.config.conformal_radius_bps {
            radius if radius > 0.0 => lower.min(mean.abs() - radius),
            _ => lower,
        }
    }

    /// Returns the part of the Kelly fraction that drawdown and volatility leave, [0, 1].
    fn shrink(&self, input: &SizingInput<'_>) -> f64 {
        let c = &self.config;
        let cap = c.vol_target_bps_per_day / input.vol_bps_per_day / c.position_fraction_max;
        let by_vol = if c.vol_scaling { cap.min(1.0) } else { 1.0 };
        by_vol * cushion(input.equity_usd, input.peak_equity_usd, c.drawdown_max)
    }

    /// Returns the fraction of equity wanted, after the caps.
    fn wanted(&self, input: &SizingInput<'_>, edge: &Edge, position: f64) -> f64 {
        let hard = self.config.position_fraction_max;
        let cap = hard.min(self.config.vol_target_bps_per_day / input.vol_bps_per_day);
        let wanted = edge.target(position, cap);
        // Cut to a band below the cap: the drift of the price must not cause an order a token.
        let cut = hard * (1.0 - self.config.no_trade_band_fraction);
        if position.abs() > hard && wanted * position > 0.0 && wanted.abs() > cut {
            return cut * position.signum();
        }
        wanted
    }

    /// Returns the target in lots and the reason, from the fraction wanted.
    fn settle(
        &self,
        input: &SizingInput<'_>,
        wanted: f64,
        units: f64,
        idle: DecisionReason,
    ) -> (Qty, DecisionReason) {
        let held = input.position.0;
        let lot = input.lot.0;
        let hard = self.config.position_fraction_max;
        let band = self.config.no_trade_band_fraction * hard * units;
        if wanted == held as f64 / units {
            return (input.position, idle);
        }
        let mut target = (wanted * units / lot as f64) as i64 * lot;
        let crosses_zero = target.signum() * held.signum() < 0;
        // Written so that NaN is not trusted.
        let trusted = input.distrust < 1.0;
        let may_add = input.may_add_risk && trusted;
        if crosses_zero && !may_add {
            target = 0;
        } else if target.abs() > held.abs() && !may_add {
            let halted = !input.may_add_risk;
            let reason = if halted { DecisionReason::Halted } else { DecisionReason::Distrust };
            return (input.position, reason);
        }
        let beyond_cap = held.unsigned_abs() as f64 > hard * units;
        if ((target - held).abs() as f64) < band && target != 0 && !beyond_cap {
            // Too small a move to add with; what stands on the wrong side is still closed.
            target = if crosses_zero { 0 } else { held };
        }
        // Off-lot holdings cannot be traded away: the change itself is a number of lots.
        let change = (target - held) / lot * lot;
        if change == 0 {
            (
                input.position,
                if idle == DecisionReason::NoEdge { idle } else { DecisionReason::InBand },
            )
        } else {
            (Qty(held + change), DecisionReason::Trade)
        }
    }
}

/// Returns the factor that makes a normal interval of the variance as wide as the measured one, at
/// least 1.
fn widening(interval_z90: Option<f64>) -> f64 {
    let ratio = interval_z90.map_or(1.0, |z| z / NORMAL_Z90);
    // `max` passes over a width that is not a number; the loader refuses such weights.
    ratio.max(1.0) * ratio.max(1.0)
}

/// Returns how many quantity units all of the equity buys, or `None` where an input is unusable.
fn units_of_equity(input: &SizingInput<'_>) -> Option<f64> {
    let positive = [
        input.mid,
        input.equity_usd,
        input.peak_equity_usd,
        input.notional_per_unit_usd,
        input.vol_bps_per_day,
        input.tokens_per_day,
    ];
    let spread_ok = (0.0..1e9).contains(&input.spread_bps);
    // The outer bounds keep every product below finite; nothing real comes near them.
    let ok = positive.iter().all(|v| (1e-30..1e30).contains(v))
        && spread_ok
        && input.fee_bps_per_side.abs() < 1e9
        && input.lot.0 > 0
        && input.position.0.unsigned_abs() < 1 << 60;
    let units = input.equity_usd / input.notional_per_unit_usd;
    // Ten times the equity must still be a quantity.
    (ok && units > 0.0 && units < 1e17).then_some(units)
}
