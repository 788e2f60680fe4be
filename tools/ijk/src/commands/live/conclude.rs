//! The end of a run: files, summary, exit code.

use super::trade::Outcome;
use crate::cli::LiveArgs;
use crate::exit::{self, Exit};
use crate::header::Header;
use crate::print::{print_json, print_text};
use crate::run_dir::{KILL_LATCH, RUNS, RunDir};
use crate::{report, system};
use ijk_core::{FeedError, InstrumentId, RepairCounts};
use ijk_data::whole::write_whole;
use ijk_engine::runtime::session::SessionDone;
use ijk_risk::{Gate, TradingState};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::Ordering;

/// Writes manifest, summary, tables and page; prints; maps the outcome to an exit code.
pub(super) fn conclude(
    header: &Header,
    dir: &RunDir,
    outcome: Outcome,
    args: &LiveArgs,
) -> Result<(), Exit> {
    write_json(&dir.file("manifest.json"), &manifest(header, &outcome))?;
    let summary = summarise(header, dir, &outcome)?;
    write_json(&dir.file("summary.json"), &summary)?;
    if args.json {
        print_json(&summary);
    } else {
        print_text(&report::text::summary(&summary));
    }
    if let Err(error) = outcome.repairs {
        return Err(error.into());
    }
    judge(header, &outcome.done)
}

/// Maps how trading ended to an exit code; a halt at an outside venue latches.
fn judge(header: &Header, done: &SessionDone) -> Result<(), Exit> {
    let state = done.kernel.gate().state();
    let external = header.venue != "sim";
    if external && done.reconciled_ns.is_none() {
        return Err(Exit::new(
            exit::VENUE,
            format!(
                "venue {}: its account was never compared with ours: nothing was sent",
                header.venue
            ),
        ));
    }
    if external && state >= TradingState::Halted {
        // A halt survives the restart: a person clears it.
        std::fs::create_dir_all(RUNS)
            .and_then(|()| std::fs::write(KILL_LATCH, b"trading halted\n"))
            .map_err(|e| Exit::output(Path::new(KILL_LATCH), e))?;
    }
    if done.killed || state >= TradingState::Halted {
        return Err(Exit::new(exit::HALTED, format!("trading ended {state:?}")));
    }
    Ok(())
}

/// Builds the report and returns everything a run has to say of itself.
fn summarise(header: &Header, dir: &RunDir, outcome: &Outcome) -> Result<Value, Exit> {
    // The writer's own hashes; `ijk replay` and `ijk journal verify` find them in the files.
    let hashes = &outcome.written.hashes;
    let peak_rss_bytes = system::peak_rss_bytes();
    let tables = report::build(dir, Some(&outcome.done.clock))?;
    let counts = outcome.done.kernel.counts();
    let gate = outcome.done.kernel.gate();
    let mut summary = json!({
        "run": dir.root().display().to_string(),
        "events": counts.rows,
        "tokens": counts.tokens,
        "decisions": counts.decisions,
        "orders": counts.orders,
        "fills": counts.fills,
        "refusals": tables.refusals,
        "pnl_usd": round(gate.pnl_usd()),
        "fees_usd": round(gate.fees_usd()),
        "max_drawdown_usd": round(gate.drawdown_max_usd()),
        "decisions_sha256": hashes.decisions,
        "journal_sha256": hashes.journal,
        "peak_rss_bytes": peak_rss_bytes,
        "allocs_after_warmup": outcome.done.allocs_after_warmup,
        "events_per_cpu_s": (counts.rows as f64 / outcome.cpu_s.max(1e-6)).round(),
    });
    let extra = more(header, outcome, &tables);
    if let (Value::Object(all), Value::Object(more)) = (&mut summary, extra) {
        all.extend(more);
    }
    Ok(summary)
}

/// What goes into the summary beyond what others rely on.
fn more(header: &Header, outcome: &Outcome, tables: &report::Built) -> Value {
    let gate = outcome.done.kernel.gate();
    json!({
        "wall_s": outcome.wall_s,
        "cpu_s": outcome.cpu_s,
        "trading_state": format!("{:?}", gate.state()),
        "decision_reasons": tables.reasons,
        "parents": tables.parents,
        "execution_quality": tables.quality,
        "performance": tables.performance,
        "latency_ns": tables.latency,
        "repairs": repairs_json(&outcome.repairs),
        "journal_bytes": outcome.written.bytes,
        "page_faults_after_warmup": outcome.done.faults_after_warmup.map(|f| {
            json!({ "minor": f.minor, "major": f.major })
        }),
        "journal_backend": outcome.written.backend,
        "journal_stalls": outcome.done.journal_stalls,
        "feed_stalls": outcome.shared.stalls.load(Ordering::Relaxed),
        "feed_dropped": outcome.shared.dropped.load(Ordering::Relaxed),
        "delay_overflows": outcome.done.delay_overflows,
        "samples_dropped": outcome.done.samples_dropped,
        "killed": outcome.done.killed,
        "orders_sent": outcome.done.outbox.sent,
        "orders_withdrawn": outcome.done.outbox.withdrawn,
        "intent_wait_ns_max": outcome.done.outbox.wait_ns_max,
        "reconciled_ns": outcome.done.reconciled_ns,
        "unknown_orders": outcome.done.kernel.truth().unknown_count(),
        "encoder": encoder_json(header, &outcome.done),
        "positions": positions_json(header, gate),
    })
}

/// Where the encoder ran, and how long it took where that was outside the core.
fn encoder_json(header: &Header, done: &SessionDone) -> Value {
    let Some(place) = &done.place else {
        let runs = header.weights.is_some();
        return json!({ "place": if runs { "cpu" } else { "none" } });
    };
    let ns = |q: f64| place.step_ns.value_at_quantile(q);
    json!({
        "place": "cuda",
        "left_after_tokens": place.left.as_ref().map(|l| l.0),
        "left_why": place.left.as_ref().map(|l| &l.1),
        "step_ns": {
            "p50": ns(0.5), "p99": ns(0.99), "p999": ns(0.999), "max": place.step_ns.max(),
        },
    })
}

fn positions_json(header: &Header, gate: &Gate) -> Value {
    let position = |i: usize| gate.position(InstrumentId(i as u16)).0;
    let held = header.instruments.iter().enumerate().filter(|(i, _)| position(*i) != 0);
    Value::Object(held.map(|(i, x)| (x.symbol.to_string(), json!(position(i)))).collect())
}

fn manifest(header: &Header, outcome: &Outcome) -> Value {
    json!({
        "format": header.format,
        "version": env!("CARGO_PKG_VERSION"),
        "commit": env!("IJK_COMMIT"),
        "finished": jiff::Timestamp::now().to_string(),
        "machine": system::cpu_name(),
        "seed": header.config.run.seed,
        "data": header.data,
        "venue": header.venue,
        "weights": header.weights,
        "instruments": header.instruments,
        "config": header.config,
        "repairs": repairs_json(&outcome.repairs),
        "wall_s": outcome.wall_s,
        "cpu_s": outcome.cpu_s,
    })
}

fn repairs_json(repairs: &Result<RepairCounts, FeedError>) -> Value {
    match repairs {
        Ok(counts) => {
            Value::Object(counts.named().iter().map(|(k, v)| ((*k).into(), json!(v))).collect())
        }
        Err(error) => json!({ "error": error.to_string() }),
    }
}

fn write_json(path: &Path, value: &Value) -> Result<(), Exit> {
    Ok(write_whole(path, format!("{value:#}\n").as_bytes(), true)?)
}

fn round(dollars: f64) -> f64 {
    (dollars * 1e4).round() / 1e4
}
