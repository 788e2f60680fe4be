//! The market: one price path for the broker, and what a bad feed makes of it for the kernel.

use super::broker::MS;
use super::faults::{Chaos, Fault};
use ijk_core::{EventKind, ExchTs, InstrumentId, MarketEvent, Px, Qty, RecvTs, RowFlags, Side};

/// A cent.
pub const TICK: i64 = 10_000_000;
/// The true mid stays within these many ticks of the start.
const RANGE: i64 = 200;
/// Where every path starts.
pub const START_PX: i64 = 100_000_000_000;

/// What truly happened, for the broker.
#[derive(Clone, Copy, Debug)]
pub enum Truth {
    /// Best prices and sizes.
    Quote {
        /// Price and size.
        bid: (i64, i64),
        /// Price and size.
        ask: (i64, i64),
    },
    /// Somebody traded.
    Trade {
        /// Price.
        px: i64,
        /// Quantity.
        qty: i64,
    },
}

#[derive(Clone, Debug, Default)]
struct Path {
    mid: i64,
    half: i64,
    sizes: [i64; 2],
    halted_until: u64,
    crossed_until: u64,
    empty_until: u64,
    jump_until: u64,
    jump: i64,
    gap_until: u64,
}

/// The market of one day.
pub struct Market {
    paths: Vec<Path>,
    /// Faults of the feed.
    pub chaos: Chaos,
    row: u64,
    row_ns: u64,
    next_at: u64,
    frozen_until: u64,
}

impl Market {
    /// Returns a market whose first row is due at `start` and whose rows are `row_ns` apart.
    pub fn new(instruments: usize, start: u64, row_ns: u64, chaos: Chaos) -> Market {
        let path = Path { half: 1, sizes: [500, 500], ..Path::default() };
        Market {
            paths: vec![path; instruments],
            chaos,
            row: 0,
            row_ns,
            next_at: start,
            frozen_until: 0,
        }
    }

    /// Returns when the next row is due.
    pub fn next_due(&self) -> u64 {
        self.next_at
    }

    /// Returns the rows that make a new feed's book: the kernel was not there before.
    pub fn hello(&mut self, now: u64) -> Vec<MarketEvent> {
        let mut out = Vec::new();
        for i in 0..self.paths.len() {
            self.paths[i].gap_until = 0;
            self.snapshot(now, i, &mut out);
        }
        out
    }

    /// Makes the next row: what truly happened, and what the feed says.
    pub fn next(&mut self, now: u64) -> (usize, Truth, Vec<MarketEvent>) {
        let rng = &mut self.chaos.rng;
        self.next_at = now + rng.range(self.row_ns / 2, self.row_ns * 3 / 2);
        let i = rng.below(self.paths.len() as u64) as usize;
        let trade = rng.chance(300_000);
        let mut out = Vec::new();
        let truth = if trade { self.trade(i) } else { self.quote(i) };
        self.strike(now, i, &mut out);
        if now < self.frozen_until {
            return (i, truth, out);
        }
        if self.paths[i].gap_until > 0 {
            if now >= self.paths[i].gap_until {
                self.paths[i].gap_until = 0;
                self.snapshot(now, i, &mut out);
            }
            return (i, truth, out);
        }
        if !self.chaos.strikes(Fault::FeedSilentGap) {
            self.say(now, i, &truth, &mut out);
        }
        (i, truth, out)
    }

    /// Makes many rows at once: more than the kernel can take in time.
    pub fn burst(&mut self, now: u64, rows: usize) -> Vec<MarketEvent> {
        let mut out = Vec::new();
        for _ in 0..rows {
            let i = self.chaos.rng.below(self.paths.len() as u64) as usize;
            if self.paths[i].gap_until == 0 {
                let truth = self.truth_of(i);
                self.say(now, i, &truth, &mut out);
            }
        }
        out
    }

    /// Returns the record that stands for records dropped on the way.
    pub fn gap(&mut self, now: u64, instrument: usize) -> MarketEvent {
        self.paths[instrument].gap_until = now + 300 * MS;
        self.record(now, EventKind::Gap, instrument, Side::Bid, 0, 0, true)
    }

    fn trade(&mut self, i: usize) -> Truth {
        let p = &self.paths[i];
        let up = self.chaos.rng.chance(500_000);
        let px = START_PX + (p.mid + if up { p.half } else { -p.half }) * TICK;
        Truth::Trade { px, qty: self.chaos.rng.log_range(10, 2_000) as i64 }
    }

