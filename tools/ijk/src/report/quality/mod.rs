//! Execution quality of every parent, from the journal: shortfall taken apart, and benchmarks.

mod account;
pub mod groups;

use account::{Account, Booked, FillFacts, Mid2};
pub use account::{Parts, UNIT};
use ijk_core::record::{ParentRecord, ParentStatus};
use ijk_core::{
    CancelOrder, ClientOrderId, ExecId, Instrument, MarketEvent, NewOrder, Px, ReportKind, Side,
    VenueReport,
};
use std::collections::BTreeMap;

/// Executions kept to be taken back; the oldest go first.
const BOOKED_MAX: usize = 100_000;

/// The market of one instrument as the journal shows it.
#[derive(Clone, Copy, Debug, Default)]
struct Market {
    bid: i64,
    ask: i64,
    mid: Option<Mid2>,
}

/// Benchmarks over a parent's whole horizon, whether it was done sooner or not.
#[derive(Clone, Copy, Debug)]
struct Window {
    instrument: usize,
    start_ns: u64,
    end_ns: u64,
    /// Sum of price times quantity and of quantity of visible trades.
    traded: (i128, i128),
    /// Integral of the mid and the time it is over.
    held: (f64, u64),
    last: Option<(u64, Mid2)>,
}

/// One parent.
struct Tracked {
    account: Account,
    window: Window,
    orders: u32,
    cancels: u32,
}

/// What is known of one parent at the end.
#[derive(Clone, Copy, Debug)]
pub struct ParentQuality {
    /// Shortfall by parts.
    pub parts: Parts,
    /// The same from what was paid alone; equal to the sum of the parts.
    pub shortfall: i128,
    /// Value at arrival, currency.
    pub arrival_value: f64,
    /// Average fill price, NaN without a fill.
    pub average_px: f64,
    /// Arrival mid, market VWAP, mean mid over the horizon, last mid of the run; NaN where there
    /// is none.
    pub benchmarks: [f64; 4],
    /// Part filled by resting, NaN without a fill.
    pub maker_share: f64,
    /// Part of the parent filled.
    pub filled_share: f64,
    /// New orders and cancels that left.
    pub messages: (u32, u32),
    /// +1 for a buy, −1 for a sale.
    pub sign: f64,
}

/// Names of the benchmarks.
pub const BENCHMARKS: [&str; 4] = ["arrival", "vwap", "twap", "close"];

impl ParentQuality {
    /// Returns cost against a benchmark in basis points of it, positive is worse; NaN where
    /// nothing was filled or the benchmark is not known.
    pub fn slippage_bps(&self, benchmark: usize) -> f64 {
        let b = self.benchmarks[benchmark];
        1e4 * self.sign * (self.average_px - b) / b
    }

    /// Returns an amount in basis points of the value at arrival.
    pub fn bps(&self, amount: i128) -> f64 {
        1e4 * amount as f64 * UNIT / self.arrival_value
    }
}

/// Follows every parent of a journal.
pub struct Quality {
    instruments: Vec<Instrument>,
    markets: Vec<Market>,
    parents: Vec<Tracked>,
    by_id: BTreeMap<u32, usize>,
    /// Parents whose horizon runs, by instrument.
    running: Vec<Vec<usize>>,
    orders: BTreeMap<u64, (usize, Mid2)>,
    booked: BTreeMap<u64, Booked>,
}

impl Quality {
    /// Starts with nothing.
    pub fn new(instruments: &[Instrument]) -> Quality {
        let n = instruments.len();
        Quality {
            instruments: instruments.to_vec(),
            markets: vec![Market::default(); n],
            parents: Vec::new(),
            by_id: BTreeMap::new(),
            running: vec![Vec::new(); n],
            orders: BTreeMap::new(),
            booked: BTreeMap::new(),
        }
    }

    /// Takes a market record, after the book has; `best` is the touch where the row is complete
    /// and the book has two sides.
    pub fn on_market(&mut self, ts: u64, ev: &MarketEvent, best: Option<(Px, Px)>) {
        let index = ev.instrument.index();
        let Some(market) = self.markets.get_mut(index) else { return };
        if let Some((bid, ask)) = best {
            let mid = i128::from(bid.0) + i128::from(ask.0);
            *market = Market { bid: bid.0, ask: ask.0, mid: Some(mid) };
        }
        if self.running[index].is_empty() {
            return;
        }
        let mid = market.mid;
        let trade = ev.visible_trade();
        let parents = &mut self.parents;
        self.running[index].retain(|&at| {
            let w = &mut parents[at].window;
            if let Some((qty, _)) = trade.filter(|_| ts < w.end_ns) {
                w.traded.0 += i128::from(ev.px.0) * i128::from(qty.0);
                w.traded.1 += i128::from(qty.0);
            }
            w.hold(ts, mid);
            ts < w.end_ns
        });
    }

