//! From what the gateway says to market records at fixed point. A state machine without clock and
//! socket: a capture of its inputs gives the same records again.

use super::band::Band;
use super::input::{Heard, Input};
use super::rows::{Level, Rows, difference};
use ijk_core::num::E9;
use ijk_core::{
    EventKind, ExchTs, Instrument, InstrumentId, MarketEvent, Px, Qty, RecvTs, RowFlags, Side,
};
use std::collections::VecDeque;

/// A book that is crossed or locked is held back so long: its other side is on the way.
const CROSSED_NS_MAX: u64 = 250_000_000;
/// Trades that may wait for room in the ring.
const WAITING_COUNT_MAX: usize = 8_192;
/// Trade times further than this from their receipt are not believed.
const TIME_APART_NS_MAX: u64 = 3_600_000_000_000;

/// What was done about the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConvertCounts {
    /// Records made.
    pub records: u64,
    /// Changes of a book that no record tells because a newer one was there when there was room.
    pub conflated: u64,
    /// Trades given up for want of room.
    pub trades_dropped: u64,
    /// Prices outside the sanity band.
    pub prices_refused: u64,
    /// Ticks of delayed or frozen data, which price nothing.
    pub delayed_ticks: u64,
    /// Rows that did not fit the rows held.
    pub out_of_step: u64,
}

/// What the caller has to do after an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Nothing.
    Nothing,
    /// The rows are void: clear and subscribe to depth again.
    DepthAgain,
}

/// One instrument.
#[derive(Debug)]
struct One {
    /// Quantity units of one share, in 1e-9.
    qty_unit_e9: i64,
    /// The book comes from rows, not from quotes.
    by_rows: bool,
    rows: Rows,
    shown: [Vec<Level>; 2],
    /// Live data; prices of any other kind go nowhere.
    live: bool,
    /// Nothing is trusted until a new subscription.
    lost: bool,
    /// The next quote begins with an empty book.
    clear_due: bool,
    changed: bool,
    crossed_since: Option<u64>,
    last_trade_qty: f64,
    halted: Option<bool>,
    shortable: Option<f64>,
    band: Band,
    last_trade_px: Option<Px>,
}

/// The conversion of a feed.
#[derive(Debug)]
pub struct Converter {
    list: Vec<One>,
    waiting: VecDeque<MarketEvent>,
    burst: Vec<MarketEvent>,
    row: u64,
    last_ns: u64,
    counts: ConvertCounts,
}

impl Converter {
    /// Returns a conversion for `instruments`; those of `by_rows` take their book from
    /// `row_count` rows a side. `band` is the width of the price sanity band, parts of the price.
    pub fn new(
        instruments: &[Instrument],
        by_rows: &[bool],
        row_count: usize,
        band: f64,
    ) -> Converter {
        let one = |(at, i): (usize, &Instrument)| One {
            qty_unit_e9: i.qty_unit_e9.max(1),
            by_rows: by_rows.get(at).copied().unwrap_or(false),
            rows: Rows::new(row_count),
            shown: Default::default(),
            live: true,
            lost: true,
            clear_due: true,
            changed: false,
            crossed_since: None,
            last_trade_qty: 0.0,
            halted: None,
            shortable: None,
            band: Band::new(band),
            last_trade_px: None,
        };
        Converter {
            list: instruments.iter().enumerate().map(one).collect(),
            waiting: VecDeque::new(),
            burst: Vec::new(),
            row: 0,
            last_ns: 0,
            counts: ConvertCounts::default(),
        }
    }

    /// Returns what was counted.
    pub fn counts(&self) -> ConvertCounts {
        self.counts
    }

    /// Returns whether an instrument's book comes from rows.
    pub fn is_by_rows(&self, instrument: usize) -> bool {
        self.list.get(instrument).is_some_and(|o| o.by_rows)
    }

    /// Lets an instrument's book come from quotes from now on: there is no line for its depth.
    pub fn use_quotes(&mut self, instrument: usize) {
        if let Some(one) = self.list.get_mut(instrument).filter(|o| o.by_rows) {
            one.by_rows = false;
            one.rows.clear();
            (one.clear_due, one.changed) = (true, true);
        }
    }

