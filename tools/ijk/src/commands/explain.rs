//! `ijk explain`: one decision, from the journal; every number stands in the record.

use crate::cli::ExplainArgs;
use crate::exit::{self, Exit};
use crate::header::Header;
use crate::print::{print_json, print_text};
use crate::run_dir::RunDir;
use ijk_core::features::FEATURE_NAMES;
use ijk_core::forecast::HORIZONS;
use ijk_core::record::{DecisionRecord, RecordKind};
use ijk_journal::{Reader, RecoveryMode};
use serde_json::json;
use std::fmt::Write;

/// Explains a decision.
///
/// # Errors
/// 2 if the run has no such decision, 78 for a damaged journal.
pub fn run(args: &ExplainArgs) -> Result<(), Exit> {
    let dir = RunDir::open(&args.run)?;
    let corrupt = |e| Exit::new(exit::UNSAFE, e);
    let mut reader = Reader::open(&dir.journal(), RecoveryMode::TornTail).map_err(corrupt)?;
    let header = Header::read(&mut reader)?;
    while let Some(frame) = reader.next().map_err(corrupt)? {
        if frame.kind != RecordKind::Decision {
            continue;
        }
        let record: DecisionRecord = frame.read().map_err(corrupt)?;
        if record.decision_id == args.decision {
            let horizon = HORIZONS[header.config.sizing.horizon_index];
            let symbol = header.instruments[record.instrument.index()].symbol;
            if args.json {
                print_json(&as_json(&record, symbol.as_str()));
            } else {
                print_text(&as_text(&record, symbol.as_str(), horizon));
            }
            return Ok(());
        }
    }
    Err(Exit::usage(format!("{}: no decision {}", dir.root().display(), args.decision)))
}

fn as_json(r: &DecisionRecord, symbol: &str) -> serde_json::Value {
    let features: serde_json::Map<_, _> =
        FEATURE_NAMES.iter().zip(r.features).map(|(n, v)| ((*n).into(), json!(v))).collect();
    json!({
        "decision": r.decision_id, "symbol": symbol, "token": r.token_index,
        "event": r.event_index, "ts_event": r.ts_exchange.0, "mid": r.mid,
        "mean_bps": r.mean_bps, "epistemic_var": r.epistemic_var,
        "aleatoric_var": r.aleatoric_var, "edge_lower_bps": r.edge_lower_bps,
        "cost_bps": r.cost_bps, "kelly_fraction": r.kelly_fraction, "target": r.target.0,
        "position": r.position.0, "parent": r.parent_id.0, "reason": r.reason.name(),
        "features": features,
    })
}

fn as_text(r: &DecisionRecord, symbol: &str, horizon: u32) -> String {
    let mut text = format!(
        "decision {} ({symbol}, token {}, event {}): {}\n",
        r.decision_id,
        r.token_index,
        r.event_index,
        r.reason.name()
    );
    let _ = writeln!(
        text,
        "  forecast over {horizon} tokens: {:.3} bps, epistemic sd {:.3}, aleatoric sd {:.3}",
        r.mean_bps,
        r.epistemic_var.sqrt(),
        r.aleatoric_var.sqrt()
    );
    let _ = writeln!(
        text,
        "  edge: lower 95 % bound {:.3} bps against a cost of {:.3} bps",
        r.edge_lower_bps, r.cost_bps
    );
    let _ = writeln!(
        text,
        "  position {} -> target {} (Kelly fraction {:.4}), parent {}",
        r.position.0, r.target.0, r.kelly_fraction, r.parent_id.0
    );
    for (name, value) in FEATURE_NAMES.iter().zip(r.features) {
        let _ = writeln!(text, "  {name:<13} {value:>12.4}");
    }
    text
}
