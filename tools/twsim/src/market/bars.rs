//! Five-second bars of the running session.

use super::Print;
use crate::num::{Shares, price_f64};
use crate::time::SECOND;

/// Length of a bar.
pub const BAR_NS: u64 = 5 * SECOND;
/// Bars kept: a whole session and more.
const BARS_KEPT: usize = 20_000;

/// One bar. Prices in 1e-9.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Begin.
    pub ns: u64,
    /// First price.
    pub open_px: i64,
    /// Highest price.
    pub high_px: i64,
    /// Lowest price.
    pub low_px: i64,
    /// Last price.
    pub close_px: i64,
    /// Shares traded.
    pub volume: Shares,
    /// Sum of price times size, dollars.
    pub turnover: f64,
    /// Trades.
    pub count: i32,
}

impl Bar {
    /// Returns a bar in which nothing but `px` was seen.
    pub fn flat(ns: u64, px: i64) -> Bar {
        Bar {
            ns,
            open_px: px,
            high_px: px,
            low_px: px,
            close_px: px,
            volume: Shares::ZERO,
            turnover: 0.0,
            count: 0,
        }
    }

    /// Adds a later bar to this one.
    pub fn join(&mut self, later: &Bar) {
        self.high_px = self.high_px.max(later.high_px);
        self.low_px = self.low_px.min(later.low_px);
        self.close_px = later.close_px;
        self.volume.0 = self.volume.0.saturating_add(later.volume.0);
        self.turnover += later.turnover;
        self.count = self.count.saturating_add(later.count);
    }

    /// Returns the volume-weighted price; the close where nothing traded.
    pub fn wap(&self) -> f64 {
        if self.volume.0 > 0 {
            self.turnover / self.volume.as_f64()
        } else {
            price_f64(self.close_px)
        }
    }
}

/// Bars of a stock, by time.
#[derive(Clone, Debug, Default)]
pub struct Bars {
    done: Vec<Bar>,
    open: Option<Bar>,
    mid_px: i64,
}

impl Bars {
    /// Adds a trade.
    pub fn trade(&mut self, print: &Print) {
        let mut bar = Bar::flat(print.ns, print.px);
        bar.volume = print.size;
        bar.turnover = price_f64(print.px) * print.size.as_f64();
        bar.count = 1;
        self.roll(print.ns, print.px);
        match &mut self.open {
            Some(open) if open.count > 0 => open.join(&bar),
            // Quotes alone opened it: the first trade is its first price.
            open => *open = Some(Bar { ns: start(print.ns), ..bar }),
        }
    }

    /// Notes the middle of the quote: it stands for bars without a trade.
    pub fn quote(&mut self, ns: u64, mid_px: i64) {
        self.roll(ns, mid_px);
        self.mid_px = mid_px;
    }

    /// Closes bars that ended before `ns`; those without any event repeat the last price.
    pub fn roll(&mut self, ns: u64, px: i64) {
        let begin = start(ns);
        let Some(open) = self.open else {
            self.open = Some(Bar::flat(begin, px));
            return;
        };
        if open.ns >= begin {
            return;
        }
        let mut bar = open;
        while bar.ns < begin && self.done.len() < BARS_KEPT {
            self.done.push(bar);
            bar = Bar::flat(bar.ns + BAR_NS, bar.close_px);
        }
        self.open = Some(Bar::flat(begin, bar.close_px));
    }

    /// Returns the bar that began at `ns`, once it is over.
    pub fn at(&self, ns: u64) -> Option<&Bar> {
        let i = self.done.binary_search_by_key(&ns, |b| b.ns).ok()?;
        self.done.get(i)
    }

    /// Returns the bars of `from..to`, the running one included.
    pub fn range(&self, from: u64, to: u64) -> impl Iterator<Item = &Bar> {
        let first = self.done.partition_point(|b| b.ns < from);
        self.done[first..].iter().chain(&self.open).filter(move |b| b.ns >= from && b.ns < to)
    }

    /// Returns the begin of the first bar.
    pub fn first_ns(&self) -> Option<u64> {
        self.done.first().or(self.open.as_ref()).map(|b| b.ns)
    }
}

/// Returns the begin of the bar that holds `ns`.
pub fn start(ns: u64) -> u64 {
    ns / BAR_NS * BAR_NS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(s: u64, px: i64, size: i64) -> Print {
        Print { ns: s * SECOND, px, size: Shares::whole(size), aggressor: None }
    }

    #[test]
    fn trades_make_bars_and_quiet_ones_repeat_the_close() {
        let mut bars = Bars::default();
        bars.quote(100 * SECOND, 50);
        for p in [print(101, 60, 2), print(102, 40, 1), print(104, 55, 1), print(121, 70, 3)] {
            bars.trade(&p);
        }
        let bar = bars.at(100 * SECOND).unwrap();
        let prices = (bar.open_px, bar.high_px, bar.low_px, bar.close_px);
        assert_eq!((prices, bar.volume, bar.count), ((60, 60, 40, 55), Shares::whole(4), 3));
        let quiet = bars.at(110 * SECOND).unwrap();
        assert_eq!((quiet.open_px, quiet.volume, quiet.count), (55, Shares::ZERO, 0));
        assert_eq!(bars.at(120 * SECOND), None, "it still runs");
        assert_eq!(bars.range(105 * SECOND, 130 * SECOND).count(), 4);
    }
}