    /// Returns the shares to sell short that were told last; see [`Heard::Shortable`].
    pub fn shortable(&self, instrument: usize) -> Option<f64> {
        self.list.get(instrument).and_then(|o| o.shortable)
    }

    /// Takes an input. Inputs of instruments that are not in the table are ignored.
    pub fn on(&mut self, input: &Input) -> Follow {
        let at = usize::from(input.instrument);
        let Some(one) = self.list.get_mut(at) else { return Follow::Nothing };
        self.last_ns = self.last_ns.max(input.at_ns);
        let counts = &mut self.counts;
        match input.heard {
            Heard::Touch { bid, px, qty } => one.on_touch(side(bid), px, qty, counts),
            Heard::TouchQty { bid, qty } => one.on_touch_qty(side(bid), qty, counts),
            Heard::BidAsk { bid, bid_qty, ask, ask_qty } => {
                one.on_touch(Side::Bid, bid, Some(bid_qty), counts);
                one.on_touch(Side::Ask, ask, Some(ask_qty), counts);
            }
            Heard::Trade { px, qty, time_s } => {
                one.last_trade_qty = qty;
                self.trade(at, Some(px), qty, time_s);
            }
            Heard::LastQty { qty } if qty != one.last_trade_qty => {
                one.last_trade_qty = qty;
                self.trade(at, None, qty, None);
            }
            Heard::LastQty { .. } => {}
            Heard::Row { bid, position, op, px, qty } => {
                return one.on_row(side(bid), usize::from(position), op, (px, qty), counts);
            }
            Heard::RowsReset => {
                one.rows.clear();
                (one.clear_due, one.changed) = (true, true);
            }
            Heard::DataKind { kind } => self.data_kind(at, kind),
            Heard::Halted { halted } => self.halted(at, halted),
            Heard::Shortable { level } => one.shortable = Some(level),
            // For whoever sends orders, not for the book.
            Heard::ShortShares { .. } => {}
            Heard::Lost => self.lose(at),
            Heard::Fresh => one.begin(),
            Heard::Alive => self.say(at, EventKind::Status, RowFlags::DERIVED),
            Heard::Settle => {}
        }
        Follow::Nothing
    }

    fn trade(&mut self, at: usize, px: Option<f64>, qty: f64, time_s: Option<i64>) {
        let one = &mut self.list[at];
        if one.lost || !one.live {
            self.counts.delayed_ticks += u64::from(!one.live);
            return;
        }
        let px = match px {
            None => one.last_trade_px,
            Some(px) => one.believe(px, &mut self.counts),
        };
        let (Some(px), Some(qty)) = (px, one.qty(qty)) else { return };
        if qty.0 == 0 {
            return;
        }
        one.last_trade_px = Some(px);
        // At the ask or above a buyer took, at the bid or below a seller (the quote rule).
        let (bid, ask) = (one.rows.touch(Side::Bid), one.rows.touch(Side::Ask));
        let aggressor = match (ask.is_some_and(|a| px >= a.0), bid.is_some_and(|b| px <= b.0)) {
            (true, false) => Some(Side::Bid),
            (false, true) => Some(Side::Ask),
            _ => None,
        };
        if self.waiting.len() >= WAITING_COUNT_MAX {
            self.counts.trades_dropped += 1;
            return;
        }
        let mut event = self.event(at, EventKind::Trade);
        event.flags = RowFlags::ROW_END.with(RowFlags::BOOK_END);
        if aggressor.is_none() {
            event.flags = event.flags.with(RowFlags::NO_SIDE);
        }
        (event.px, event.qty) = (px, qty);
        event.side = aggressor.unwrap_or(Side::Bid);
        let told_ns =
            time_s.and_then(|s| u64::try_from(s).ok()).map(|s| s.saturating_mul(E9 as u64));
        if let Some(told_ns) = told_ns.filter(|t| t.abs_diff(self.last_ns) < TIME_APART_NS_MAX) {
            event.ts_exchange = ExchTs(told_ns);
        }
        self.waiting.push_back(event);
    }

