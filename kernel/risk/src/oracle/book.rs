//! The ledger, from the history.

use crate::blocks::InstrumentBlock;
use crate::{MarketState, Quote, TradingState};
use ijk_core::config::RiskConfig;
use ijk_core::{CarryItem, Instrument, NewOrder, ReportKind, Side, VenueReport};

/// One thing that happened.
#[derive(Clone, Debug)]
pub(super) enum Past {
    /// An order passed, valued at the price; whether it was an entry.
    Accepted {
        now: u64,
        order: NewOrder,
        priced: i128,
        entry: bool,
    },
    /// An order was taken over with so much open, valued at the price.
    Adopted {
        order: NewOrder,
        priced: i128,
    },
    /// A report, and whether a fill was booked, and what it cost against the mid.
    Report {
        now: u64,
        report: VenueReport,
        booked: bool,
        slippage: i128,
    },
    Mark {
        index: usize,
        px: Option<i128>,
    },
    /// The feed spoke.
    Feed {
        now: u64,
    },
    Quote {
        index: usize,
        quote: Quote,
        had_trade: bool,
    },
    Market {
        index: usize,
        state: MarketState,
    },
    Band {
        index: usize,
        reference: Option<i64>,
    },
    ShortRestricted {
        index: usize,
        on: bool,
    },
    InstrumentBlock {
        index: usize,
        block: InstrumentBlock,
        set: bool,
    },
    /// A cancel was asked for: whether it took from the reserve, whether it left.
    Cancel {
        now: u64,
        took: bool,
        left: bool,
    },
    Account(CarryItem),
    /// From here on one more of the settings counts.
    Tightened,
}

/// An order of the history and what is open of it.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub order: NewOrder,
    pub priced: i128,
    pub open: i128,
    /// Whether it is still working.
    pub works: bool,
}

/// One step of an instrument's account: signed quantity, price, fee in 1e-18 dollars.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub signed: i128,
    pub px: i128,
    pub fee: i128,
    /// An execution, not the undoing of one nor a fee alone.
    pub is_fill: bool,
}

pub(super) struct Oracle {
    /// The settings, and every later tightening of them.
    pub configs: Vec<RiskConfig>,
    pub instruments: Vec<Instrument>,
    pub past: Vec<Past>,
    pub state: TradingState,
    pub blocks: u8,
    pub offset_blocks: bool,
    pub market_wide: usize,
    pub mismatches: u32,
    pub slippage_latched: Vec<bool>,
    pub entry_latched: Vec<bool>,
    pub best: i128,
    pub last_time: u64,
    pub floor: u64,
}

const E9: i128 = 1_000_000_000;

impl Oracle {
    pub fn new(config: &RiskConfig, instruments: &[Instrument]) -> Oracle {
        let mut oracle = Oracle {
            configs: vec![config.clone()],
            instruments: instruments.to_vec(),
            past: vec![],
            state: TradingState::Active,
            blocks: 0,
            offset_blocks: false,
            market_wide: 0,
            mismatches: 0,
            slippage_latched: vec![false; instruments.len()],
            entry_latched: vec![false; instruments.len()],
            best: 0,
            last_time: 0,
            floor: 0,
        };
        let dead = oracle.slippage_limit().is_none() || config.slippage_window_ms == 0;
        oracle.slippage_latched.fill(dead);
        oracle.judge();
        oracle
    }

    pub fn unit(&self, index: usize) -> i128 {
        i128::from(self.instruments[index].qty_unit_e9)
    }

    /// Booked fills in their order.
    fn fills(&self) -> impl Iterator<Item = &VenueReport> {
        self.past.iter().filter_map(|p| match p {
            Past::Report { report, booked: true, .. } if report.kind == ReportKind::Fill => {
                Some(report)
            }
            _ => None,
        })
    }

    pub fn was_booked(&self, exec: u64) -> bool {
        self.fills().any(|f| f.exec_id.0 == exec)
    }

    pub fn was_busted(&self, exec: u64) -> bool {
        self.past.iter().any(|p| {
            matches!(p, Past::Report { report, booked: true, .. }
                if report.kind == ReportKind::Bust && report.exec_id.0 == exec)
        })
    }

