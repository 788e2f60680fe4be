//! The report of a run: Parquet tables and one self-contained HTML page, from the journal alone.

mod fold;
mod html;
pub mod latency;
mod ledger;
mod plots;
pub mod quality;
mod quality_text;
mod series;
mod stats;
pub mod tables;
pub mod text;

use crate::exit::Exit;
use crate::run_dir::RunDir;
use fold::Folded;
use ijk_core::record::{ParentRecord, ParentStatus};
use ijk_data::whole::write_whole;
use ijk_engine::runtime::stages::StageClock;
use serde_json::{Map, Value, json};

/// What a report says in numbers.
pub struct Built {
    /// Refused orders by reason.
    pub refusals: Value,
    /// Decisions by reason.
    pub reasons: Value,
    /// Execution quality by schedule and urgency.
    pub quality: Value,
    /// Every parent that started, with its execution quality.
    pub parent_quality: Vec<(ParentRecord, quality::ParentQuality)>,
    /// Parents by status and their implementation shortfall.
    pub parents: Value,
    /// Return, Sharpe, drawdown, turnover, hit rate, fees.
    pub performance: Value,
    /// Percentiles per stage.
    pub latency: Value,
}

/// Writes tables and page. `clock` holds the stage times of a run that has just ended; without
/// it those that the run kept are used.
///
/// # Errors
/// 78 for a damaged journal, 2 if a file cannot be written.
pub fn build(dir: &RunDir, clock: Option<&StageClock>) -> Result<Built, Exit> {
    let stages = match clock {
        Some(clock) => {
            let stages = latency::from_clock(clock);
            latency::write(dir, &stages)?;
            stages
        }
        None => latency::read(dir),
    };
    let mut tables = tables::Tables::create(dir)?;
    let folded = fold::fold(dir, &mut tables)?;
    tables.finish()?;
    let known = folded.parents.iter().zip(&folded.quality);
    let known: Vec<_> = known.filter_map(|(r, q)| q.map(|q| (*r, q))).collect();
    let built = Built {
        refusals: counts(folded.refusals.iter()),
        reasons: counts(folded.reasons.iter().filter(|r| *r.1 > 0)),
        quality: quality::groups::json(&known),
        parent_quality: known,
        parents: parents(&folded),
        performance: performance(&folded),
        latency: latency::json(&stages),
    };
    let page = html::page(dir, &folded, &stages, &built);
    write_whole(&dir.file("report.html"), page.as_bytes(), true)?;
    Ok(built)
}

fn counts<'a>(rows: impl Iterator<Item = (&'a &'static str, &'a u64)>) -> Value {
    Value::Object(rows.map(|(k, v)| ((*k).to_string(), json!(v))).collect::<Map<_, _>>())
}

/// Returns the execution quality as lines for a terminal; empty without parents.
pub fn quality_text(quality: &Value) -> String {
    let mut text = String::new();
    quality_text::rows(&mut text, quality);
    text
}

fn parents(f: &Folded) -> Value {
    let count = |s: ParentStatus| f.parents.iter().filter(|p| p.status == s).count();
    let mut cost_usd = 0.0;
    let mut value_usd = 0.0;
    for p in f.parents.iter().filter(|p| p.filled.0 > 0) {
        let s = tables::parent_shortfall(&f.header, p);
        let i = &f.header.instruments[p.instrument.index()];
        cost_usd += s.execution + s.opportunity + s.fees;
        value_usd += p.arrival_mid * i.qty_as_f64(p.qty);
    }
    json!({
        "total": f.parents.len(),
        "done": count(ParentStatus::Done),
        "abandoned": count(ParentStatus::Abandoned),
        "refused": count(ParentStatus::Refused),
        "active": count(ParentStatus::Active),
        "shortfall_usd": cost_usd,
        "shortfall_bps": (value_usd > 0.0).then(|| 1e4 * cost_usd / value_usd),
    })
}

fn performance(f: &Folded) -> Value {
    let equity = f.header.config.run.equity_usd;
    let pnl = f.ledger.pnl_usd();
    let (fills, maker) = f.ledger.fill_counts();
    let (trips, won) = f.ledger.trips();
    let sharpe = stats::sharpe(&f.minutes);
    let n = f.edge.count.max(1) as f64;
    json!({
        "pnl_usd": pnl,
        "return_bps": 1e4 * pnl / equity,
        "max_drawdown_usd": f.max_drawdown_usd,
        "sharpe_annual": sharpe.map(|s| s.value),
        "sharpe_annual_se": sharpe.map(|s| s.error),
        "sharpe_minutes": sharpe.map(|s| s.minutes),
        "turnover_usd": f.ledger.turnover_usd(),
        "fees_usd": f.ledger.fees_usd(),
        "fills": fills,
        "maker_fills": maker,
        "round_trips": trips,
        "hit_rate": if trips > 0 { json!(won as f64 / trips as f64) } else { json!(null) },
        "sized_decisions": f.edge.count,
        "mean_abs_edge_bps": f.edge.mean_abs_bps / n,
        "mean_edge_lower_bps": f.edge.lower_bps / n,
        "mean_cost_bps": f.edge.cost_bps / n,
        "edge_covers_cost": f.edge.covered,
        "complete": f.complete,
    })
}
