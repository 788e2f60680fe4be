//! What the market and the clock tell the gate: quotes, halts, bands, the index, the offset.

use crate::blocks::InstrumentBlock;
use crate::gate::{Gate, Quote};
use crate::limits::COLLAR_UNITS_PER_ONE;
use crate::watch::{SIGMA_ALPHA, SIGMA_WARM_UP, Watch};
use ijk_core::num::E9;
use ijk_core::{AlarmCode, InstrumentId, Px, RecvTs};

/// State of an instrument's market, as the venue or the feed says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketState {
    /// Continuous trading.
    Open,
    /// Trading is halted or paused.
    Halted,
    /// An auction collects orders.
    Auction,
}

/// Falls of the index from its last close that stop the whole market: levels 1, 2 and 3 of the
/// market-wide circuit breaker (NYSE rule 7.12), per cent.
const MARKET_WIDE_LEVELS: [i128; 3] = [7, 13, 20];

impl Gate {
    /// Looks at a new quote of an instrument; `had_trade` says whether a trade was reported since
    /// the last one. A quote that is crossed, locked or has a price that is not positive, and a
    /// mid that jumps without a trade, puts the instrument into quarantine; as many good quotes
    /// in a row as the settings ask for lift it. They also end the wait after a halt. An unknown
    /// instrument is ignored.
    pub fn on_quote(&mut self, now: RecvTs, id: InstrumentId, quote: &Quote, had_trade: bool) {
        self.see_time(now);
        self.hear_feed(now);
        let Some(account) = self.accounts.get_mut(id.index()) else { return };
        let watch = &mut account.watch;
        if !quote.trusted {
            // Messages were lost: nothing that follows is a jump from what came before.
            (watch.twice_mid, watch.good_run) = (None, 0);
            return;
        }
        watch.see_band(quote);
        let twice_mid = match judge_touches(quote) {
            Touches::OneSided => return,
            Touches::Bad => None,
            Touches::Good(twice_mid) => Some(twice_mid),
        };
        let limits = &self.limits;
        let calm = twice_mid.is_some_and(|m| {
            watch.is_calm(m, had_trade, limits.jump, limits.jump_sigma.zip(limits.sigma_floor))
        });
        watch.twice_mid = twice_mid;
        if calm {
            watch.good_run = watch.good_run.saturating_add(1);
            if watch.good_run >= limits.good_quotes {
                watch.blocks &= !InstrumentBlock::Quarantine.bit();
            }
            if watch.resuming && watch.good_run >= limits.resume_quotes {
                watch.resuming = false;
                watch.blocks &= !InstrumentBlock::MarketHalt.bit();
            }
            return;
        }
        watch.good_run = 0;
        let fresh = watch.blocks & InstrumentBlock::Quarantine.bit() == 0;
        watch.blocks |= InstrumentBlock::Quarantine.bit();
        if fresh {
            self.alarm_instrument(AlarmCode::DataBad, id.index(), quote.bid.px.0);
        }
    }

    /// Takes what the venue says of an instrument's trading. After a halt or auction orders stay
    /// blocked until enough good quotes came. An unknown instrument is ignored.
    pub fn on_market_state(&mut self, now: RecvTs, id: InstrumentId, state: MarketState) {
        self.see_time(now);
        let Some(account) = self.accounts.get_mut(id.index()) else { return };
        let watch = &mut account.watch;
        let halted = watch.blocks & InstrumentBlock::MarketHalt.bit() != 0;
        match state {
            MarketState::Halted | MarketState::Auction => {
                watch.blocks |= InstrumentBlock::MarketHalt.bit();
                watch.resuming = false;
                // The first price after a halt may lie anywhere.
                (watch.twice_mid, watch.good_run) = (None, 0);
            }
            MarketState::Open if halted && !watch.resuming => {
                (watch.resuming, watch.good_run) = (true, 0);
            }
            MarketState::Open => {}
        }
    }