    fn data_kind(&mut self, at: usize, kind: u8) {
        let is_live = kind == 1;
        let one = &mut self.list[at];
        if one.live && !is_live {
            self.lose(at);
        }
        let one = &mut self.list[at];
        if !one.live && is_live {
            one.begin();
        }
        self.list[at].live = is_live;
    }

    fn halted(&mut self, at: usize, halted: bool) {
        let one = &mut self.list[at];
        let before = one.halted.replace(halted);
        if before.unwrap_or(false) == halted {
            return;
        }
        one.band.forget();
        let kind = if halted { EventKind::Halt } else { EventKind::Resume };
        self.say(at, kind, RowFlags::ROW_END.with(RowFlags::BOOK_END));
    }

    /// The book is not to be trusted until a new beginning.
    fn lose(&mut self, at: usize) {
        let one = &mut self.list[at];
        let was_lost = std::mem::replace(&mut one.lost, true);
        one.rows.clear();
        (one.clear_due, one.changed, one.crossed_since) = (true, false, None);
        if !was_lost {
            self.say(at, EventKind::Gap, RowFlags::DERIVED.with(RowFlags::ROW_END));
        }
    }

    /// Queues a record without price; these are never dropped.
    fn say(&mut self, at: usize, kind: EventKind, flags: RowFlags) {
        let mut event = self.event(at, kind);
        event.flags = flags;
        self.waiting.push_back(event);
    }

    fn event(&self, at: usize, kind: EventKind) -> MarketEvent {
        let mut event = MarketEvent::new(kind, InstrumentId(at as u16));
        (event.ts_exchange, event.ts_receive) = (ExchTs(self.last_ns), RecvTs(self.last_ns));
        event
    }

    /// Hands out what may go out into at most `room` records, whole rows only; `push` takes each.
    /// Returns whether everything went.
    pub fn flush(&mut self, room: usize, push: &mut dyn FnMut(MarketEvent)) -> bool {
        let mut room = room;
        while room > 0 {
            let Some(event) = self.waiting.pop_front() else { break };
            room -= 1;
            self.hand_out(event, push);
        }
        let mut complete = self.waiting.is_empty();
        // A book after its gap, never before it.
        if !complete {
            return false;
        }
        for at in 0..self.list.len() {
            if !self.list[at].changed {
                continue;
            }
            self.burst.clear();
            self.make_burst(at);
            if self.burst.len() > room {
                self.counts.conflated += 1;
                complete = false;
                continue;
            }
            room -= self.burst.len();
            let burst = std::mem::take(&mut self.burst);
            if !burst.is_empty() {
                self.list[at].told();
            }
            for event in &burst {
                self.hand_out(*event, push);
            }
            self.burst = burst;
        }
        complete
    }

    fn hand_out(&mut self, mut event: MarketEvent, push: &mut dyn FnMut(MarketEvent)) {
        event.row = self.row;
        self.row += u64::from(event.ends_row());
        self.counts.records += 1;
        push(event);
    }

    /// Makes the records of an instrument's book as it is now.
    fn make_burst(&mut self, at: usize) {
        let now_ns = self.last_ns;
        let one = &mut self.list[at];
        if one.lost || !one.live || one.waits_for_the_other_side(now_ns) {
            return;
        }
        let clear = one.clear_due;
        let mut changes: Vec<(Side, Level)> = Vec::new();
        for side in [Side::Bid, Side::Ask] {
            let shown: &[Level] = if clear { &[] } else { &one.shown[side as usize] };
            let target = one.rows.levels(side);
            changes.extend(difference(shown, &target).into_iter().map(|level| (side, level)));
        }
        if changes.is_empty() && !clear {
            one.changed = false;
            return;
        }
        let extra = if clear { RowFlags::SNAPSHOT } else { RowFlags(0) };
        if clear {
            let mut event = self.event(at, EventKind::Clear);
            event.flags = extra;
            self.burst.push(event);
        }
        for (side, (px, qty)) in changes {
            let mut event = self.event(at, EventKind::LevelSet);
            (event.side, event.px, event.qty, event.flags) = (side, px, qty, extra);
            self.burst.push(event);
        }
        if let Some(last) = self.burst.last_mut() {
            last.flags = last.flags.with(RowFlags::ROW_END).with(RowFlags::BOOK_END);
        }
    }
}

