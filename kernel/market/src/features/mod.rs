//! The twelve features of one instrument, streaming: constant work an event apart from reading
//! five levels a side, no look-ahead.
//!
//! # Where the formulas leave a case open
//!
//! - **A missing level** is size 0 at price 0. For the order flow, a level present only after a
//!   row came with its whole size, one present only before left with its whole size, on either
//!   side alike.
//! - **The first row** has no row before it: its order flow is 0. What a feed derives before row
//!   0 (records marked `DERIVED`) sets the book and counts neither as row nor as flow.
//! - **A side is empty at the close** (or the mid is not positive): there is no mid. Then
//!   `ret_bps`, `spread_bps`, `micro` and `vwap_dev_bps` are 0 and `two_sided` is false. The next
//!   return is taken from the last mid there was. `rv_bps` is always the average over the
//!   `ret_bps` column, these zeros included. Imbalances see the missing side as size 0; with both
//!   sides empty they are 0.
//! - **A locked book** (bid = ask) makes `micro` 0/0; it takes the limit, `imb1`/2. In fact
//!   (p−m)/(a−b) = (qb−qa)/(2(qa+qb)) for every spread, and that is what is computed: exact, and
//!   without the cancellation of p−m.
//! - **D̄ = 0** (no size was ever seen at a close): order flow features are 0.

mod ewma;
mod ofi;
mod trades;

use crate::Book;
use ewma::Ewma;
use ijk_core::features::{FEATURE_COUNT, Token};
use ijk_core::{ExchTs, MarketEvent, RowFlags, Side};
use ofi::{MISSING, Top};
use trades::Trades;

/// Streams the tokens of one instrument.
#[derive(Clone, Debug)]
pub struct FeatureEngine {
    stride: u32,
    /// Rows since the last close.
    rows: u32,
    /// A record that is not derived has been seen.
    started: bool,
    /// Bids and asks after the last row.
    tops: [Top; 2],
    /// There has been a row.
    any_row: bool,
    ofi1: f64,
    ofi5: f64,
    trades: Trades,
    token_count: u64,
    mid: Option<f64>,
    closed_at: Option<ExchTs>,
    depth1: Ewma,
    depth5: Ewma,
    volume: Ewma,
    variance: Ewma,
}

impl FeatureEngine {
    /// Returns an engine that closes a token at every `stride`-th row; 0 counts as 1.
    pub fn new(stride: u32) -> FeatureEngine {
        FeatureEngine {
            stride: stride.max(1),
            rows: 0,
            started: false,
            tops: [Top::EMPTY; 2],
            any_row: false,
            ofi1: 0.0,
            ofi5: 0.0,
            trades: Trades::default(),
            token_count: 0,
            mid: None,
            closed_at: None,
            depth1: Ewma::new(),
            depth5: Ewma::new(),
            volume: Ewma::new(),
            variance: Ewma::new(),
        }
    }

    /// Returns how many tokens were closed so far.
    pub fn token_count(&self) -> u64 {
        self.token_count
    }

    /// Takes one record in, after `book` applied it, and returns the token it closes, if any.
    /// `book` must be the same one every time.
    #[inline]
    pub fn on_record(&mut self, ev: &MarketEvent, book: &Book) -> Option<Token> {
        if !self.started {
            if ev.flags.has(RowFlags::DERIVED) {
                return None;
            }
            self.started = true;
        }
        self.trades.take(ev);
        if !ev.ends_row() {
            return None;
        }
        self.end_row(book);
        if self.rows < self.stride {
            return None;
        }
        self.rows = 0;
        Some(self.close(ev))
    }

    #[inline]
    fn end_row(&mut self, book: &Book) {
        self.rows += 1;
        let [bids, asks] = &mut self.tops;
        if !self.any_row {
            self.any_row = true;
            *bids = Top::of(book, Side::Bid);
            *asks = Top::of(book, Side::Ask);
            return;
        }
        // Quantity that comes to the bid counts for, quantity that comes to the ask against.
        let bid = bids.advance(book, Side::Bid);
        let ask = asks.advance(book, Side::Ask);
        self.ofi1 += bid.0 - ask.0;
        self.ofi5 += bid.1 - ask.1;
    }

    fn close(&mut self, ev: &MarketEvent) -> Token {
        let [bids, asks] = &self.tops;
        let (bid, ask) = (bids.levels[0], asks.levels[0]);
        let (bid_qty, ask_qty) = (bid.qty.0 as f64, ask.qty.0 as f64);
        let (bid_depth, ask_depth) = (bids.depth(), asks.depth());
        // Prices stay in 1e-9 units: every feature is a ratio of prices.
        let (bid_px, ask_px) = (bid.px.0 as f64, ask.px.0 as f64);
        let mid = (bid_px + ask_px) / 2.0;
        let two_sided = bid != MISSING && ask != MISSING && mid > 0.0;

        let mut ret_bps = 0.0;
        let mut spread_bps = 0.0;
        let mut micro = 0.0;
        let mut vwap_dev_bps = 0.0;
        if two_sided {
            if let Some(mid_before) = self.mid.replace(mid) {
                ret_bps = 1e4 * (mid / mid_before).ln();
            }
            spread_bps = 1e4 * (ask_px - bid_px) / mid;
            micro = imbalance(bid_qty, ask_qty) / 2.0;
            if let Some(vwap) = self.trades.session_vwap() {
                vwap_dev_bps = 1e4 * (mid - vwap) / mid;
            }
        }
        let mean1 = self.depth1.update((bid_qty + ask_qty) / 2.0);
        let mean5 = self.depth5.update((bid_depth + ask_depth) / 10.0);
        let volume = self.trades.volume();
        let mean_volume = self.volume.update(volume);
        let gap_ns = self.closed_at.map_or(0, |before| ev.ts_exchange.since_ns(before));

        let features: [f64; FEATURE_COUNT] = [
            ret_bps,
            spread_bps,
            micro,
            imbalance(bid_qty, ask_qty),
            imbalance(bid_depth, ask_depth),
            ratio_or_zero(self.ofi1, mean1),
            ratio_or_zero(self.ofi5, mean5),
            self.trades.imbalance(),
            (1.0 + ratio_or_zero(volume, mean_volume)).ln(),
            self.variance.update(ret_bps * ret_bps).sqrt(),
            (1e-6 + gap_ns as f64 / 1e9).ln(),
            vwap_dev_bps,
        ];
        self.closed_at = Some(ev.ts_exchange);
        self.ofi1 = 0.0;
        self.ofi5 = 0.0;
        self.trades.close();
        let index = self.token_count;
        self.token_count += 1;
        Token {
            index,
            event_index: ev.row,
            ts: ev.ts_exchange,
            features,
            bid: (bid.px, bid.qty),
            ask: (ask.px, ask.qty),
            two_sided,
        }
    }
}

/// Returns (a−b)/(a+b), 0 where both are 0.
fn imbalance(a: f64, b: f64) -> f64 {
    ratio_or_zero(a - b, a + b)
}

/// Returns a/b, 0 where b is 0.
fn ratio_or_zero(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}
