//! One instrument's market second by second: what volatility, spread, response and benchmarks are
//! measured on, in memory that grows with the session's length alone.

use ijk_core::time::NS_PER_S;
use ijk_core::{
    DepthKind, EventSource, FeedError, Instrument, MarketEvent, RowFlags, Session, Side,
};
use ijk_market::{Book, Level};

/// Length of a session of a venue that never closes, seconds.
pub const DAY_S: u64 = 86_400;
/// Longest gap that is filled with the last mid, seconds: two days.
const GAP_S_MAX: u64 = 2 * DAY_S;
/// Shares traded this long after a trade stand for what it cost for good, seconds.
const REALISED_S: u64 = 5;

/// The market of one instrument.
#[derive(Clone, Debug)]
pub struct Market {
    /// Instrument.
    pub instrument: Instrument,
    /// First second, seconds since 1970 UTC.
    pub start_s: u64,
    /// Mid at the end of each second, NaN before the first two-sided book.
    pub mid: Vec<f64>,
    /// Spread at the end of each second, basis points, NaN likewise.
    pub spread_bps: Vec<f64>,
    /// Visible volume by each second's buyers minus sellers, whole units.
    pub signed: Vec<f64>,
    /// Visible volume of each second, whole units.
    pub volume: Vec<f64>,
    /// Visible prints.
    pub prints: u64,
    /// Trades by aggressor: second, side (+1 buy), price, mid before it, quantity.
    pub trades: Vec<Print>,
    book: Book,
    last_mid: f64,
}

/// A visible trade of a known aggressor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Print {
    /// Index of its second.
    pub second: u32,
    /// +1 where the buyer was the aggressor, -1 where the seller.
    pub sign: f32,
    /// Price over the mid before it, signed by the aggressor, basis points: half the effective
    /// spread.
    pub half_effective_bps: f32,
    /// Quantity, whole units.
    pub qty: f32,
}

impl Market {
    /// Returns an empty market.
    pub fn new(instrument: &Instrument, depth: DepthKind) -> Market {
        Market {
            instrument: *instrument,
            start_s: 0,
            mid: Vec::new(),
            spread_bps: Vec::new(),
            signed: Vec::new(),
            volume: Vec::new(),
            prints: 0,
            trades: Vec::new(),
            book: Book::new(depth, instrument),
            last_mid: f64::NAN,
        }
    }

    /// Takes a record that was known at `ts_ns`. Records outside the instrument's session move
    /// the book alone.
    pub fn take(&mut self, ts_ns: u64, ev: &MarketEvent) {
        let inside = self.instrument.session.contains(ts_ns);
        if inside && self.advance(ts_ns / NS_PER_S) {
            self.take_trade(ev);
        }
        self.book.apply(ev);
        if ev.flags.has(RowFlags::BOOK_END) && inside {
            self.mark();
        }
    }

    fn take_trade(&mut self, ev: &MarketEvent) {
        let (Some((qty, side)), Some(last)) =
            (ev.visible_trade(), self.volume.len().checked_sub(1))
        else {
            return;
        };
        let qty = self.instrument.qty_as_f64(qty);
        self.volume[last] += qty;
        self.prints += 1;
        let Some(side) = side else { return };
        let sign = side.sign() as f64;
        self.signed[last] += sign * qty;
        if self.last_mid > 0.0 {
            let half = 1e4 * sign * (ev.px.as_f64() - self.last_mid) / self.last_mid;
            self.trades.push(Print {
                second: last as u32,
                sign: sign as f32,
                half_effective_bps: half as f32,
                qty: qty as f32,
            });
        }
    }

    /// Opens seconds up to `second`; false for a second in the past or too far ahead.
    fn advance(&mut self, second: u64) -> bool {
        if self.mid.is_empty() {
            self.start_s = second;
        }
        let Some(index) = second.checked_sub(self.start_s) else { return false };
        if index > self.mid.len() as u64 + GAP_S_MAX {
            return false;
        }
        while self.mid.len() as u64 <= index {
            let last = self.mid.last().copied().unwrap_or(f64::NAN);
            let spread = self.spread_bps.last().copied().unwrap_or(f64::NAN);
            self.mid.push(last);
            self.spread_bps.push(spread);
            self.signed.push(0.0);
            self.volume.push(0.0);
        }
        true
    }