    /// The account of one instrument, step by step; a bust undoes the fill with all its fees.
    pub fn steps(&self, index: usize) -> Vec<Step> {
        let mut steps = vec![];
        let fill_of = |exec| self.fills().find(|f| f.exec_id == exec);
        let mut fees: Vec<(u64, i128)> = vec![];
        for p in &self.past {
            let Past::Report { report: r, booked: true, .. } = p else { continue };
            let origin = if r.kind == ReportKind::Fill { Some(r) } else { fill_of(r.exec_id) };
            let at = origin.map_or(r.instrument.index(), |f| f.instrument.index());
            if at != index {
                continue;
            }
            let signed = |f: &VenueReport| i128::from(f.side.sign()) * i128::from(f.qty.0);
            let fee = i128::from(r.fee_e9) * E9;
            match (r.kind, origin) {
                (ReportKind::Fill, _) => {
                    fees.push((r.exec_id.0, fee));
                    let px = r.px.0.into();
                    steps.push(Step { signed: signed(r), px, fee, is_fill: true });
                }
                (ReportKind::Bust, Some(f)) => {
                    let paid: i128 = fees.iter().filter(|e| e.0 == r.exec_id.0).map(|e| e.1).sum();
                    let px = f.px.0.into();
                    steps.push(Step { signed: -signed(f), px, fee: 0, is_fill: false });
                    steps.push(Step { signed: 0, px: 0, fee: -paid, is_fill: false });
                }
                (ReportKind::Commission, _) => {
                    fees.push((r.exec_id.0, fee));
                    steps.push(Step { signed: 0, px: 0, fee, is_fill: false });
                }
                _ => {}
            }
        }
        steps
    }

    /// Position, cost, realised and fees carried over.
    fn carried(&self, index: usize) -> (i128, i128, i128, i128) {
        self.past
            .iter()
            .filter_map(|p| match p {
                Past::Account(c) if c.instrument.index() == index => Some((
                    c.qty.0.into(),
                    CarryItem::join(c.cost),
                    CarryItem::join(c.realised),
                    CarryItem::join(c.fees),
                )),
                _ => None,
            })
            .next_back()
            .unwrap_or((0, 0, 0, 0))
    }

    pub fn position(&self, index: usize) -> i128 {
        self.carried(index).0 + self.steps(index).iter().map(|s| s.signed).sum::<i128>()
    }

    pub fn mark(&self, index: usize) -> Option<i128> {
        let mut marks = self.past.iter().filter_map(|p| match p {
            Past::Mark { index: i, px } if *i == index => Some(*px),
            _ => None,
        });
        marks.next_back().flatten()
    }

    /// Result of one instrument in 1e-18 dollars: cash received plus the position at its mark;
    /// without a mark at average cost, worked out step by step.
    fn profit_of(&self, index: usize) -> i128 {
        let (held, cost, realised, fees) = self.carried(index);
        let steps = self.steps(index);
        let unit = self.unit(index);
        let cash: i128 = steps.iter().map(|s| -s.signed * s.px * unit).sum();
        let paid: i128 = steps.iter().map(|s| s.fee).sum::<i128>() + fees;
        let end = held + steps.iter().map(|s| s.signed).sum::<i128>();
        let value = match self.mark(index) {
            Some(px) => end * px * unit,
            None => {
                let (mut q, mut basis) = (held, cost);
                for s in steps.iter().filter(|s| s.signed != 0) {
                    let (d, px) = (s.signed, s.px * unit);
                    if q == 0 || q.signum() == d.signum() {
                        basis += d * px;
                    } else if d.abs() <= q.abs() {
                        basis -= basis * d.abs() / q.abs();
                    } else {
                        basis = (q + d) * px;
                    }
                    q += d;
                }
                basis
            }
        };
        realised + cash + value - cost - paid
    }

    pub fn profit(&self) -> i128 {
        (0..self.instruments.len()).map(|i| self.profit_of(i)).sum()
    }

    /// Paid for buys that were not busted, and fees; a long position carried over at its cost.
    pub fn spent(&self) -> i128 {
        let mut sum = 0;
        for index in 0..self.instruments.len() {
            let (_, cost, _, fees) = self.carried(index);
            sum += cost.max(0) + fees;
            sum += self.steps(index).iter().map(|s| s.fee).sum::<i128>();
        }
        for f in self.fills().filter(|f| f.side == Side::Bid && !self.was_busted(f.exec_id.0)) {
            let unit = self.unit(f.instrument.index());
            sum += i128::from(f.px.0) * i128::from(f.qty.0) * unit;
        }
        sum
    }

