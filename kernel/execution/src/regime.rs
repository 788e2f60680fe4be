//! What the market of one instrument is like lately, and whether it still is what a plan assumed.
//!
//! Averages over time with the memory of one minute: a value that held for `dt` weighs `dt`, and
//! everything older fades by `τ/(τ + dt)`. No exponential is needed, and two calls at one moment
//! count once.

use crate::intent::MarketView;
use ijk_core::Side;
use ijk_core::record::Level;

/// Memory, seconds.
const MEMORY_S: f64 = 60.0;
/// Seconds between a signal and the price that it is held against.
const RESPONSE_S: f64 = 5.0;
/// What each new pair leaves of the older ones: about forty minutes are remembered.
const RESPONSE_FADE: f64 = 0.998;
/// Squared signal that the response is shrunk to nothing with: ten pairs of a full imbalance.
const RESPONSE_PRIOR: f64 = 10.0;
/// Largest response of one pair, half-spreads.
const RESPONSE_MAX: f64 = 5.0;
/// Seconds of market before the averages mean anything.
const MATURE_S: f64 = 20.0;

/// Running averages.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Regime {
    weight_s: f64,
    spread: f64,
    depth: f64,
    volume: f64,
    variance: f64,
    /// Volume of aggressors: buyers, sellers.
    aggressive: [f64; 2],
    flow: f64,
    last: Option<Seen>,
    /// A signal whose price is awaited: time, signal, mid, half-spread.
    awaited: Option<(u64, f64, f64, f64)>,
    /// Fading sums of signal times response and of squared signal.
    response: (f64, f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    ns: u64,
    bid: Level,
    ask: Level,
    volume_qty: i64,
    aggressive_qty: [i64; 2],
}

/// The averages of one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Spread, currency.
    pub spread: f64,
    /// Mean size at the two touches, units.
    pub depth: f64,
    /// Volume a second, units.
    pub volume_per_s: f64,
    /// Variance of the mid a second, squared currency.
    pub variance_per_s: f64,
    /// Order flow imbalance of the touch over the memory, in units of its mean size: positive
    /// where buyers press (Cont, Kukanov, Stoikov 2014).
    pub flow: f64,
}

impl Regime {
    /// Takes the market of a moment; moments do not go back.
    pub fn on_view(&mut self, view: &MarketView) {
        if !view.is_tradable() {
            self.last = None;
            return;
        }
        let now = Seen {
            ns: view.now.0,
            bid: view.bid,
            ask: view.ask,
            volume_qty: view.volume_qty,
            aggressive_qty: view.aggressive_qty,
        };
        let Some(last) = self.last.replace(now) else { return };
        let dt = now.ns.saturating_sub(last.ns) as f64 * 1e-9;
        if dt > 0.0 {
            let fade = MEMORY_S / (MEMORY_S + dt);
            self.weight_s = (self.weight_s + dt) * fade;
            self.spread = (self.spread + (last.ask.px.as_f64() - last.bid.px.as_f64()) * dt) * fade;
            self.depth =
                (self.depth + 0.5 * (last.bid.qty.0 as f64 + last.ask.qty.0 as f64) * dt) * fade;
            for sum in [&mut self.volume, &mut self.variance, &mut self.flow] {
                *sum *= fade;
            }
            self.aggressive = self.aggressive.map(|v| v * fade);
        }
        self.volume += now.volume_qty.saturating_sub(last.volume_qty).max(0) as f64;
        for side in 0..2 {
            let more = now.aggressive_qty[side].saturating_sub(last.aggressive_qty[side]);
            self.aggressive[side] += more.max(0) as f64;
        }
        let mid = |s: &Seen| 0.5 * (s.bid.px.as_f64() + s.ask.px.as_f64());
        self.variance += (mid(&now) - mid(&last)).powi(2);
        self.flow += flow(&last, &now);
        self.measure_response(&now);
    }