    fn quote(&mut self, i: usize) -> Truth {
        let rng = &mut self.chaos.rng;
        let p = &mut self.paths[i];
        p.mid = (p.mid + rng.below(5) as i64 - 2).clamp(-RANGE, RANGE);
        p.half = rng.range(1, 2) as i64;
        p.sizes = [rng.range(50, 900) as i64, rng.range(50, 900) as i64];
        self.truth_of(i)
    }

    fn truth_of(&self, i: usize) -> Truth {
        let p = &self.paths[i];
        let px = |ticks: i64| START_PX + ticks * TICK;
        Truth::Quote {
            bid: (px(p.mid - p.half), p.sizes[0]),
            ask: (px(p.mid + p.half), p.sizes[1]),
        }
    }

    /// Lets faults of the feed begin.
    fn strike(&mut self, now: u64, i: usize, out: &mut Vec<MarketEvent>) {
        let long = |c: &mut Chaos, lo: u64, hi: u64| now + c.rng.log_range(lo * MS, hi * MS);
        if self.chaos.strikes(Fault::FeedFreeze) {
            self.frozen_until = long(&mut self.chaos, 200, 4_000);
        }
        if self.chaos.strikes(Fault::FeedGap) {
            out.push(self.gap(now, i));
            self.paths[i].gap_until = long(&mut self.chaos, 50, 3_000);
        }
        if self.chaos.strikes(Fault::FeedCrossed) {
            self.paths[i].crossed_until = long(&mut self.chaos, 20, 2_000);
        }
        if self.chaos.strikes(Fault::FeedEmpty) {
            self.paths[i].empty_until = long(&mut self.chaos, 20, 2_000);
        }
        if self.chaos.strikes(Fault::FeedJump) {
            self.paths[i].jump_until = long(&mut self.chaos, 20, 1_500);
            // Upwards: what is valued too high is limited too much, never too little.
            self.paths[i].jump = self.chaos.rng.range(200, 1_500) as i64;
        }
        if self.paths[i].halted_until == 0 && self.chaos.strikes(Fault::FeedHalt) {
            self.paths[i].halted_until = long(&mut self.chaos, 200, 4_000);
            out.push(self.record(now, EventKind::Halt, i, Side::Bid, 0, 0, true));
        } else if self.paths[i].halted_until > 0 && now >= self.paths[i].halted_until {
            self.paths[i].halted_until = 0;
            out.push(self.record(now, EventKind::Resume, i, Side::Bid, 0, 0, true));
        }
    }

    /// The feed's own words for what happened.
    fn say(&mut self, now: u64, i: usize, truth: &Truth, out: &mut Vec<MarketEvent>) {
        let p = self.paths[i].clone();
        let shift = if now < p.jump_until { p.jump * TICK } else { 0 };
        match *truth {
            Truth::Trade { px, qty } => {
                let buys = px > START_PX + p.mid * TICK;
                let side = if buys { Side::Bid } else { Side::Ask };
                out.push(self.record(now, EventKind::Trade, i, side, px + shift, qty, true));
            }
            Truth::Quote { bid, ask } => {
                let cross = if now < p.crossed_until { 2 * p.half * TICK } else { 0 };
                let ask_qty = if now < p.empty_until { 0 } else { ask.1 };
                let ask_px = if ask_qty == 0 { 0 } else { ask.0 + shift - cross };
                let kind = EventKind::BestSet;
                out.push(self.record(now, kind, i, Side::Bid, bid.0 + shift, bid.1, false));
                out.push(self.record(now, kind, i, Side::Ask, ask_px, ask_qty, true));
            }
        }
    }

    fn snapshot(&mut self, now: u64, i: usize, out: &mut Vec<MarketEvent>) {
        out.push(self.record(now, EventKind::Clear, i, Side::Bid, 0, 0, false));
        let truth = self.truth_of(i);
        self.say(now, i, &truth, out);
        if self.paths[i].halted_until > 0 {
            out.push(self.record(now, EventKind::Halt, i, Side::Bid, 0, 0, true));
        }
    }

    #[allow(clippy::too_many_arguments)] // one record, field by field
    fn record(
        &mut self,
        now: u64,
        kind: EventKind,
        instrument: usize,
        side: Side,
        px: i64,
        qty: i64,
        ends: bool,
    ) -> MarketEvent {
        let flags = match ends {
            true => RowFlags::ROW_END.with(RowFlags::BOOK_END),
            false => RowFlags(0),
        };
        self.row += u64::from(ends);
        MarketEvent {
            ts_exchange: ExchTs(now),
            ts_receive: RecvTs(now),
            row: self.row,
            px: Px(px),
            qty: Qty(qty),
            side,
            flags,
            ..MarketEvent::new(kind, InstrumentId(instrument as u16))
        }
    }
}
