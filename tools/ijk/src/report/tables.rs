//! The Parquet tables of a run.

use super::ledger::Ledger;
use super::quality::{BENCHMARKS, ParentQuality, Parts};
use super::stats::{Shortfall, shortfall};
use crate::exit::Exit;
use crate::header::Header;
use crate::run_dir::RunDir;
use crate::table::{Kind, Table};
use ijk_core::features::FEATURE_NAMES;
use ijk_core::forecast::{HORIZON_COUNT, HORIZONS};
use ijk_core::limits::MEMBER_COUNT_MAX;
use ijk_core::record::{DecisionRecord, ParentRecord, ParentStatus, Urgency};
use ijk_core::{
    CancelOrder, InstrumentId, NewOrder, OrderType, Qty, Side, TimeInForce, VenueReport,
};
use ijk_engine::Stage;
use ijk_engine::runtime::stages::StageSample;
use std::fs::File;
use std::io::{BufReader, Read};

/// Every table of a run, open for writing.
pub struct Tables {
    decisions: Table,
    orders: Table,
    fills: Table,
    equity: Table,
    parents: Table,
    samples: Samples,
}

/// Stage samples in the order of decisions; dropped ones are missing.
struct Samples {
    file: Option<BufReader<File>>,
    next: Option<StageSample>,
}

impl Samples {
    fn open(dir: &RunDir) -> Samples {
        let mut samples =
            Samples { file: File::open(dir.samples()).ok().map(BufReader::new), next: None };
        samples.advance();
        samples
    }

    fn advance(&mut self) {
        let mut bytes = [0u8; StageSample::BYTES];
        let read = self.file.as_mut().and_then(|f| f.read_exact(&mut bytes).ok());
        self.next = read.map(|()| StageSample::from_bytes(&bytes));
    }

    fn take(&mut self, decision_id: u64) -> Option<StageSample> {
        while self.next.is_some_and(|s| s.decision_id < decision_id) {
            self.advance();
        }
        let found = self.next.filter(|s| s.decision_id == decision_id);
        if found.is_some() {
            self.advance();
        }
        found
    }
}

impl Tables {
    /// Starts all tables of a run, replacing older ones when they are finished.
    ///
    /// # Errors
    /// 2 if a file cannot be written.
    pub fn create(dir: &RunDir) -> Result<Tables, Exit> {
        let table =
            |name: &str, columns: &[(String, Kind)]| Table::create(&dir.file(name), columns, true);
        Ok(Tables {
            decisions: table("decisions.parquet", &decision_columns())?,
            orders: table("orders.parquet", &named(&ORDER_COLUMNS))?,
            fills: table("fills.parquet", &named(&FILL_COLUMNS))?,
            equity: table("equity.parquet", &named(&EQUITY_COLUMNS))?,
            parents: table("parents.parquet", &parent_columns())?,
            samples: Samples::open(dir),
        })
    }

    /// Completes all tables.
    ///
    /// # Errors
    /// 2 if a file cannot be written.
    pub fn finish(self) -> Result<(), Exit> {
        for table in [self.decisions, self.orders, self.fills, self.equity, self.parents] {
            table.finish()?;
        }
        Ok(())
    }

    /// Adds a decision.
    ///
    /// # Errors
    /// As [`Tables::finish`].
    pub fn decision(&mut self, h: &Header, ts: u64, r: &DecisionRecord) -> Result<(), Exit> {
        let i = &h.instruments[r.instrument.index()];
        let t = &mut self.decisions;
        t.int(r.decision_id as i64).text(i.symbol.as_str()).int(r.token_index as i64);
        t.int(r.event_index as i64).int(r.ts_exchange.0 as i64).int(ts as i64);
        t.text(r.reason.name()).float(r.mid).float(r.mean_bps).float(r.epistemic_var);
        t.float(r.aleatoric_var).float(r.edge_lower_bps).float(r.cost_bps);
        t.float(r.kelly_fraction).float(i.qty_as_f64(r.target)).float(i.qty_as_f64(r.position));
        t.int(i64::from(r.parent_id.0));
        for value in r.features {
            t.float(value);
        }
        let members = r.forecast.member_count as usize;
        for m in 0..MEMBER_COUNT_MAX {
            for h in 0..HORIZON_COUNT {
                let f = r.forecast.members[m][h];
                let known = m < members;
                let p = f.probabilities();
                for v in [p[0], p[2], f.mean_bps, f.sd_bps()] {
                    t.float(if known { f64::from(v) } else { f64::NAN });
                }
            }
        }
        let sample = self.samples.take(r.decision_id);
        for stage in 0..Stage::COUNT {
            t.int(sample.map_or(-1, |s| i64::from(s.stage_ns[stage])));
        }
        t.int(sample.map_or(-1, |s| i64::from(s.total_ns)));
        t.end_row()
    }

