//! What a session looks like in numbers, for any source: to set a synthetic day beside a real one.

use ijk_core::{EventKind, EventSource, FeedError, MarketEvent, Px, Qty, RowFlags, Side};
use std::collections::BTreeMap;

/// Half-hours of a session that the volume table has.
const HALF_HOUR_COUNT: usize = 13;
const HALF_HOUR_NS: u64 = 1_800_000_000_000;
/// Seconds of one return of the kurtosis and autocorrelation.
const RETURN_S: usize = 10;

/// A plain book by level, for statistics and tests; not the kernel's book. It believes every
/// record: a level of an order-level feed is the sum of what was added and taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LevelBook {
    /// Bid levels by price.
    pub bids: BTreeMap<i64, i64>,
    /// Ask levels by price.
    pub asks: BTreeMap<i64, i64>,
    /// Orders by id, where the feed has ids.
    orders: BTreeMap<u64, (Side, i64, i64)>,
}

impl LevelBook {
    /// Applies one record.
    pub fn apply(&mut self, event: &MarketEvent) {
        let (side, px, qty) = (event.side, event.px.0, event.qty.0);
        match event.kind {
            EventKind::Clear => *self = LevelBook::default(),
            EventKind::Add => {
                self.change(side, px, qty);
                if event.order_id != 0 {
                    self.orders.insert(event.order_id, (side, px, qty));
                }
            }
            EventKind::Reduce | EventKind::Delete | EventKind::ExecVisible => {
                self.change(side, px, -qty);
                if let Some(order) = self.orders.get_mut(&event.order_id) {
                    order.2 -= qty;
                    if order.2 <= 0 {
                        self.orders.remove(&event.order_id);
                    }
                }
            }
            EventKind::Modify => {
                if let Some((old_side, old_px, old_qty)) = self.orders.remove(&event.order_id) {
                    self.change(old_side, old_px, -old_qty);
                }
                self.change(side, px, qty);
                self.orders.insert(event.order_id, (side, px, qty));
            }
            EventKind::LevelSet if qty > 0 => {
                self.half(side).insert(px, qty);
            }
            EventKind::LevelSet => {
                self.half(side).remove(&px);
            }
            EventKind::BestSet => {
                let half = self.half(side);
                half.retain(|&level, _| qty > 0 && !side.better(Px(level), Px(px)));
                if qty > 0 {
                    half.insert(px, qty);
                }
            }
            EventKind::ExecHidden
            | EventKind::Trade
            | EventKind::Fill
            | EventKind::Status
            | EventKind::Gap
            | EventKind::Halt
            | EventKind::Resume => {}
        }
    }

    fn half(&mut self, side: Side) -> &mut BTreeMap<i64, i64> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    fn change(&mut self, side: Side, px: i64, by: i64) {
        let half = self.half(side);
        let level = half.entry(px).or_insert(0);
        *level += by;
        if *level <= 0 {
            half.remove(&px);
        }
    }

    /// Returns price and size of level `n` (0 = best), `None` where there is none.
    pub fn level(&self, side: Side, n: usize) -> Option<(Px, Qty)> {
        let found = match side {
            Side::Bid => self.bids.iter().rev().nth(n),
            Side::Ask => self.asks.iter().nth(n),
        };
        found.map(|(&px, &qty)| (Px(px), Qty(qty)))
    }

    /// Returns the best bid and ask, `None` unless both sides are there.
    pub fn best(&self) -> Option<((Px, Qty), (Px, Qty))> {
        Some((self.level(Side::Bid, 0)?, self.level(Side::Ask, 0)?))
    }
}

/// Numbers of one instrument's session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionStats {
    /// Source rows.
    pub rows: u64,
    /// Share of rows by the kind of their first record that is not derived, in the kinds' order.
    pub kind_shares: Vec<(&'static str, f64)>,
    /// Mean and median spread after a row, ticks.
    pub spread_ticks: (f64, f64),
    /// Mean and median spread after a row, basis points of the mid.
    pub spread_bps: (f64, f64),
    /// Mean size at the best price (both sides), quantity units.
    pub best_size: f64,
    /// Mean size of the best five levels together (mean of the sides), quantity units.
    pub depth5: f64,
    /// Visible executions a minute.
    pub trades_per_minute: f64,
    /// Share of the visible volume in each half-hour from the first row on.
    pub volume_by_half_hour: Vec<f64>,
    /// Standard deviation over mean of the times between rows.
    pub gap_cv: f64,
    /// Lag-one autocorrelation of the rows in each second.
    pub count_autocorrelation: f64,
    /// Standard deviation of ten-second mid returns, basis points.
    pub return_std_bps: f64,
    /// Excess kurtosis of ten-second mid returns.
    pub return_kurtosis: f64,
    /// Lag-one autocorrelation of ten-second mid returns.
    pub return_autocorrelation: f64,
    /// Rows after which the book was crossed or locked.
    pub crossed_rows: u64,
}

