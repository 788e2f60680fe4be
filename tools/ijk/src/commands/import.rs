//! `ijk import` and `ijk synth`: any feed to the tick store.

use crate::cli::{ImportArgs, OutArgs, SynthArgs};
use crate::exit::Exit;
use crate::print::{print_json, print_text};
use crate::{feeds, progress};
use ijk_core::{DepthKind, EventSource, Instrument, InstrumentId, MarketEvent};
use ijk_data::spec::FeedSpec;
use ijk_data::ticks::TickWriter;
use serde_json::json;

/// Nanoseconds of one day.
const DAY_NS: u64 = 86_400 * 1_000_000_000;

/// Imports a feed.
///
/// # Errors
/// 3 for bad input (nothing is written then), 2 for an output that exists.
pub fn run(args: &ImportArgs) -> Result<(), Exit> {
    let specs = feeds::parse_specs(std::slice::from_ref(&args.spec))?;
    let day = args.date.as_deref().map(parse_day).transpose()?;
    let filter = Filter { symbol: args.symbol.as_deref(), day };
    store(&specs, &filter, 1, &args.out)
}

/// Stores a synthetic session.
///
/// # Errors
/// As [`run`].
pub fn synth(args: &SynthArgs) -> Result<(), Exit> {
    let spec = FeedSpec::Synth {
        seed: Some(args.seed),
        minutes: Some(args.minutes),
        symbols: Some(args.symbols),
    };
    store(&[spec], &Filter { symbol: None, day: None }, args.seed, &args.out)
}

struct Filter<'a> {
    symbol: Option<&'a str>,
    /// First nanosecond of the UTC day to keep.
    day: Option<u64>,
}

fn parse_day(text: &str) -> Result<u64, Exit> {
    let date: jiff::civil::Date =
        text.parse().map_err(|_| Exit::usage(format!("--date {text}: expected YYYY-MM-DD")))?;
    let start = date.in_tz("UTC").map_err(Exit::usage)?.timestamp().as_nanosecond();
    u64::try_from(start).map_err(|_| Exit::usage(format!("--date {text}: before 1970")))
}

fn store(specs: &[FeedSpec], filter: &Filter<'_>, seed: u64, out: &OutArgs) -> Result<(), Exit> {
    let mut source = feeds::open(specs, seed, &[])?;
    let all: Vec<Instrument> = source.instruments().to_vec();
    let only = match filter.symbol {
        Some(_) => Some(feeds::choose_symbol(&all, filter.symbol)?),
        None => None,
    };
    let kept: Vec<usize> = only.map_or_else(|| (0..all.len()).collect(), |i| vec![i]);
    let instruments: Vec<Instrument> = kept.iter().map(|&i| all[i]).collect();
    let depths: Vec<DepthKind> = kept.iter().map(|&i| source.depth_kind(i)).collect();
    let mut writer = TickWriter::create(&out.out, &instruments, &depths, out.force)?;
    let bar = progress::bar(None, "import", out.json);
    let (mut records, mut rows) = (0u64, 0u64);
    while let Some(ev) = source.next_event()? {
        let Some(ev) = keep(&ev, only, filter.day) else { continue };
        writer.push(&ev)?;
        records += 1;
        rows += u64::from(ev.ends_row());
        if records & 0xffff == 0 {
            bar.set_message(format!("{records} records"));
        }
    }
    let repairs = source.repairs();
    writer.finish(&repairs)?;
    bar.finish_and_clear();
    let mended: serde_json::Map<_, _> =
        repairs.named().iter().map(|(k, v)| ((*k).to_string(), json!(v))).collect();
    if out.json {
        print_json(&json!({
            "out": out.out.display().to_string(),
            "records": records,
            "events": rows,
            "instruments": instruments,
            "repairs": mended,
        }));
    } else {
        print_text(&format!(
            "{}: {rows} events in {records} records, {} symbols\n",
            out.out.display(),
            instruments.len()
        ));
        for (name, count) in repairs.named().iter().filter(|r| r.1 > 0) {
            print_text(&format!("  repaired {name}: {count}\n"));
        }
    }
    Ok(())
}

fn keep(ev: &MarketEvent, only: Option<usize>, day: Option<u64>) -> Option<MarketEvent> {
    let mut ev = *ev;
    if let Some(index) = only {
        if ev.instrument.index() != index {
            return None;
        }
        ev.instrument = InstrumentId(0);
    }
    let inside =
        day.is_none_or(|start| ev.ts_exchange.0 >= start && ev.ts_exchange.0 - start < DAY_NS);
    inside.then_some(ev)
}