    /// Adds an order that left or was refused.
    ///
    /// # Errors
    /// As [`Tables::finish`].
    pub fn order(
        &mut self,
        h: &Header,
        ts: u64,
        action: &str,
        o: &NewOrder,
        reason: &str,
    ) -> Result<(), Exit> {
        let i = &h.instruments[o.instrument.index()];
        let t = &mut self.orders;
        t.int(ts as i64).text(action).int(o.client_order_id.0 as i64);
        t.int(i64::from(o.parent_id.0)).text(i.symbol.as_str()).text(side_name(o.side));
        t.float(i.qty_as_f64(o.qty)).float(o.px.as_f64());
        t.text(match o.order_type {
            OrderType::Market => "market",
            OrderType::Limit => "limit",
        });
        t.text(match o.tif {
            TimeInForce::Day => "day",
            TimeInForce::Ioc => "ioc",
            TimeInForce::Gtc => "gtc",
        });
        t.text(reason);
        t.end_row()
    }

    /// Adds a cancel.
    ///
    /// # Errors
    /// As [`Tables::finish`].
    pub fn cancel(&mut self, h: &Header, ts: u64, c: &CancelOrder) -> Result<(), Exit> {
        let t = &mut self.orders;
        t.int(ts as i64).text("cancel").int(c.client_order_id.0 as i64).int(0);
        t.text(symbol(h, c.instrument)).text("").float(f64::NAN).float(f64::NAN);
        t.text("").text("").text("");
        t.end_row()
    }

    /// Adds a fill.
    ///
    /// # Errors
    /// As [`Tables::finish`].
    pub fn fill(&mut self, h: &Header, ts: u64, r: &VenueReport) -> Result<(), Exit> {
        let i = &h.instruments[r.instrument.index()];
        let t = &mut self.fills;
        t.int(ts as i64).int(r.ts_exchange.0 as i64).int(r.client_order_id.0 as i64);
        t.int(r.exec_id.0 as i64).text(i.symbol.as_str()).text(side_name(r.side));
        t.float(i.qty_as_f64(r.qty)).float(r.px.as_f64()).float(r.fee_e9 as f64 * 1e-9);
        t.text(if r.maker == 1 { "maker" } else { "taker" });
        t.end_row()
    }

    /// Adds a point of the equity curve.
    ///
    /// # Errors
    /// As [`Tables::finish`].
    pub fn equity(&mut self, ts: u64, l: &Ledger) -> Result<(), Exit> {
        self.equity.int(ts as i64).float(l.pnl_usd()).float(l.fees_usd()).float(l.gross_usd());
        self.equity.end_row()
    }

    /// Adds a parent's last state.
    ///
    /// # Errors
    /// As [`Tables::finish`].
    pub fn parent(
        &mut self,
        h: &Header,
        p: &ParentRecord,
        quality: Option<&ParentQuality>,
    ) -> Result<(), Exit> {
        let i = &h.instruments[p.instrument.index()];
        let s = parent_shortfall(h, p);
        let t = &mut self.parents;
        t.int(i64::from(p.parent_id.0)).int(i64::from(p.source_line)).int(p.decision_id as i64);
        t.text(i.symbol.as_str()).text(side_name(p.side)).text(urgency_name(p.urgency));
        t.text(status_name(p.status)).int(p.ts_start.0 as i64).int(p.ts_end.0 as i64);
        for qty in [p.qty, p.filled, p.working, p.unsent, p.abandoned] {
            t.float(i.qty_as_f64(qty));
        }
        t.float(p.arrival_mid).float(p.mid);
        t.float(if p.filled.0 > 0 { p.filled_value / p.filled.0 as f64 } else { f64::NAN });
        t.float(s.execution).float(s.opportunity).float(s.fees).float(s.total_bps);
        t.text(p.schedule.name()).int(i64::from(p.replan_count));
        let (orders, cancels) = quality.map_or((0, 0), |q| q.messages);
        t.int(i64::from(orders)).int(i64::from(cancels));
        t.float(quality.map_or(f64::NAN, |q| q.maker_share));
        let parts = quality.map_or([0; 6], |q| q.parts.rounded_e9());
        for part in parts {
            t.int(part);
        }
        t.int(parts.iter().sum());
        t.float(quality.map_or(f64::NAN, |q| q.bps(q.shortfall)));
        for b in 0..BENCHMARKS.len() {
            t.float(quality.map_or(f64::NAN, |q| q.benchmarks[b]));
            t.float(quality.map_or(f64::NAN, |q| q.slippage_bps(b)));
        }
        t.end_row()
    }
}

/// Returns the implementation shortfall of a parent.
pub fn parent_shortfall(h: &Header, p: &ParentRecord) -> Shortfall {
    let i = &h.instruments[p.instrument.index()];
    let unit = i.qty_as_f64(Qty(1));
    shortfall(
        p.side.sign() as f64,
        p.arrival_mid,
        p.mid,
        i.qty_as_f64(p.filled),
        p.filled_value * unit,
        i.qty_as_f64(Qty(p.qty.0 - p.filled.0)),
        p.fee_e9 as f64 * 1e-9,
    )
}

fn symbol(h: &Header, id: InstrumentId) -> &str {
    h.instruments.get(id.index()).map_or("?", |i| i.symbol.as_str())
}

