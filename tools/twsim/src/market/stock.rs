//! One stock: its book, last trades, day's figures, and what own orders took of its levels.

use super::bars::Bars;
use crate::num::Shares;
use crate::time::SECOND;
use ijk_core::record::Level;
use ijk_core::{DepthKind, Instrument, MarketEvent, Px, Qty, Side};
use ijk_market::{Book, BookConfig};
use std::collections::{BTreeMap, VecDeque};

/// Trades and quotes kept for requests of past ticks.
const TICKS_KEPT: usize = 1_000;
/// Levels looked at for an order that takes liquidity.
const LEVELS_TAKEN: usize = 64;

/// Best bid and ask; zero price and size where a side is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bbo {
    /// Bid, 1e-9.
    pub bid_px: i64,
    /// Size bid.
    pub bid: Shares,
    /// Ask, 1e-9.
    pub ask_px: i64,
    /// Size asked.
    pub ask: Shares,
}

impl Bbo {
    /// Returns the middle of a two-sided quote, 1e-9.
    pub fn mid_px(&self) -> Option<i64> {
        (self.bid_px > 0 && self.ask_px > 0).then(|| (self.bid_px + self.ask_px) / 2)
    }
}

/// A trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Print {
    /// Time.
    pub ns: u64,
    /// Price, 1e-9.
    pub px: i64,
    /// Quantity.
    pub size: Shares,
    /// Who crossed the spread, where known.
    pub aggressor: Option<Side>,
}

/// One stock's market.
pub struct StockMarket {
    book: Book,
    qty_scale: i64,
    /// Trading is halted.
    pub halted: bool,
    /// A fault holds the data back: clients see nothing new.
    pub silent: bool,
    bbo: Bbo,
    taken: BTreeMap<(u8, i64), Shares>,
    /// Last trade.
    pub last: Option<Print>,
    /// First price of the day, 1e-9; 0 before there is one.
    pub open_px: i64,
    /// Highest trade, 1e-9.
    pub high_px: i64,
    /// Lowest trade, 1e-9.
    pub low_px: i64,
    /// Shares traded.
    pub volume: Shares,
    /// Trades.
    pub trade_count: u64,
    /// Sum of price times size, dollars.
    pub turnover: f64,
    /// Five-second bars of the session.
    pub bars: Bars,
    /// Last trades, oldest first.
    pub prints: VecDeque<Print>,
    /// Last quotes with their times, oldest first.
    pub quotes: VecDeque<(u64, Bbo)>,
}

impl StockMarket {
    pub(super) fn new(inst: &Instrument, kind: DepthKind) -> StockMarket {
        let config = BookConfig {
            level_count_max: 1_000,
            order_count_max: 50_000,
            ..BookConfig::for_instrument(kind, inst)
        };
        StockMarket {
            book: Book::with_config(kind, &config),
            // Quantity units of 1e-9 to shares of 1e-8.
            qty_scale: inst.qty_unit_e9,
            halted: false,
            silent: false,
            bbo: Bbo::default(),
            taken: BTreeMap::new(),
            last: None,
            open_px: 0,
            high_px: 0,
            low_px: 0,
            volume: Shares::ZERO,
            trade_count: 0,
            turnover: 0.0,
            bars: Bars::default(),
            prints: VecDeque::new(),
            quotes: VecDeque::new(),
        }
    }

    fn shares(&self, qty: Qty) -> Shares {
        let value = i128::from(qty.0) * i128::from(self.qty_scale) / 10;
        Shares(i64::try_from(value).unwrap_or(i64::MAX / 4))
    }

    /// Returns what changed: the best quote, a trade.
    pub(super) fn apply(&mut self, event: &MarketEvent, now_ns: u64) -> (bool, Option<Print>) {
        self.book.apply(event);
        let print = event.visible_trade().filter(|(qty, _)| qty.0 > 0 && event.px.0 > 0);
        let print = print.map(|(qty, aggressor)| {
            let size = self.shares(qty);
            Print { ns: now_ns, px: event.px.0, size, aggressor }
        });
        if let Some(print) = print {
            self.note(print);
        }
        if !event.ends_row() && !event.flags.has(ijk_core::RowFlags::SNAPSHOT) {
            return (false, print);
        }
        let changed = self.refresh(now_ns);
        (changed, print)
    }

