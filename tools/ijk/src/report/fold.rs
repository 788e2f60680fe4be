//! One pass over a journal: tables are written on the way, what the page needs is kept bounded.

use super::ledger::Ledger;
use super::quality::{ParentQuality, Quality};
use super::series::Series;
use super::tables::Tables;
use crate::exit::{self, Exit};
use crate::header::Header;
use crate::run_dir::RunDir;
use ijk_core::record::{
    DecisionReason, DecisionRecord, ParentRecord, ParentStatus, RecordKind, RefusalRecord,
};
use ijk_core::{CancelOrder, MarketEvent, NewOrder, ReportKind, Side, VenueReport};
use ijk_journal::{Frame, Reader, RecoveryMode};
use ijk_market::Book;
use ijk_risk::RiskCode;
use std::collections::BTreeMap;

/// Own fills kept for the plot; the table has them all.
const PLOT_FILLS_MAX: usize = 5_000;
/// Virtual time between two points of the equity curve, nanoseconds.
const EQUITY_STEP_NS: u64 = 1_000_000_000;

/// What the page and the summary are made from.
pub struct Folded {
    /// The run's header.
    pub header: Header,
    /// Mid price per instrument.
    pub mids: Vec<Series>,
    /// Position per instrument.
    pub positions: Vec<Series>,
    /// Profit and loss over time, dollars.
    pub pnl: Series,
    /// Largest fall of profit and loss from its peak, dollars, at the points of the curve.
    pub max_drawdown_usd: f64,
    /// Profit and loss at whole minutes, for the Sharpe ratio.
    pub minutes: Vec<f64>,
    /// (time, instrument, side, price) of own fills, first ones only.
    pub fills: Vec<(u64, usize, Side, f64)>,
    /// Refusals by reason.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Decisions by reason.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Edge against cost per decision: (|mean|, lower bound, cost), summed, and how often the
    /// bound covered the cost.
    pub edge: EdgeSums,
    /// Last record of each parent.
    pub parents: Vec<ParentRecord>,
    /// Execution quality of each, `None` for a refused one.
    pub quality: Vec<Option<ParentQuality>>,
    /// Cash, positions, round trips.
    pub ledger: Ledger,
    /// True if the journal ends with a complete run.
    pub complete: bool,
}

/// Sums over decisions that had a forecast.
#[derive(Clone, Copy, Debug, Default)]
pub struct EdgeSums {
    /// Decisions with a forecast and a cost.
    pub count: u64,
    /// Sum of the absolute means, basis points.
    pub mean_abs_bps: f64,
    /// Sum of the lower bounds, basis points.
    pub lower_bps: f64,
    /// Sum of the costs, basis points.
    pub cost_bps: f64,
    /// Decisions whose lower bound covered the cost.
    pub covered: u64,
}

/// Parents that ended, kept for the page; the table has them all.
const PARENTS_MAX: usize = 100_000;

struct Fold<'a> {
    out: Folded,
    tables: &'a mut Tables,
    books: Vec<Book>,
    quality: Quality,
    parent_at: BTreeMap<u32, usize>,
    next_equity_ns: u64,
    next_minute_ns: u64,
    clock_ns: u64,
    peak_usd: f64,
}

/// Reads the journal of a run.
///
/// # Errors
/// 78 for a damaged journal, 2 if a table cannot be written. A journal that ends in the middle
/// (a crash) is folded as far as it goes.
pub fn fold(dir: &RunDir, tables: &mut Tables) -> Result<Folded, Exit> {
    let corrupt = |e| Exit::new(exit::UNSAFE, e);
    let mut reader = Reader::open(&dir.journal(), RecoveryMode::TornTail).map_err(corrupt)?;
    let header = Header::read(&mut reader)?;
    let depths = header.depths();
    let books =
        header.instruments.iter().zip(depths).map(|(i, depth)| Book::new(depth, i)).collect();
    let count = header.instruments.len();
    let ledger = Ledger::new(&header.instruments);
    let quality = Quality::new(&header.instruments);
    let mut state = Fold {
        out: Folded {
            header,
            mids: vec![Series::default(); count],
            positions: vec![Series::default(); count],
            pnl: Series::default(),
            max_drawdown_usd: 0.0,
            minutes: Vec::new(),
            fills: Vec::new(),
            refusals: BTreeMap::new(),
            reasons: DecisionReason::ALL.iter().map(|r| (r.name(), 0)).collect(),
            edge: EdgeSums::default(),
            parents: Vec::new(),
            quality: Vec::new(),
            ledger,
            complete: false,
        },
        tables,
        books,
        quality,
        parent_at: BTreeMap::new(),
        next_equity_ns: 0,
        next_minute_ns: 0,
        clock_ns: 0,
        peak_usd: 0.0,
    };
    while let Some(frame) = reader.next().map_err(corrupt)? {
        state.frame(&frame)?;
    }
    state.equity_point(state.clock_ns)?;
    for record in std::mem::take(&mut state.out.parents) {
        let quality = state.quality.of(&record);
        state.tables.parent(&state.out.header, &record, quality.as_ref())?;
        state.out.parents.push(record);
        state.out.quality.push(quality);
    }
    Ok(state.out)
}