    /// Takes the reference price of the limit-up limit-down plan, from which the bands follow:
    /// above 3 dollars 5 % for tier 1 and 10 % for tier 2, from 0.75 to 3 dollars 20 %, below the
    /// lesser of 75 % and 0.15 dollars. The plan doubles some bands near the open and the close;
    /// the narrower ones are kept here all day. `None` or a price that is not positive: there is
    /// no band to check. An unknown instrument is ignored.
    pub fn on_luld_reference(&mut self, now: RecvTs, id: InstrumentId, reference: Option<Px>) {
        self.see_time(now);
        let Some(account) = self.accounts.get_mut(id.index()) else { return };
        let tier1 = account.rules.luld_tier1;
        account.watch.band = reference.filter(|r| r.0 > 0).map(|r| luld_band(r, tier1));
        if account.watch.band.is_none() {
            account.watch.blocks &= !InstrumentBlock::LimitState.bit();
        }
    }

    /// Takes whether the short sale restriction of Rule 201 holds for an instrument. An unknown
    /// instrument is ignored.
    pub fn on_short_sale_restriction(&mut self, now: RecvTs, id: InstrumentId, restricted: bool) {
        self.see_time(now);
        if let Some(account) = self.accounts.get_mut(id.index()) {
            account.watch.short_sale_restricted = restricted;
        }
    }

    /// Takes the index that the market-wide circuit breaker looks at and its last close. A fall
    /// of 7, 13 or 20 % stops new orders until [`Gate::on_market_wide_resume`]; after 20 % for
    /// the rest of the run. Prices that are not positive are ignored.
    pub fn on_index(&mut self, now: RecvTs, index: Px, last_close: Px) {
        self.see_time(now);
        if index.0 <= 0 || last_close.0 <= 0 {
            return;
        }
        let fall = i128::from(last_close.0) - i128::from(index.0);
        let level = |percent: &&i128| fall * 100 >= i128::from(last_close.0) * **percent;
        let level = MARKET_WIDE_LEVELS.iter().filter(level).count() as u8;
        self.market_wide_level = self.market_wide_level.max(level);
    }

    /// Takes that trading resumed after a market-wide halt of level 1 or 2.
    pub fn on_market_wide_resume(&mut self, now: RecvTs) {
        self.see_time(now);
        if self.market_wide_level < MARKET_WIDE_LEVELS.len() as u8 {
            self.market_wide_level = 0;
        }
    }

    /// Takes the clock's offset from true time in nanoseconds, `None` where nobody knows it.
    /// Beyond `clock_block_ms`, or unknown, new orders are blocked until it is back within
    /// `clock_warn_ms`. It is a reason of its own beside a [`ijk_core::Block::Clock`] that was set
    /// for a step: lifting one leaves the other.
    pub fn on_clock_offset(&mut self, now: RecvTs, offset_ns: Option<i64>) {
        self.see_time(now);
        let off = offset_ns.map_or(u64::MAX, i64::unsigned_abs);
        if off > self.limits.clock_warn_ns {
            self.alarm_account(AlarmCode::ClockOff, offset_ns.unwrap_or(i64::MAX));
        }
        if off > self.limits.clock_block_ns {
            self.clock_off = true;
        } else if off <= self.limits.clock_warn_ns {
            self.clock_off = false;
        }
    }

    /// Blocks new orders until the clock's offset from true time is told for the first time.
    pub fn require_clock_offset(&mut self) {
        self.clock_off = true;
    }

    /// Whether the instrument's session ends so soon that positions are to be closed.
    pub fn must_flatten(&self, now: RecvTs, id: InstrumentId) -> bool {
        id.index() < self.accounts.len()
            && self.ends_within(id, now, self.limits.eod_reduce_only_ns)
    }

    pub(crate) fn hear_feed(&mut self, now: RecvTs) {
        self.feed_last = self.feed_last.max(now);
    }
}