    fn note(&mut self, print: Print) {
        if self.high_px == 0 {
            (self.high_px, self.low_px) = (print.px, print.px);
        }
        self.high_px = self.high_px.max(print.px);
        self.low_px = self.low_px.min(print.px);
        self.last = Some(print);
        self.volume.0 = self.volume.0.saturating_add(print.size.0);
        self.trade_count += 1;
        self.turnover += crate::num::price_f64(print.px) * print.size.as_f64();
        self.bars.trade(&print);
        push(&mut self.prints, print);
    }

    /// Takes the best quote from the book; returns whether it changed.
    fn refresh(&mut self, now_ns: u64) -> bool {
        if !self.book.is_trusted() || self.book.is_crossed() {
            return false;
        }
        let side =
            |s| self.book.best(s).map_or((0, Shares::ZERO), |l| (l.px.0, self.shares(l.qty)));
        let ((bid_px, bid), (ask_px, ask)) = (side(Side::Bid), side(Side::Ask));
        let bbo = Bbo { bid_px, bid, ask_px, ask };
        if bbo == self.bbo {
            return false;
        }
        self.bbo = bbo;
        if let Some(mid) = bbo.mid_px() {
            if self.open_px == 0 {
                self.open_px = mid;
            }
            self.bars.quote(now_ns, mid);
        }
        push(&mut self.quotes, (now_ns, bbo));
        true
    }

    /// Returns the best quote.
    pub fn bbo(&self) -> Bbo {
        self.bbo
    }

    /// Returns the last trade's price, else the middle of the quote, 1e-9.
    pub fn mark_px(&self) -> Option<i64> {
        self.bbo.mid_px().or(self.last.map(|p| p.px))
    }

    /// Returns yesterday's close: a fixed step off the open, 1e-9 and on the cent.
    pub fn close_px(&self) -> i64 {
        self.open_px / 10_000_000 * 10_000_000 - 250_000_000
    }

    /// Returns the best `count` levels of a side as price and displayed size.
    pub fn levels(&self, side: Side, count: usize) -> Vec<(i64, Shares)> {
        let mut levels = vec![Level::default(); count];
        let found = self.book.levels(side, &mut levels);
        levels[..found].iter().map(|l| (l.px.0, self.shares(l.qty))).collect()
    }

    /// Returns the displayed size at a price.
    pub fn displayed(&self, side: Side, px: i64) -> Shares {
        self.shares(self.book.qty_at(side, Px(px)))
    }

    /// Returns what an order that crosses the spread gets now, best price first: at most
    /// `quantity`, at `limit_px` or better, never twice what is displayed.
    pub fn takeable(
        &self,
        buy: bool,
        quantity: Shares,
        limit_px: Option<i64>,
    ) -> Vec<(i64, Shares)> {
        let side = if buy { Side::Ask } else { Side::Bid };
        let mut left = quantity;
        let mut found = Vec::new();
        for (px, size) in self.levels(side, LEVELS_TAKEN) {
            let beyond = limit_px.is_some_and(|l| if buy { px > l } else { px < l });
            if beyond || left.0 <= 0 {
                break;
            }
            let taken = self.taken.get(&(side as u8, px)).copied().unwrap_or_default();
            let size = Shares((size.0 - taken.0).min(left.0));
            if size.0 > 0 {
                found.push((px, size));
                left.0 -= size.0;
            }
        }
        found
    }

    /// Remembers that an own order took `size` at `px` of the side it crossed to.
    pub fn take(&mut self, buy: bool, px: i64, size: Shares) {
        let side = if buy { Side::Ask } else { Side::Bid };
        self.taken.entry((side as u8, px)).or_default().0 += size.0;
    }

    /// Forgets what was taken of levels that have since shrunk or gone.
    pub fn settle_taken(&mut self) {
        let mut taken = std::mem::take(&mut self.taken);
        taken.retain(|&(side, px), size| {
            let side = if side == Side::Bid as u8 { Side::Bid } else { Side::Ask };
            size.0 = size.0.min(self.displayed(side, px).0);
            size.0 > 0
        });
        self.taken = taken;
    }

    /// Returns the mean size of the last five-second bars: shares a second.
    pub fn volume_rate(&self, now_ns: u64) -> f64 {
        let from = now_ns.saturating_sub(60 * SECOND);
        let sum: f64 =
            self.prints.iter().rev().take_while(|p| p.ns >= from).map(|p| p.size.as_f64()).sum();
        sum / 60.0
    }
}

fn push<T>(kept: &mut VecDeque<T>, item: T) {
    if kept.len() == TICKS_KEPT {
        kept.pop_front();
    }
    kept.push_back(item);
}