#[derive(Default)]
struct Collector {
    book: LevelBook,
    kinds: BTreeMap<u8, (&'static str, u64)>,
    row_kind: Option<EventKind>,
    ticks: Vec<f32>,
    bps: Vec<f32>,
    best: f64,
    depth5: f64,
    trades: u64,
    volume: Vec<f64>,
    gaps: (f64, f64, u64),
    counts: Vec<u32>,
    mids: Vec<f64>,
    first_ns: Option<u64>,
    last_ns: u64,
    crossed: u64,
}

impl Collector {
    fn take(&mut self, event: &MarketEvent, tick: i64) {
        self.book.apply(event);
        let ns = event.ts_exchange.0;
        if event.flags.has(RowFlags::SNAPSHOT) && !event.ends_row() {
            return;
        }
        let first = *self.first_ns.get_or_insert(ns);
        let since = ns.saturating_sub(first);
        if let Some((qty, _)) = event.visible_trade() {
            self.trades += 1;
            let slot = ((since / HALF_HOUR_NS) as usize).min(HALF_HOUR_COUNT - 1);
            self.volume.resize(HALF_HOUR_COUNT, 0.0);
            self.volume[slot] += qty.0 as f64;
        }
        if self.row_kind.is_none() && !event.flags.has(RowFlags::DERIVED) {
            self.row_kind = Some(event.kind);
        }
        if !event.ends_row() {
            return;
        }
        let kind = self.row_kind.take().unwrap_or(event.kind);
        self.kinds.entry(kind as u8).or_insert((kind_name(kind), 0)).1 += 1;
        if self.last_ns > 0 {
            let gap = ns.saturating_sub(self.last_ns) as f64 / 1e9;
            self.gaps = (self.gaps.0 + gap, self.gaps.1 + gap * gap, self.gaps.2 + 1);
        }
        self.last_ns = ns;
        let second = ((since / 1_000_000_000) as usize).min(86_400);
        if self.counts.len() <= second {
            self.counts.resize(second + 1, 0);
            self.mids.resize(second + 1, f64::NAN);
        }
        self.counts[second] += 1;
        self.take_book(second, tick);
    }

    fn take_book(&mut self, second: usize, tick: i64) {
        let Some(((bid, bid_qty), (ask, ask_qty))) = self.book.best() else { return };
        if bid >= ask {
            self.crossed += 1;
            return;
        }
        let mid = (bid.as_f64() + ask.as_f64()) / 2.0;
        self.mids[second] = mid;
        self.ticks.push(((ask.0 - bid.0) as f64 / tick as f64) as f32);
        self.bps.push((1e4 * (ask.as_f64() - bid.as_f64()) / mid) as f32);
        self.best += (bid_qty.0 + ask_qty.0) as f64 / 2.0;
        let five = |half: &mut dyn Iterator<Item = &i64>| half.take(5).sum::<i64>() as f64;
        let book = &self.book;
        self.depth5 += five(&mut book.bids.values().rev()) / 2.0;
        self.depth5 += five(&mut book.asks.values()) / 2.0;
    }