    fn mark(&mut self) {
        let (Some(bid), Some(ask)) = (self.best(Side::Bid), self.best(Side::Ask)) else { return };
        let (bid, ask) = (bid.px.as_f64(), ask.px.as_f64());
        if !(bid > 0.0 && ask > bid && self.book.is_trusted()) {
            return;
        }
        let mid = 0.5 * (bid + ask);
        self.last_mid = mid;
        if let (Some(m), Some(s)) = (self.mid.last_mut(), self.spread_bps.last_mut()) {
            (*m, *s) = (mid, 1e4 * (ask - bid) / mid);
        }
    }

    /// Returns the best level of a side now.
    pub fn best(&self, side: Side) -> Option<Level> {
        self.book.best(side)
    }

    /// Returns the book now.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Returns the mid now, if there is one.
    pub fn mid_now(&self) -> Option<f64> {
        (self.last_mid > 0.0).then_some(self.last_mid)
    }

    /// Returns the mid at `ts_ns`: that at the end of the second before; `None` outside the data.
    pub fn mid_at(&self, ts_ns: u64) -> Option<f64> {
        let index = (ts_ns / NS_PER_S).checked_sub(self.start_s)?.checked_sub(1)?;
        let mid = *self.mid.get(usize::try_from(index).ok()?)?;
        (mid > 0.0).then_some(mid)
    }

    /// Returns visible volume traded between two times, whole units, in whole seconds.
    pub fn volume_between(&self, from_ns: u64, to_ns: u64) -> f64 {
        let index = |ts: u64| {
            let i = (ts / NS_PER_S).saturating_sub(self.start_s);
            usize::try_from(i).unwrap_or(usize::MAX).min(self.volume.len())
        };
        let (from, to) = (index(from_ns), index(to_ns));
        self.volume.get(from..to.max(from)).map_or(0.0, |v| v.iter().sum())
    }

    /// Returns the length of the instrument's trading day, seconds.
    pub fn session_s(&self) -> f64 {
        let Session { open_ns, close_ns } = self.instrument.session;
        if self.instrument.session == Session::ALWAYS || close_ns <= open_ns {
            return DAY_S as f64;
        }
        (close_ns - open_ns) as f64 / NS_PER_S as f64
    }

    /// Returns seconds covered with a two-sided book.
    pub fn covered_s(&self) -> f64 {
        self.mid.iter().filter(|m| **m > 0.0).count() as f64
    }

    /// Returns the volume of a whole trading day at the pace observed, whole units.
    pub fn daily_volume(&self) -> f64 {
        let seconds = self.covered_s().max(1.0);
        self.volume.iter().sum::<f64>() * self.session_s() / seconds
    }

    /// Returns log returns over `step` seconds where both ends are known.
    pub fn returns(&self, step: usize) -> Vec<f64> {
        let step = step.max(1);
        let ends: Vec<f64> = self.mid.iter().skip(step - 1).step_by(step).copied().collect();
        let known = |w: &&[f64]| w[0] > 0.0 && w[1] > 0.0;
        ends.windows(2).filter(known).map(|w| (w[1] / w[0]).ln()).collect()
    }

    /// Returns the volatility of a whole trading day from returns of `step` seconds, basis points
    /// (root of the realised variance at the pace observed); 0 without returns.
    pub fn daily_volatility_bps(&self, step: usize) -> f64 {
        let returns = self.returns(step);
        let sum: f64 = returns.iter().map(|r| r * r).sum();
        let covered = (returns.len() * step.max(1)) as f64;
        if covered > 0.0 { 1e4 * (sum * self.session_s() / covered).sqrt() } else { 0.0 }
    }

    /// Returns the time-weighted mean spread, basis points; 0 without a book.
    pub fn mean_spread_bps(&self) -> f64 {
        let known: Vec<f64> = self.spread_bps.iter().copied().filter(|s| s.is_finite()).collect();
        crate::stats::mean(&known)
    }

    /// Returns the mean mid; 0 without a book.
    pub fn mean_mid(&self) -> f64 {
        let known: Vec<f64> = self.mid.iter().copied().filter(|m| *m > 0.0).collect();
        crate::stats::mean(&known)
    }