enum Touches {
    /// A side is empty: nothing to judge.
    OneSided,
    /// Crossed, locked, or a price that is not positive.
    Bad,
    /// The mid, times two.
    Good(i128),
}

fn judge_touches(q: &Quote) -> Touches {
    let senseless = |l: ijk_core::record::Level| l.qty.0 < 0 || (l.qty.0 > 0 && l.px.0 <= 0);
    if senseless(q.bid) || senseless(q.ask) {
        return Touches::Bad;
    }
    if q.bid.qty.0 == 0 || q.ask.qty.0 == 0 {
        return Touches::OneSided;
    }
    if q.bid.px >= q.ask.px {
        return Touches::Bad;
    }
    Touches::Good(i128::from(q.bid.px.0) + i128::from(q.ask.px.0))
}

impl Watch {
    /// Whether the mid's move from the last one is believable; learns from it if so.
    fn is_calm(
        &mut self,
        twice_mid: i128,
        had_trade: bool,
        jump: Option<i128>,
        sigma: Option<(f64, f64)>,
    ) -> bool {
        let (Some(jump), Some((sigma_count, floor))) = (jump, sigma) else {
            return false; // an unset limit believes nothing
        };
        let Some(last) = self.twice_mid else { return true };
        let moved = (twice_mid - last).abs();
        let relative = moved as f64 / last as f64;
        let wide = moved.saturating_mul(COLLAR_UNITS_PER_ONE) > last.saturating_mul(jump);
        let deviation = self.variance.sqrt().max(floor);
        let far = self.moves >= SIGMA_WARM_UP && relative > sigma_count * deviation;
        if !had_trade && (wide || far) {
            return false;
        }
        self.variance += SIGMA_ALPHA * (relative * relative - self.variance);
        self.moves = self.moves.saturating_add(1);
        true
    }

    /// Sets or lifts the limit state: a touch stands at the band on its far side.
    fn see_band(&mut self, q: &Quote) {
        let Some((low, high)) = self.band else { return };
        let at_high = q.bid.qty.0 > 0 && q.bid.px >= high;
        let at_low = q.ask.qty.0 > 0 && q.ask.px > Px(0) && q.ask.px <= low;
        let bit = InstrumentBlock::LimitState.bit();
        self.blocks = if at_high || at_low { self.blocks | bit } else { self.blocks & !bit };
    }
}

/// Lower and upper band around a positive reference price.
fn luld_band(reference: Px, tier1: bool) -> (Px, Px) {
    let r = i128::from(reference.0);
    let width = if r > 3 * i128::from(E9) {
        r * if tier1 { 5 } else { 10 } / 100
    } else if r >= 3 * i128::from(E9) / 4 {
        r * 20 / 100
    } else {
        (r * 75 / 100).min(15 * i128::from(E9) / 100)
    };
    let high = i64::try_from(r + width).unwrap_or(i64::MAX);
    (Px((r - width) as i64), Px(high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_by_price_range() {
        let e9 = |v: f64| Px((v * 1e9).round() as i64);
        for (reference, tier1, low, high) in [
            (100.0, true, 95.0, 105.0),
            (100.0, false, 90.0, 110.0),
            (3.01, true, 2.8595, 3.1605),
            (3.0, true, 2.4, 3.6),
            (3.0, false, 2.4, 3.6),
            (0.75, false, 0.6, 0.9),
            (0.74, true, 0.59, 0.89),
            (0.20, false, 0.05, 0.35),
            (0.10, false, 0.025, 0.175),
        ] {
            assert_eq!(luld_band(e9(reference), tier1), (e9(low), e9(high)), "{reference}");
        }
        assert_eq!(luld_band(Px(i64::MAX), false).1, Px(i64::MAX));
        assert_eq!(luld_band(Px(1), false), (Px(1), Px(1)));
    }
}