/// Returns `buy` or `sell`.
pub fn side_name(side: Side) -> &'static str {
    match side {
        Side::Bid => "buy",
        Side::Ask => "sell",
    }
}

/// Returns the name used in parents files.
pub fn urgency_name(u: Urgency) -> &'static str {
    match u {
        Urgency::Passive => "passive",
        Urgency::Normal => "normal",
        Urgency::Urgent => "urgent",
    }
}

/// Returns the name used in tables.
pub fn status_name(s: ParentStatus) -> &'static str {
    match s {
        ParentStatus::Active => "active",
        ParentStatus::Done => "done",
        ParentStatus::Abandoned => "abandoned",
        ParentStatus::Refused => "refused",
    }
}

const ORDER_COLUMNS: [(&str, Kind); 11] = [
    ("ts", Kind::Int),
    ("action", Kind::Text),
    ("client_order_id", Kind::Int),
    ("parent_id", Kind::Int),
    ("symbol", Kind::Text),
    ("side", Kind::Text),
    ("qty", Kind::Float),
    ("px", Kind::Float),
    ("type", Kind::Text),
    ("tif", Kind::Text),
    ("reason", Kind::Text),
];

const FILL_COLUMNS: [(&str, Kind); 10] = [
    ("ts", Kind::Int),
    ("ts_exchange", Kind::Int),
    ("client_order_id", Kind::Int),
    ("exec_id", Kind::Int),
    ("symbol", Kind::Text),
    ("side", Kind::Text),
    ("qty", Kind::Float),
    ("px", Kind::Float),
    ("fee_usd", Kind::Float),
    ("liquidity", Kind::Text),
];

const EQUITY_COLUMNS: [(&str, Kind); 4] = [
    ("ts", Kind::Int),
    ("pnl_usd", Kind::Float),
    ("fees_usd", Kind::Float),
    ("gross_usd", Kind::Float),
];

const PARENT_COLUMNS: [(&str, Kind); 21] = [
    ("parent_id", Kind::Int),
    ("source_line", Kind::Int),
    ("decision_id", Kind::Int),
    ("symbol", Kind::Text),
    ("side", Kind::Text),
    ("urgency", Kind::Text),
    ("status", Kind::Text),
    ("ts_start", Kind::Int),
    ("ts_end", Kind::Int),
    ("qty", Kind::Float),
    ("filled", Kind::Float),
    ("working", Kind::Float),
    ("unsent", Kind::Float),
    ("abandoned", Kind::Float),
    ("arrival_mid", Kind::Float),
    ("end_mid", Kind::Float),
    ("avg_px", Kind::Float),
    ("is_execution", Kind::Float),
    ("is_opportunity", Kind::Float),
    ("is_fees", Kind::Float),
    ("is_total_bps", Kind::Float),
];

fn parent_columns() -> Vec<(String, Kind)> {
    let mut columns = named(&PARENT_COLUMNS);
    columns.push(("schedule".to_string(), Kind::Text));
    for name in ["replans", "orders", "cancels"] {
        columns.push((name.to_string(), Kind::Int));
    }
    columns.push(("maker_share".to_string(), Kind::Float));
    for name in Parts::NAMES.iter().chain(&["total"]) {
        columns.push((format!("cost_{name}_e9"), Kind::Int));
    }
    columns.push(("cost_total_bps".to_string(), Kind::Float));
    for name in BENCHMARKS {
        columns.push((format!("{name}_px"), Kind::Float));
        columns.push((format!("{name}_slippage_bps"), Kind::Float));
    }
    columns
}

fn named(columns: &[(&str, Kind)]) -> Vec<(String, Kind)> {
    columns.iter().map(|(n, k)| ((*n).to_string(), *k)).collect()
}

fn decision_columns() -> Vec<(String, Kind)> {
    let mut columns = named(&[
        ("decision_id", Kind::Int),
        ("symbol", Kind::Text),
        ("token_index", Kind::Int),
        ("event_index", Kind::Int),
        ("ts_event", Kind::Int),
        ("ts", Kind::Int),
        ("reason", Kind::Text),
        ("mid", Kind::Float),
        ("mean_bps", Kind::Float),
        ("epistemic_var", Kind::Float),
        ("aleatoric_var", Kind::Float),
        ("edge_lower_bps", Kind::Float),
        ("cost_bps", Kind::Float),
        ("kelly_fraction", Kind::Float),
        ("target", Kind::Float),
        ("position", Kind::Float),
        ("parent_id", Kind::Int),
    ]);
    columns.extend(FEATURE_NAMES.map(|n| (n.to_string(), Kind::Float)));
    for m in 0..MEMBER_COUNT_MAX {
        for h in HORIZONS {
            for what in ["p_down", "p_up", "mean_bps", "sd_bps"] {
                columns.push((format!("m{m}_{what}_h{h}"), Kind::Float));
            }
        }
    }
    columns.extend(Stage::ALL.map(|s| (format!("{}_ns", s.name()), Kind::Int)));
    columns.push(("total_ns".to_string(), Kind::Int));
    columns
}