impl One {
    /// A new subscription: everything is told anew, and only that is shown.
    fn begin(&mut self) {
        self.rows.clear();
        self.band.forget();
        // Live until the gateway says otherwise; delayed ticks have numbers of their own.
        (self.lost, self.live) = (false, true);
        (self.clear_due, self.changed) = (true, false);
        self.crossed_since = None;
        (self.last_trade_qty, self.last_trade_px) = (0.0, None);
    }

    fn usable(&self, counts: &mut ConvertCounts) -> bool {
        counts.delayed_ticks += u64::from(!self.live);
        self.live && !self.lost
    }

    fn believe(&mut self, px: f64, counts: &mut ConvertCounts) -> Option<Px> {
        let px = self.band.check(px);
        counts.prices_refused += u64::from(px.is_none());
        px
    }

    fn qty(&self, shares: f64) -> Option<Qty> {
        let units = (shares * (E9 / self.qty_unit_e9) as f64).floor();
        (0.0..4e18).contains(&units).then_some(Qty(units as i64))
    }

    fn on_touch(&mut self, side: Side, px: f64, qty: Option<f64>, counts: &mut ConvertCounts) {
        if self.by_rows || !self.usable(counts) {
            return;
        }
        self.changed = true;
        if px <= 0.0 {
            self.rows.set_touch(side, None);
            return;
        }
        let held = self.rows.touch(side).map_or(Qty::ZERO, |l| l.1);
        let qty = qty.map_or(Some(held), |q| self.qty(q));
        if let (Some(px), Some(qty)) = (self.believe(px, counts), qty) {
            self.rows.set_touch(side, Some((px, qty)));
        }
    }

    fn on_touch_qty(&mut self, side: Side, qty: f64, counts: &mut ConvertCounts) {
        if self.by_rows || !self.usable(counts) {
            return;
        }
        if let (Some((px, _)), Some(qty)) = (self.rows.touch(side), self.qty(qty)) {
            self.changed = true;
            self.rows.set_touch(side, Some((px, qty)));
        }
    }

    fn on_row(
        &mut self,
        side: Side,
        position: usize,
        op: u8,
        (px, qty): (f64, f64),
        counts: &mut ConvertCounts,
    ) -> Follow {
        if !self.by_rows || !self.usable(counts) {
            return Follow::Nothing;
        }
        // The price of a deletion means nothing. A row that cannot be believed keeps its place
        // without a size, so that the positions of the others hold.
        let px = if op == 2 { Some(Px(0)) } else { self.believe(px, counts) };
        let level = match (px, self.qty(qty)) {
            (Some(px), Some(qty)) => (px, qty),
            _ => (Px(0), Qty::ZERO),
        };
        self.changed = true;
        if self.rows.change(side, position, op, level).is_ok() {
            return Follow::Nothing;
        }
        counts.out_of_step += 1;
        self.rows.clear();
        self.clear_due = true;
        Follow::DepthAgain
    }

    /// Whether the book is crossed or locked for a short time only: one side came before the
    /// other.
    fn waits_for_the_other_side(&mut self, now_ns: u64) -> bool {
        let best = |side| self.rows.levels(side).first().map(|l| l.0);
        let crossed = matches!((best(Side::Bid), best(Side::Ask)), (Some(b), Some(a)) if b >= a);
        if !crossed {
            self.crossed_since = None;
            return false;
        }
        let since = *self.crossed_since.get_or_insert(now_ns);
        now_ns.saturating_sub(since) < CROSSED_NS_MAX
    }

    /// What is held was told.
    fn told(&mut self) {
        self.shown = [self.rows.levels(Side::Bid), self.rows.levels(Side::Ask)];
        (self.clear_due, self.changed) = (false, false);
    }
}

fn side(bid: bool) -> Side {
    if bid { Side::Bid } else { Side::Ask }
}
