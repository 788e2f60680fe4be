//! The rules of the whole market that follow from its own prices: the reference of the limit-up
//! limit-down bands, the short sale restriction after a fall, the market-wide breaker.

use super::KernelError;
use ijk_core::config::RiskConfig;
use ijk_core::{Instrument, InstrumentId, Px, RecvTs, Session};
use ijk_risk::Gate;

/// Steps in which the reference price moves on.
const STEP_NS: u64 = 30_000_000_000;
/// Steps of the window over which trades are averaged: five minutes.
const STEP_COUNT: usize = 10;

/// The reference price of the limit-up limit-down plan: the mean of the trades of the last five
/// minutes, taken over where it differs from the one in force by a hundredth or more. The first
/// trade of the session is the first one.
#[derive(Clone, Copy, Debug, Default)]
struct Reference {
    /// Sum and number of trade prices, by step.
    steps: [(i128, i128); STEP_COUNT],
    step: u64,
    px: Option<Px>,
}

impl Reference {
    /// Takes a trade; returns the new reference where it changed.
    fn on_trade(&mut self, now: RecvTs, px: Px) -> Option<Px> {
        let step = now.0 / STEP_NS;
        let before = self.px;
        if self.px.is_none() {
            self.px = Some(px);
        } else if step > self.step {
            self.move_on(step);
        }
        self.step = self.step.max(step);
        let slot = &mut self.steps[(self.step % STEP_COUNT as u64) as usize];
        *slot = (slot.0 + i128::from(px.0), slot.1 + 1);
        self.px.filter(|_| self.px != before)
    }

    fn move_on(&mut self, step: u64) {
        // Steps without a trade hold nothing; the slot of the new one is the window's oldest.
        for passed in (self.step + 1..step).take(STEP_COUNT) {
            self.steps[(passed % STEP_COUNT as u64) as usize] = (0, 0);
        }
        let (sum, count) = self.steps.iter().fold((0, 0), |all, s| (all.0 + s.0, all.1 + s.1));
        if let (Some(old), true) = (self.px, count > 0) {
            let mean = sum / count;
            if (mean - i128::from(old.0)).abs() * 100 >= i128::from(old.0) {
                self.px = Some(Px(mean as i64));
            }
        }
        self.steps[(step % STEP_COUNT as u64) as usize] = (0, 0);
    }
}

#[derive(Clone, Copy, Debug)]
struct One {
    session: Session,
    reference: Reference,
    last_close: Option<Px>,
    fell: bool,
}

/// What is watched.
#[derive(Debug)]
pub(crate) struct MarketRules {
    list: Vec<One>,
    has_bands: bool,
    index: Option<usize>,
}

impl MarketRules {
    /// Reads the settings, and tells the gate what holds from the start.
    ///
    /// # Errors
    /// [`KernelError`] for a close that is no price, and an index that is not in the feed or has
    /// no close.
    pub fn new(
        config: &RiskConfig,
        instruments: &[Instrument],
        gate: &mut Gate,
    ) -> Result<MarketRules, KernelError> {
        let mut list = Vec::with_capacity(instruments.len());
        for i in instruments {
            let close = config.last_close.get(i.symbol.as_str()).copied();
            let last_close = match close.map(|c| (c, Px::from_f64(c))) {
                None => None,
                Some((_, Some(px))) if px.0 > 0 => Some(px),
                Some((value, _)) => {
                    return Err(KernelError::LastClose { symbol: i.symbol.to_string(), value });
                }
            };
            list.push(One {
                session: i.session,
                reference: Reference::default(),
                last_close,
                fell: false,
            });
        }
        for (id, i) in instruments.iter().enumerate() {
            let listed = &config.short_sale_restricted_symbols;
            if listed.iter().any(|s| s == i.symbol.as_str()) {
                gate.on_short_sale_restriction(RecvTs(0), InstrumentId(id as u16), true);
            }
        }
        let index = match config.market_index.as_str() {
            "" => None,
            name => {
                let at = instruments.iter().position(|i| i.symbol.as_str() == name);
                let known = at.filter(|at| list[*at].last_close.is_some());
                Some(known.ok_or_else(|| KernelError::MarketIndex(name.to_string()))?)
            }
        };
        Ok(MarketRules { list, has_bands: config.luld_bands, index })
    }