    /// Holds signals against what the mid did after them, one pair at a time.
    fn measure_response(&mut self, now: &Seen) {
        let (bid, ask) = (now.bid.px.as_f64(), now.ask.px.as_f64());
        let mid = 0.5 * (bid + ask);
        if let Some((ns, signal, then, half)) = self.awaited {
            if (now.ns.saturating_sub(ns) as f64) < RESPONSE_S * 1e9 {
                return;
            }
            let moved = ((mid - then) / half).clamp(-RESPONSE_MAX, RESPONSE_MAX);
            self.response.0 = self.response.0 * RESPONSE_FADE + signal * moved;
            self.response.1 = self.response.1 * RESPONSE_FADE + signal * signal;
        }
        self.awaited = Some((now.ns, self.signal(now), mid, 0.5 * (ask - bid)));
    }

    /// Imbalance of the touch and a quarter of the flow, positive where buyers press.
    fn signal(&self, now: &Seen) -> f64 {
        let (bid, ask) = (now.bid.qty.0 as f64, now.ask.qty.0 as f64);
        let flow = self.conditions().map_or(0.0, |c| c.flow.clamp(-2.0, 2.0));
        (bid - ask) / (bid + ask).max(1.0) + 0.25 * flow
    }

    /// Returns the signal of now, positive where buyers press; 0 without a market.
    pub fn signal_now(&self) -> f64 {
        self.last.as_ref().map_or(0.0, |seen| self.signal(seen))
    }

    /// Returns how far the mid has gone with a unit of the signal lately, half-spreads, shrunk
    /// towards nothing; not negative.
    pub fn response(&self) -> f64 {
        (self.response.0 / (self.response.1 + RESPONSE_PRIOR)).max(0.0)
    }

    /// Returns the averages, or `None` before there was enough market.
    pub fn conditions(&self) -> Option<Conditions> {
        if self.weight_s < MATURE_S {
            return None;
        }
        let depth = (self.depth / self.weight_s).max(1.0);
        Some(Conditions {
            spread: self.spread / self.weight_s,
            depth,
            volume_per_s: self.volume / self.weight_s,
            variance_per_s: self.variance / self.weight_s,
            flow: self.flow / depth,
        })
    }

    /// Returns the volume a second of those who trade against resting orders of `side`.
    pub fn against_per_s(&self, side: Side) -> f64 {
        let sum = self.aggressive[side.opposite() as usize];
        // Feeds without aggressors: half of what trades.
        let known = self.aggressive[0] + self.aggressive[1] > 0.0;
        let sum = if known { sum } else { 0.5 * self.volume };
        sum / self.weight_s.max(1.0)
    }
}

/// Contribution of one change of the touch to the order flow imbalance.
fn flow(last: &Seen, now: &Seen) -> f64 {
    let part = |counts: bool, qty: i64| if counts { qty as f64 } else { 0.0 };
    part(now.bid.px >= last.bid.px, now.bid.qty.0)
        - part(now.bid.px <= last.bid.px, last.bid.qty.0)
        - part(now.ask.px <= last.ask.px, now.ask.qty.0)
        + part(now.ask.px >= last.ask.px, last.ask.qty.0)
}

impl Conditions {
    /// Returns whether `now` is significantly another market: spread, depth, volume or volatility
    /// at `ratio` times these or at the inverse, or the flow `flow` away.
    pub fn differ(&self, now: &Conditions, ratio: f64, flow: f64) -> bool {
        let far = |was: f64, is: f64| {
            let most = was.max(is);
            most > 0.0 && most > ratio * was.min(is)
        };
        // Variance is the square of what the ratio is about.
        far(self.spread, now.spread)
            || far(self.depth, now.depth)
            || far(self.volume_per_s, now.volume_per_s)
            || far(self.variance_per_s.sqrt(), now.variance_per_s.sqrt())
            || (self.flow - now.flow).abs() > flow
    }
}