    /// Round trips that ended at a loss since the last that ended at a gain, over all
    /// instruments, in the order of the reports.
    pub fn losers(&self) -> u32 {
        let mut run = 0u32;
        let mut cash: Vec<i128> = vec![];
        let mut held: Vec<i128> = vec![];
        for index in 0..self.instruments.len() {
            let (q, cost, ..) = self.carried(index);
            held.push(q);
            cash.push(-cost);
        }
        let mut cursor = vec![0; self.instruments.len()];
        let steps: Vec<Vec<Step>> = (0..self.instruments.len()).map(|i| self.steps(i)).collect();
        for p in &self.past {
            let Past::Report { report: r, booked: true, .. } = p else { continue };
            let count = match r.kind {
                ReportKind::Bust => 2,
                ReportKind::Fill | ReportKind::Commission => 1,
                _ => continue,
            };
            let known = self.fills().find(|f| f.exec_id == r.exec_id);
            let index = known.map_or(r.instrument.index(), |f| f.instrument.index());
            for _ in 0..count {
                let s = steps[index][cursor[index]];
                cursor[index] += 1;
                let unit = self.unit(index);
                let (before, after) = (held[index], held[index] + s.signed);
                held[index] = after;
                let crosses = before != 0 && (after == 0 || after.signum() != before.signum());
                if !crosses {
                    cash[index] -= s.signed * s.px * unit + s.fee;
                    continue;
                }
                // The part that closes ends the trip, the rest starts the next.
                let result = cash[index] + before * s.px * unit - s.fee;
                cash[index] = -after * s.px * unit;
                if s.is_fill && result != 0 {
                    run = if result < 0 { run + 1 } else { 0 };
                }
            }
        }
        run
    }

    /// Orders the venue refused since the last that it did not.
    pub fn rejects(&self) -> u32 {
        let mut run = 0;
        for p in &self.past {
            let Past::Report { report, booked, .. } = p else { continue };
            match report.kind {
                ReportKind::Reject if *booked => run += 1,
                ReportKind::Ack => run = 0,
                ReportKind::Fill if *booked => run = 0,
                _ => {}
            }
        }
        run
    }

    /// Every order of the history with what is open of it.
    pub fn orders(&self) -> Vec<Open> {
        let mut list: Vec<Open> = vec![];
        for p in &self.past {
            match p {
                Past::Accepted { order, priced, .. } | Past::Adopted { order, priced } => {
                    let open = order.qty.0.into();
                    list.push(Open { order: *order, priced: *priced, open, works: true });
                }
                Past::Report { report: r, booked: true, .. } => {
                    let id = r.client_order_id;
                    let found = list.iter_mut().find(|o| o.order.client_order_id == id && o.works);
                    let Some(o) = found else { continue };
                    match r.kind {
                        ReportKind::Fill => {
                            o.open -= i128::from(r.qty.0).min(o.open);
                            o.works = o.open > 0;
                        }
                        ReportKind::Reject
                        | ReportKind::Canceled
                        | ReportKind::Expired
                        | ReportKind::Absent => o.works = false,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        list
    }

    pub fn working(&self) -> Vec<Open> {
        self.orders().into_iter().filter(|o| o.works).collect()
    }

    /// Cash that working buys can take.
    pub fn reserved(&self) -> i128 {
        let buys = self.working().into_iter().filter(|o| o.order.side == Side::Bid);
        buys.map(|o| o.open * o.priced * self.unit(o.order.instrument.index())).sum()
    }

    /// Most long and most short.
    pub fn worst(&self, index: usize) -> (i128, i128) {
        let (mut long, mut short) = (self.position(index), self.position(index));
        for w in self.working().iter().filter(|w| w.order.instrument.index() == index) {
            match w.order.side {
                Side::Bid => long += w.open,
                Side::Ask => short -= w.open,
            }
        }
        (long, short)
    }

    /// Booked fills.
    pub fn fill_count(&self) -> u128 {
        self.fills().count() as u128
    }

    /// What an instrument's recent fills cost against the mid.
    pub fn slippage(&self, index: usize, now: u64) -> i128 {
        let step = (self.configs[0].slippage_window_ms * 1_000_000).div_ceil(16);
        let near = |t: u64| step == 0 || t / step + 16 >= now / step;
        self.past
            .iter()
            .filter_map(|p| match p {
                Past::Report { now: t, report, booked: true, slippage }
                    if report.kind == ReportKind::Fill
                        && report.instrument.index() == index
                        && near(*t) =>
                {
                    Some(*slippage)
                }
                _ => None,
            })
            .sum()
    }
}