    /// Takes a parent's account as it changes.
    pub fn on_parent(&mut self, r: &ParentRecord) {
        let index = r.instrument.index();
        if r.status == ParentStatus::Refused || index >= self.markets.len() {
            return;
        }
        let mid = self.markets[index].mid;
        // Without a book of our own yet, the record's mid is the one there is.
        let mid = mid.unwrap_or((r.mid * 2e9).round() as Mid2);
        let at = *self.by_id.entry(r.parent_id.0).or_insert_with(|| {
            let i = &self.instruments[index];
            self.parents.push(Tracked {
                account: Account::new(i, r.side, r.qty.0, mid),
                window: Window {
                    instrument: index,
                    start_ns: r.ts_start.0,
                    end_ns: r.ts_end.0,
                    traded: (0, 0),
                    held: (0.0, 0),
                    last: Some((r.ts_start.0, mid)),
                },
                orders: 0,
                cancels: 0,
            });
            self.running[index].push(self.parents.len() - 1);
            self.parents.len() - 1
        });
        if r.status != ParentStatus::Active {
            self.parents[at].account.end(mid);
        }
    }

    /// Takes an order that left.
    pub fn on_order(&mut self, o: &NewOrder) {
        let Some(&at) = self.by_id.get(&o.parent_id.0) else { return };
        let Some(mid) = self.markets.get(o.instrument.index()).and_then(|m| m.mid) else { return };
        self.parents[at].account.order(mid);
        self.parents[at].orders += 1;
        self.orders.insert(o.client_order_id.0, (at, mid));
    }

    /// Takes a cancel that left.
    pub fn on_cancel(&mut self, c: &CancelOrder) {
        if let Some(&(at, _)) = self.orders.get(&c.client_order_id.0) {
            self.parents[at].cancels += 1;
        }
    }

    /// Takes a report of the venue. A fill reported twice counts once.
    pub fn on_report(&mut self, r: &VenueReport) {
        let ClientOrderId(id) = r.client_order_id;
        let ExecId(exec) = r.exec_id;
        match r.kind {
            ReportKind::Fill => {
                let Some(&(at, sent)) = self.orders.get(&id) else { return };
                let market = self.markets[self.parents[at].window.instrument];
                if self.booked.contains_key(&exec) {
                    return;
                }
                let facts = FillFacts {
                    qty: r.qty.0,
                    px: r.px.0,
                    maker: r.maker == 1,
                    sent,
                    known: market.mid.unwrap_or(sent),
                    far_touch: match r.side {
                        Side::Bid => market.ask,
                        Side::Ask => market.bid,
                    },
                };
                let account = &mut self.parents[at].account;
                let booked = account.fill(at, &facts);
                account.fee(r.fee_e9);
                self.booked.insert(exec, booked);
                if self.booked.len() > BOOKED_MAX {
                    self.booked.pop_first();
                }
            }
            ReportKind::Commission => {
                if let Some(&(at, _)) = self.orders.get(&id) {
                    self.parents[at].account.fee(r.fee_e9);
                }
            }
            ReportKind::Bust => {
                if let Some(b) = self.booked.remove(&exec) {
                    self.parents[b.parent].account.bust(&b);
                }
            }
            _ => {}
        }
    }

    /// Returns what is known of a parent; `None` for one that was refused.
    pub fn of(&self, r: &ParentRecord) -> Option<ParentQuality> {
        let t = &self.parents[*self.by_id.get(&r.parent_id.0)?];
        let market = self.markets[t.window.instrument];
        let mid = market.mid.unwrap_or(0);
        let a = &t.account;
        debug_assert_eq!(a.parts(mid).total(), a.shortfall(mid), "Invariant: parts add up.");
        let close = if mid > 0 { mid as f64 * 0.5e-9 } else { f64::NAN };
        Some(ParentQuality {
            parts: a.parts(mid),
            shortfall: a.shortfall(mid),
            arrival_value: a.arrival_value(),
            average_px: a.average_px(),
            benchmarks: [a.arrival_px(), t.window.vwap(), t.window.twap(), close],
            maker_share: a.maker_share(),
            filled_share: a.filled_share(),
            messages: (t.orders, t.cancels),
            sign: a.sign(),
        })
    }
}

impl Window {
    fn hold(&mut self, ts: u64, mid: Option<Mid2>) {
        let upto = ts.min(self.end_ns).max(self.start_ns);
        if let Some((since, held)) = self.last
            && upto > since
        {
            self.held.0 += held as f64 * 0.5e-9 * (upto - since) as f64;
            self.held.1 += upto - since;
        }
        if let Some(mid) = mid {
            self.last = Some((upto, mid));
        }
    }

    fn vwap(&self) -> f64 {
        match self.traded.1 {
            0 => f64::NAN,
            qty => self.traded.0 as f64 * 1e-9 / qty as f64,
        }
    }

    fn twap(&self) -> f64 {
        if self.held.1 == 0 { f64::NAN } else { self.held.0 / self.held.1 as f64 }
    }
}
