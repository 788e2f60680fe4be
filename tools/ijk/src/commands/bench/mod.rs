//! `ijk bench`: latency and throughput of this build on this machine.

mod adapter;
mod journaled;
mod measure;
mod open;
mod rows;
mod steps;
mod trading;

use crate::cli::{BenchArgs, BenchWhat};
use crate::exit::Exit;
use crate::print::{print_json, print_text};
use crate::{feeds, progress, system, weights};
use ijk_core::{DepthKind, EventSource, Instrument, MarketEvent};
use measure::Result1;
use serde_json::{Map, Value, json};

pub use trading::Trading;

/// Records kept in memory for the benches; a longer feed is cut here.
const RECORDS_MAX: usize = 2_000_000;
/// Session measured without `--feed`.
const DEFAULT_FEED: &str = "synth:1:120";

/// A feed in memory, so that its decoding is not measured with the rest.
pub struct Rows {
    /// Instrument table.
    pub instruments: Vec<Instrument>,
    /// How each instrument describes its book.
    pub depths: Vec<DepthKind>,
    /// Records.
    pub records: Vec<MarketEvent>,
}

/// Measures and prints.
///
/// # Errors
/// 2 for usage, 3 for bad input.
pub fn run(args: &BenchArgs) -> Result<(), Exit> {
    let rows = load(args.feed.as_deref().unwrap_or(DEFAULT_FEED))?;
    let Some((encoder, id)) = weights::load_weights(&args.weights)? else {
        return Err(Exit::usage("--weights none: the benches need weights"));
    };
    let bar = progress::bar(None, "bench", args.json);
    let mut results = Vec::new();
    let mut ratios = serde_json::Map::new();
    let wants = |what| args.what == BenchWhat::All || args.what == what;
    if wants(BenchWhat::Book) {
        results.push(steps::book(&rows)?);
    }
    if wants(BenchWhat::Features) {
        results.push(steps::features(&rows)?);
    }
    if wants(BenchWhat::Infer) {
        results.extend(steps::infer(&rows, &encoder)?);
    }
    if wants(BenchWhat::Hotpath) {
        results.extend(steps::hotpath(&rows, &encoder, args.rate)?);
    }
    if wants(BenchWhat::Adapter) {
        results.extend(adapter::adapter(&rows, &encoder)?);
    }
    if wants(BenchWhat::Ring) {
        results.push(steps::ring()?);
    }
    if wants(BenchWhat::Journal) {
        results.push(steps::journal(&rows)?);
        let found = journaled::journaled(&rows)?;
        results.extend(found.results);
        ratios.insert("kernel.journal_on/off".to_string(), found.ratio);
    }
    if wants(BenchWhat::Replay) {
        results.push(rows::replay(&rows)?);
        results.push(rows::ticks_scan(&rows)?);
    }
    if wants(BenchWhat::Backtest) {
        results.push(rows::backtest_top(&rows)?);
    }
    bar.finish_and_clear();
    report(&results, &ratios, &id.sha256, args);
    Ok(())
}

fn load(spec: &str) -> Result<Rows, Exit> {
    let specs = feeds::parse_specs(&[spec.to_string()])?;
    let mut source = feeds::open(&specs, 1, &[])?;
    let mut records = Vec::new();
    while records.len() < RECORDS_MAX {
        let Some(ev) = source.next_event()? else { break };
        records.push(ev);
    }
    let instruments = source.instruments().to_vec();
    let depths = (0..instruments.len()).map(|i| source.depth_kind(i)).collect();
    Ok(Rows { instruments, depths, records })
}

fn report(results: &[Result1], ratios: &Map<String, Value>, sha256: &str, args: &BenchArgs) {
    if args.json {
        let rows: Vec<_> = results.iter().map(Result1::json).collect();
        print_json(&json!({
            "machine": {
                "cpu": system::cpu_name(),
                "cores": std::thread::available_parallelism().map_or(1, usize::from),
            },
            "commit": env!("IJK_COMMIT"),
            "weights_sha256": sha256,
            "open_loop_rate_per_s": args.rate,
            "results": rows,
            "ratios": ratios,
        }));
        return;
    }
    print_text(&format!("{}, commit {}\n", system::cpu_name(), env!("IJK_COMMIT")));
    print_text(&format!(
        "{:<28} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>12}\n",
        "name", "n", "min", "p50", "p99", "p99.9", "max", "cpu_best"
    ));
    for r in results {
        print_text(&r.line());
    }
    for (name, ratio) in ratios {
        let part = |key: &str| ratio[key].as_f64().unwrap_or(f64::NAN);
        print_text(&format!("{name}: p50 {:.3}, p99 {:.3}\n", part("p50"), part("p99")));
    }
    print_text("ns a call; rates are per CPU second (cpu_best)\n");
    if results.iter().any(|r| r.name.ends_with(".open")) {
        let rate = args.rate;
        print_text(&format!(
            ".open, .recorded: {rate} records a second, evenly or as recorded, from when each was \
             due; the rows above them one after the other\n"
        ));
    }
}
