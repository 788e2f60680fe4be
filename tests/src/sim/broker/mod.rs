//! A broker that has bad days. It was written from the link protocol's text and knows nothing of
//! the kernel: its own types, its own books, its own bytes.
//!
//! It may report late, twice, out of order or not at all, refuse, cancel, bust, trade on the
//! account by itself, go away and come back. One thing it never does: an answer to "what do you
//! have of ours" that is complete, from its begin to its end with the number of items it names,
//! is true as of its begin.

pub mod books;
pub mod bytes;
mod deeds;
mod session;
mod snapshot;
#[cfg(test)]
mod tests;

use super::faults::{Chaos, Fault, Plan};
use super::rng::Rng;
use books::{Books, Order, Status};
use bytes::{NewMessage, Report, kind};
use std::collections::BTreeMap;

/// A millisecond.
pub const MS: u64 = 1_000_000;

/// What the broker does to its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// Sends bytes.
    Bytes(Vec<u8>),
    /// Closes.
    Close,
}

/// Reasons of rejects; those of a well-known broker where it has one.
pub mod reason {
    /// The id was used before.
    pub const DUPLICATE: u16 = 103;
    /// No such instrument.
    pub const NO_CONTRACT: u16 = 200;
    /// Refused.
    pub const REJECTED: u16 = 201;
    /// The cancel came too late.
    pub const TOO_LATE: u16 = 161;
    /// No such order.
    pub const NOT_FOUND: u16 = 135;
    /// Quantity or price makes no sense.
    pub const BAD_NUMBER: u16 = 110;
}

/// Best prices of one instrument.
#[derive(Clone, Copy, Debug, Default)]
struct Quote {
    bid: i64,
    bid_qty: i64,
    ask: i64,
    ask_qty: i64,
}

/// Something that happens at the broker later.
#[derive(Clone, Debug)]
enum Deed {
    Arrive(NewMessage),
    Cancel { id: u64, instrument: u16 },
    RejectLate(usize),
    CancelUnasked(usize),
    Bust(usize),
    FeeKnown(usize),
    Trade { order: usize, px: i64 },
    Answer { request: u64, session: u64 },
    Send { bytes: Vec<u8>, session: u64 },
}

/// The broker. Times never decrease.
pub struct Broker {
    symbols: Vec<[u8; 16]>,
    account: [u8; 16],
    books: Books,
    quotes: Vec<Quote>,
    chaos: Chaos,
    session: session::Session,
    down_until: u64,
    deeds: BTreeMap<(u64, u64), Deed>,
    reports: BTreeMap<(u64, u64), Report>,
    serial: u64,
    orphans: u64,
    out: Vec<Out>,
}

/// Returns a text as sixteen bytes, zero padded.
pub fn sixteen(text: &str) -> [u8; 16] {
    let mut out = [0; 16];
    let len = text.len().min(16);
    out[..len].copy_from_slice(&text.as_bytes()[..len]);
    out
}

impl Broker {
    /// Returns a broker that lists `symbols` and keeps one account.
    pub fn new(symbols: &[&str], account: &str, plan: Plan, seed: u64) -> Broker {
        Broker {
            symbols: symbols.iter().map(|s| sixteen(s)).collect(),
            account: sixteen(account),
            books: Books::new(symbols.len()),
            quotes: vec![Quote::default(); symbols.len()],
            chaos: Chaos::new(plan, Rng::new(seed, 0xb0c4)),
            session: session::Session::default(),
            down_until: 0,
            deeds: BTreeMap::new(),
            reports: BTreeMap::new(),
            serial: 0,
            orphans: 0,
            out: Vec::new(),
        }
    }

    /// Returns the books: the truth.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Returns whether an order works that has an id like the client's but is not of it.
    pub fn has_working_orphan(&self) -> bool {
        let orphan = |o: &Order| o.id & deeds::ORPHAN != 0 && o.status == Status::Working;
        self.books.orders.iter().any(orphan)
    }

    /// Returns how often each kind of fault happened here.
    pub fn fault_counts(&self) -> &[u64] {
        self.chaos.counts()
    }

    /// Ends all faults; what is under way still comes, and whoever else traded stops.
    pub fn calm(&mut self, now: u64) {
        self.chaos.calm();
        let foreign = |o: &Order| o.id == 0 && o.status == Status::Working;
        let orders: Vec<usize> =
            (0..self.books.orders.len()).filter(|&i| foreign(&self.books.orders[i])).collect();
        for order in orders {
            self.end(now, order, Status::Canceled, kind::CANCELED);
        }
        // What was held back comes out, in its order.
        let hurry = |at: u64| now + (at - now.min(at)).min(MS * 100);
        for ((at, n), deed) in std::mem::take(&mut self.deeds) {
            self.deeds.insert((hurry(at), n), deed);
        }
        for ((at, n), report) in std::mem::take(&mut self.reports) {
            self.reports.insert((hurry(at), n), report);
        }
    }