    fn finish(mut self) -> SessionStats {
        let rows: u64 = self.kinds.values().map(|kind| kind.1).sum();
        let states = (self.ticks.len() as f64).max(1.0);
        let per_minute = self.last_ns.saturating_sub(self.first_ns.unwrap_or(0)) as f64 / 60e9;
        let traded: f64 = self.volume.iter().sum();
        let counts: Vec<f64> = self.counts.iter().map(|&count| f64::from(count)).collect();
        let returns = ten_second_returns(&self.mids);
        let (_, std, kurtosis) = moments(&returns);
        let n = (self.gaps.2 as f64).max(1.0);
        let (gap_mean, gap_square) = (self.gaps.0 / n, self.gaps.1 / n);
        let gap_std = (gap_square - gap_mean * gap_mean).max(0.0).sqrt();
        SessionStats {
            rows,
            kind_shares: self.kinds.values().map(|&(k, c)| (k, c as f64 / rows as f64)).collect(),
            spread_ticks: mean_and_median(&mut self.ticks),
            spread_bps: mean_and_median(&mut self.bps),
            best_size: self.best / states,
            depth5: self.depth5 / states,
            trades_per_minute: if per_minute > 0.0 { self.trades as f64 / per_minute } else { 0.0 },
            volume_by_half_hour: self.volume.iter().map(|v| v / traded.max(1.0)).collect(),
            gap_cv: if gap_mean > 0.0 { gap_std / gap_mean } else { 0.0 },
            count_autocorrelation: lag_one(&counts),
            return_std_bps: std,
            return_kurtosis: kurtosis,
            return_autocorrelation: lag_one(&returns),
            crossed_rows: self.crossed,
        }
    }
}

fn kind_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Clear => "clear",
        EventKind::Add => "add",
        EventKind::Reduce => "reduce",
        EventKind::Delete => "delete",
        EventKind::Modify => "modify",
        EventKind::ExecVisible => "exec_visible",
        EventKind::ExecHidden => "exec_hidden",
        EventKind::Trade => "trade",
        EventKind::Fill => "fill",
        EventKind::LevelSet => "level_set",
        EventKind::BestSet => "best_set",
        EventKind::Status => "status",
        EventKind::Gap => "gap",
        EventKind::Halt => "halt",
        EventKind::Resume => "resume",
    }
}

/// Last mid of each ten seconds, log returns in basis points; seconds without a row keep the mid.
fn ten_second_returns(mids: &[f64]) -> Vec<f64> {
    let (mut returns, mut last, mut before) = (Vec::new(), f64::NAN, f64::NAN);
    for (second, mid) in mids.iter().enumerate() {
        if mid.is_finite() {
            last = *mid;
        }
        if (second + 1).is_multiple_of(RETURN_S) {
            if before.is_finite() && last.is_finite() {
                returns.push(1e4 * (last / before).ln());
            }
            before = last;
        }
    }
    returns
}

/// Mean, standard deviation, excess kurtosis.
fn moments(values: &[f64]) -> (f64, f64, f64) {
    let n = (values.len() as f64).max(1.0);
    let mean = values.iter().sum::<f64>() / n;
    let second = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    let fourth = values.iter().map(|v| (v - mean).powi(4)).sum::<f64>() / n;
    let kurtosis = if second > 0.0 { fourth / (second * second) - 3.0 } else { 0.0 };
    (mean, second.sqrt(), kurtosis)
}

fn lag_one(values: &[f64]) -> f64 {
    let (mean, std, _) = moments(values);
    if values.len() < 2 || std == 0.0 {
        return 0.0;
    }
    let products = values.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean));
    products.sum::<f64>() / (values.len() as f64 * std * std)
}

fn mean_and_median(values: &mut [f32]) -> (f64, f64) {
    if values.is_empty() {
        return (0.0, 0.0);
    }
    values.sort_unstable_by(f32::total_cmp);
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
    (mean, f64::from(values[values.len() / 2]))
}

/// Reads `source` to its end and returns the numbers of each instrument. Memory grows with the
/// number of rows (eight bytes a row).
///
/// # Errors
/// What the source itself reports.
pub fn session_stats<S: EventSource + ?Sized>(
    source: &mut S,
) -> Result<Vec<SessionStats>, FeedError> {
    let ticks: Vec<i64> = source.instruments().iter().map(|i| i.tick.0).collect();
    let mut collectors: Vec<Collector> = ticks.iter().map(|_| Collector::default()).collect();
    while let Some(event) = source.next_event()? {
        let index = event.instrument.index();
        collectors[index].take(&event, ticks[index]);
    }
    Ok(collectors.into_iter().map(Collector::finish).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_lags_of_known_series() {
        assert_eq!(moments(&[1.0, 1.0, 3.0, 3.0]), (2.0, 1.0, -2.0));
        assert!((lag_one(&[1.0, -1.0, 1.0, -1.0]) + 0.75).abs() < 1e-12);
        assert_eq!(mean_and_median(&mut [3.0, 1.0, 2.0]), (2.0, 2.0));
        let mids: Vec<f64> = (0..40).map(|i| 100.0 + f64::from(i / 10)).collect();
        let returns = ten_second_returns(&mids);
        assert_eq!(returns.len(), 3);
        assert!((returns[0] - 1e4 * (101.0f64 / 100.0).ln()).abs() < 1e-9);
    }
}