    /// Returns the market as it was known at `ts_ns`.
    #[must_use]
    pub fn until(&self, ts_ns: u64) -> Market {
        let seconds = (ts_ns / NS_PER_S).saturating_sub(self.start_s);
        let keep = usize::try_from(seconds).unwrap_or(usize::MAX).min(self.mid.len());
        let mut market = self.clone();
        for column in [&mut market.mid, &mut market.spread_bps, &mut market.signed] {
            column.truncate(keep);
        }
        market.volume.truncate(keep);
        market.trades.retain(|t| (t.second as usize) < keep);
        market
    }

    /// Returns what a trade's price gave back within five seconds, signed, basis points: half the
    /// realised spread; `None` where the mid after it is not known.
    pub fn half_realised_bps(&self, print: &Print) -> Option<f64> {
        let before = *self.mid.get((print.second as usize).checked_sub(1)?)?;
        let after = *self.mid.get(print.second as usize + REALISED_S as usize)?;
        let moved = 1e4 * f64::from(print.sign) * (after - before) / before;
        moved.is_finite().then(|| f64::from(print.half_effective_bps) - moved)
    }
}

/// Reads a feed to its end, one market an instrument. `progress` is called now and then.
///
/// # Errors
/// [`FeedError`] of the source.
pub fn read(
    source: &mut dyn EventSource,
    progress: &mut dyn FnMut(Option<(u64, u64)>),
) -> Result<Vec<Market>, FeedError> {
    let table: Vec<(Instrument, DepthKind)> = (source.instruments().iter().enumerate())
        .map(|(i, instrument)| (*instrument, source.depth_kind(i)))
        .collect();
    let mut markets: Vec<Market> = table.iter().map(|(i, d)| Market::new(i, *d)).collect();
    let mut events = 0u64;
    while let Some(ev) = source.next_event()? {
        events += 1;
        if events.is_multiple_of(1 << 16) {
            progress(source.progress());
        }
        if let Some(market) = markets.get_mut(ev.instrument.index()) {
            market.take(ev.ts_receive.0, &ev);
        }
    }
    Ok(markets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::{EventKind, InstrumentId, Px, Qty, RecvTs, Symbol};

    fn event(kind: EventKind, side: Side, px: i64, qty: i64, ts_ms: u64) -> MarketEvent {
        MarketEvent {
            ts_receive: RecvTs(ts_ms * 1_000_000),
            px: Px(px * 1_000_000_000),
            qty: Qty(qty),
            side,
            flags: RowFlags::ROW_END.with(RowFlags::BOOK_END),
            ..MarketEvent::new(kind, InstrumentId(0))
        }
    }

    #[test]
    fn seconds_hold_the_last_mid_and_the_signed_volume() {
        let share = Instrument::us_equity(Symbol::new("AAA").unwrap());
        let mut m = Market::new(&share, DepthKind::L2);
        for ev in [
            event(EventKind::LevelSet, Side::Bid, 99, 5, 10_100),
            event(EventKind::LevelSet, Side::Ask, 101, 5, 10_200),
            event(EventKind::Trade, Side::Bid, 101, 3, 11_500),
            event(EventKind::Trade, Side::Ask, 99, 1, 11_600),
            event(EventKind::LevelSet, Side::Bid, 100, 5, 13_900),
        ] {
            m.take(ev.ts_receive.0, &ev);
        }
        assert_eq!((m.start_s, m.mid.clone()), (10, vec![100.0, 100.0, 100.0, 100.5]));
        assert_eq!((m.signed[1], m.volume[1], m.prints), (2.0, 4.0, 2));
        assert_eq!(m.mid_at(14_000_000_000), Some(100.5));
        assert_eq!(m.mid_at(10_000_000_000), None);
        assert_eq!(m.volume_between(11_000_000_000, 12_000_000_000), 4.0);
        assert!((m.trades[0].half_effective_bps - 100.0).abs() < 1e-3);
        assert!((m.returns(1)[2] - (1.005f64).ln()).abs() < 1e-12);
        assert_eq!(m.daily_volume(), 86_400.0);
    }
}