impl Fold<'_> {
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), Exit> {
        let corrupt = |e| Exit::new(exit::UNSAFE, e);
        self.clock_ns = self.clock_ns.max(frame.ts);
        match frame.kind {
            RecordKind::Market => self.market(frame.ts, &frame.read().map_err(corrupt)?),
            RecordKind::Report => self.report(frame.ts, &frame.read().map_err(corrupt)?),
            RecordKind::Decision => self.decision(frame.ts, &frame.read().map_err(corrupt)?),
            RecordKind::Order => {
                let order: NewOrder = frame.read().map_err(corrupt)?;
                self.quality.on_order(&order);
                self.tables.order(&self.out.header, frame.ts, "new", &order, "")
            }
            RecordKind::Cancel => {
                let cancel: CancelOrder = frame.read().map_err(corrupt)?;
                self.quality.on_cancel(&cancel);
                self.tables.cancel(&self.out.header, frame.ts, &cancel)
            }
            RecordKind::Refusal => {
                let refusal: RefusalRecord = frame.read().map_err(corrupt)?;
                let name = RiskCode::from_raw(refusal.code).map_or("unknown", RiskCode::name);
                *self.out.refusals.entry(name).or_default() += 1;
                self.tables.order(&self.out.header, frame.ts, "refused", &refusal.order, name)
            }
            RecordKind::ParentState => {
                let record = frame.read().map_err(corrupt)?;
                self.quality.on_parent(&record);
                self.parent(&record);
                Ok(())
            }
            RecordKind::End => {
                self.out.complete = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn market(&mut self, ts: u64, ev: &MarketEvent) -> Result<(), Exit> {
        let index = ev.instrument.index();
        let Some(book) = self.books.get_mut(index) else { return Ok(()) };
        book.apply(ev);
        let best = match (book.best(Side::Bid), book.best(Side::Ask)) {
            (Some(bid), Some(ask)) if ev.ends_row() && bid.px < ask.px => Some((bid.px, ask.px)),
            _ => None,
        };
        self.quality.on_market(ts, ev, best);
        if !ev.ends_row() {
            return Ok(());
        }
        if let Some((bid, ask)) = best {
            let mid = (bid.as_f64() + ask.as_f64()) / 2.0;
            self.out.mids[index].push(ts, mid);
            self.out.ledger.mark(index, mid);
        }
        if self.next_equity_ns == 0 {
            self.next_minute_ns = ts;
        }
        if ts >= self.next_equity_ns {
            self.next_equity_ns = ts + EQUITY_STEP_NS;
            self.equity_point(ts)?;
        }
        Ok(())
    }

    fn equity_point(&mut self, ts: u64) -> Result<(), Exit> {
        let pnl = self.out.ledger.pnl_usd();
        self.out.pnl.push(ts, pnl);
        self.peak_usd = self.peak_usd.max(pnl);
        self.out.max_drawdown_usd = self.out.max_drawdown_usd.max(self.peak_usd - pnl);
        while ts >= self.next_minute_ns && self.next_minute_ns > 0 {
            self.out.minutes.push(pnl);
            self.next_minute_ns += 60 * EQUITY_STEP_NS;
        }
        for (i, series) in self.out.positions.iter_mut().enumerate() {
            series.push(ts, self.out.ledger.position(i));
        }
        self.tables.equity(ts, &self.out.ledger)
    }

    fn report(&mut self, ts: u64, report: &VenueReport) -> Result<(), Exit> {
        self.quality.on_report(report);
        if report.kind != ReportKind::Fill {
            return Ok(());
        }
        let index = report.instrument.index();
        self.out.ledger.fill(report);
        if self.out.fills.len() < PLOT_FILLS_MAX {
            self.out.fills.push((ts, index, report.side, report.px.as_f64()));
        }
        self.out.positions[index].push(ts, self.out.ledger.position(index));
        self.tables.fill(&self.out.header, ts, report)
    }

    fn decision(&mut self, ts: u64, record: &DecisionRecord) -> Result<(), Exit> {
        *self.out.reasons.entry(record.reason.name()).or_default() += 1;
        if record.cost_bps > 0.0 {
            let edge = &mut self.out.edge;
            edge.count += 1;
            edge.mean_abs_bps += record.mean_bps.abs();
            edge.lower_bps += record.edge_lower_bps;
            edge.cost_bps += record.cost_bps;
            edge.covered += u64::from(record.edge_lower_bps > record.cost_bps);
        }
        self.tables.decision(&self.out.header, ts, record)
    }

    /// Keeps the last record of each parent. Refused parents have no id and stand for themselves.
    fn parent(&mut self, record: &ParentRecord) {
        let known = self.parent_at.get(&record.parent_id.0);
        match known {
            Some(&at) if record.status != ParentStatus::Refused => self.out.parents[at] = *record,
            _ if self.out.parents.len() < PARENTS_MAX => {
                if record.status != ParentStatus::Refused {
                    self.parent_at.insert(record.parent_id.0, self.out.parents.len());
                }
                self.out.parents.push(*record);
            }
            _ => {}
        }
    }
}