    /// Takes a trade of the session.
    pub fn on_trade(&mut self, now: RecvTs, id: InstrumentId, px: Px, gate: &mut Gate) {
        let Some(one) = self.list.get_mut(id.index()) else { return };
        if px.0 <= 0 || !one.session.contains(now.0) {
            return;
        }
        if let Some(reference) = one.reference.on_trade(now, px).filter(|_| self.has_bands) {
            gate.on_luld_reference(now, id, Some(reference));
        }
        let Some(close) = one.last_close else { return };
        // Rule 201: a tenth or more below the last close, for the rest of the day.
        if !one.fell && i128::from(px.0) * 10 <= i128::from(close.0) * 9 {
            one.fell = true;
            gate.on_short_sale_restriction(now, id, true);
        }
        if self.index == Some(id.index()) {
            gate.on_index(now, px, close);
        }
    }

    /// Takes the mid of the index, which may have quotes and no trades.
    pub fn on_mid(&mut self, now: RecvTs, id: InstrumentId, mid: f64, gate: &mut Gate) {
        if self.index != Some(id.index()) {
            return;
        }
        let one = &self.list[id.index()];
        if let (Some(close), Some(px)) = (one.last_close, Px::from_f64(mid)) {
            gate.on_index(now, px, close);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: u64 = 1_000_000_000;

    fn cents(c: i64) -> Px {
        Px(c * 10_000_000)
    }

    /// All trades are kept, and looked through at each new step.
    #[derive(Default)]
    struct Naive {
        trades: Vec<(u64, i64)>,
        px: Option<i64>,
    }

    impl Naive {
        fn on_trade(&mut self, now: u64, px: i64) {
            let step = |t: u64| t / (30 * S);
            let last = self.trades.last().map(|t| step(t.0));
            if let (Some(old), Some(last)) = (self.px, last)
                && step(now) > last
            {
                let begin = step(now).saturating_sub(10);
                let in_window = |t: &&(u64, i64)| step(t.0) >= begin;
                let window: Vec<i128> =
                    self.trades.iter().filter(in_window).map(|t| t.1.into()).collect();
                if !window.is_empty() {
                    let mean = window.iter().sum::<i128>() / window.len() as i128;
                    if (mean - i128::from(old)).abs() * 100 >= i128::from(old) {
                        self.px = Some(mean as i64);
                    }
                }
            }
            self.px.get_or_insert(px);
            self.trades.push((now, px));
        }
    }

    proptest! {
        #[test]
        fn the_reference_equals_the_mean_over_all_trades(
            steps in proptest::collection::vec((0u64..90, -300i64..300), 1..200),
        ) {
            let (mut fast, mut naive) = (Reference::default(), Naive::default());
            let (mut now, mut px) = (1_000 * S, 10_000);
            for (i, (wait, move_by)) in steps.into_iter().enumerate() {
                // Now and then nothing trades for minutes.
                now += if i % 17 == 16 { 400 * S } else { wait * S };
                px = (px + move_by).max(100);
                fast.on_trade(RecvTs(now), cents(px));
                naive.on_trade(now, cents(px).0);
                prop_assert_eq!(fast.px.map(|p| p.0), naive.px, "trade {}", i);
            }
        }
    }

    #[test]
    fn a_small_move_keeps_the_reference_and_a_large_one_moves_it_at_the_next_step() {
        let mut r = Reference::default();
        assert_eq!(r.on_trade(RecvTs(600 * S), cents(10_000)), Some(cents(10_000)));
        assert_eq!(r.on_trade(RecvTs(601 * S), cents(11_000)), None, "half a minute at least");
        // The mean of both is 105.00.
        assert_eq!(r.on_trade(RecvTs(631 * S), cents(10_000)), Some(cents(10_500)));
        let third = Some(Px(310_000_000_000 / 3));
        assert_eq!(r.on_trade(RecvTs(661 * S), cents(10_000)), third);
    }
}