    /// Returns when something next happens by itself.
    pub fn next_due(&self) -> Option<u64> {
        let first = |key: Option<&(u64, u64)>| key.map_or(u64::MAX, |k| k.0);
        let deed = first(self.deeds.keys().next());
        let due = deed.min(first(self.reports.keys().next()));
        (due < u64::MAX).then_some(due)
    }

    /// Lets happen what is due up to `now`; returns what goes onto the connection.
    pub fn advance(&mut self, now: u64) -> Vec<Out> {
        while let Some(due) = self.next_due().filter(|&t| t <= now) {
            if self.deeds.keys().next().is_some_and(|k| k.0 == due) {
                if let Some((_, deed)) = self.deeds.pop_first() {
                    self.perform(due, deed);
                }
            } else if let Some((_, report)) = self.reports.pop_first()
                && self.session.is_open()
            {
                self.out.push(Out::Bytes(bytes::report(&report)));
            }
        }
        std::mem::take(&mut self.out)
    }

    /// The broker goes away until `until`: the connection closes, unsent reports are gone, the
    /// books stay.
    pub fn restart(&mut self, now: u64, until: u64) {
        self.out.push(Out::Close);
        self.on_disconnect(now);
        self.reports.clear();
        self.down_until = until;
    }

    /// The best prices of an instrument changed; a quantity of 0 means that the side is empty.
    pub fn on_quote(&mut self, now: u64, instrument: usize, bid: (i64, i64), ask: (i64, i64)) {
        self.quotes[instrument] = Quote { bid: bid.0, bid_qty: bid.1, ask: ask.0, ask_qty: ask.1 };
        for order in self.resting(instrument) {
            let o = self.books.orders[order];
            let (px, qty) = if o.side == 0 { ask } else { bid };
            let crossed = if o.side == 0 { px <= o.px } else { px >= o.px };
            if qty > 0 && crossed {
                self.fill(now, order, o.px, qty.min(o.leaves), true);
            }
        }
        self.stir(now, instrument);
    }

    /// Somebody traded at `px`: resting orders there or better get their share.
    pub fn on_trade(&mut self, now: u64, instrument: usize, px: i64, mut qty: i64) {
        for order in self.resting(instrument) {
            let o = self.books.orders[order];
            let reached = if o.side == 0 { px <= o.px } else { px >= o.px };
            if reached && qty > 0 && self.chaos.rng.chance(600_000) {
                let part = qty.min(o.leaves);
                self.fill(now, order, o.px, part, true);
                qty -= part;
            }
        }
    }

    fn resting(&self, instrument: usize) -> Vec<usize> {
        let orders = self.books.orders.iter().enumerate();
        orders
            .filter(|(_, o)| o.instrument == instrument && o.status == Status::Working && o.px > 0)
            .map(|(i, _)| i)
            .collect()
    }

    /// Plans a deed.
    fn later(&mut self, at: u64, deed: Deed) {
        self.serial += 1;
        self.deeds.insert((at, self.serial), deed);
    }

    /// Hands a report to the way out, where it may be lost, delayed, doubled or overtaken.
    fn tell(&mut self, now: u64, report: Report, extra_ns: u64) {
        let report = Report { ts: now, ..report };
        if self.chaos.strikes(Fault::ReportLost) {
            return;
        }
        let mut due = now + MS + self.chaos.rng.below(4 * MS) + extra_ns;
        // Without a fault the reports of one connection keep their order.
        let last = self.session.last_report;
        if self.chaos.strikes(Fault::ReportReordered) {
            due += self.chaos.rng.range(5 * MS, 400 * MS);
        } else if self.chaos.strikes(Fault::ReportDelayed) {
            due += self.chaos.rng.log_range(100 * MS, 20_000 * MS);
        } else if extra_ns == 0 {
            due = due.max(last);
            self.session.last_report = due;
        }
        self.serial += 1;
        self.reports.insert((due, self.serial), report);
        if self.chaos.strikes(Fault::ReportTwice) {
            let again = due + self.chaos.rng.log_range(MS, 8_000 * MS);
            self.serial += 1;
            self.reports.insert((again, self.serial), report);
        }
    }

    /// Returns a report on an order with nothing but its names.
    fn about(&self, order: usize, kind: u8) -> Report {
        let o = &self.books.orders[order];
        Report {
            id: o.id,
            venue_id: o.venue_id,
            leaves: o.leaves,
            instrument: self.session.number_of(o.instrument),
            side: o.side,
            kind,
            ..Report::default()
        }
    }
}
