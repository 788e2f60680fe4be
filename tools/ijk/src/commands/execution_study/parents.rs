//! Simulated parents of a feed: one after the other, bought and sold in turn by chance.

use super::StudyArgs;
use crate::exit::Exit;
use crate::feeds;
use ijk_core::config::InstrumentConfig;
use ijk_core::{EventSource, Instrument, Qty};
use ijk_data::spec::FeedSpec;
use std::fmt::Write;

/// What a feed's symbol trades.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    first_ns: u64,
    last_ns: u64,
    volume: i64,
}

/// The parents of one feed.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// The file's text.
    pub csv: String,
    /// Parents in it.
    pub count: usize,
    /// Quantity of each, units of the instrument with most volume.
    pub qty: Qty,
}

/// Draws parents for the symbol of `spec` that trades most: as many of the horizon, a pause of a
/// tenth between, as fit into its session without the first and last twentieth, at most
/// `--parents`. Each is `--participation` of the mean volume of a horizon.
///
/// # Errors
/// 3 where the feed cannot be read or trades too little for one parent.
pub fn draw(
    spec: &FeedSpec,
    seed: u64,
    overrides: &[InstrumentConfig],
    args: &StudyArgs,
) -> Result<Drawn, Exit> {
    let mut source = feeds::open(std::slice::from_ref(spec), seed, overrides)?;
    let instruments: Vec<Instrument> = source.instruments().to_vec();
    let mut spans = vec![Span::default(); instruments.len()];
    while let Some(ev) = source.next_event()? {
        let Some(span) = spans.get_mut(ev.instrument.index()) else { continue };
        let session = instruments[ev.instrument.index()].session;
        let now = ev.ts_receive.0;
        if let Some((qty, _)) = ev.visible_trade().filter(|_| session.contains(now)) {
            span.first_ns = if span.first_ns == 0 { now } else { span.first_ns };
            span.last_ns = now;
            span.volume = span.volume.saturating_add(qty.0);
        }
    }
    let most = (0..spans.len()).max_by_key(|&i| (spans[i].volume, usize::MAX - i));
    let at = most.ok_or_else(|| Exit::data(format!("{spec}: no instrument")))?;
    cut(spec, &instruments[at], &spans[at], seed, args)
}

fn cut(
    spec: &FeedSpec,
    i: &Instrument,
    span: &Span,
    seed: u64,
    args: &StudyArgs,
) -> Result<Drawn, Exit> {
    let horizon_ns = (args.horizon_s * 1e9) as u64;
    let length_ns = span.last_ns.saturating_sub(span.first_ns);
    let step_ns = horizon_ns + horizon_ns / 10;
    let room_ns = length_ns - length_ns / 10;
    let count = ((room_ns / step_ns.max(1)) as usize).min(args.parents);
    let share = horizon_ns as f64 / length_ns.max(1) as f64 * args.participation;
    let qty = Qty((span.volume as f64 * share) as i64 / i.lot.0 * i.lot.0);
    if count == 0 || qty.0 <= 0 {
        return Err(Exit::data(format!(
            "{spec}: {} trades too little for a parent of {} s at {} of the volume",
            i.symbol, args.horizon_s, args.participation
        )));
    }
    let spread_ns = (room_ns - horizon_ns) / count as u64;
    let mut csv = "ts,symbol,side,qty,horizon_s,urgency,schedule\n".to_string();
    let mut state = seed;
    let mut first_sells = false;
    for k in 0..count {
        // Pairs of a purchase and a sale, which of them first by chance: the position stays small.
        if k % 2 == 0 {
            state =
                state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            first_sells = (state >> 40) & 1 == 1;
        }
        let side = if (k % 2 == 0) == first_sells { "sell" } else { "buy" };
        let ts = span.first_ns + length_ns / 20 + k as u64 * spread_ns;
        let units = decimal(i, qty);
        let _ =
            writeln!(csv, "{ts},{},{side},{units},{},URGENCY,SCHEDULE", i.symbol, args.horizon_s);
    }
    Ok(Drawn { csv, count, qty })
}

/// Quantity in whole units as decimal text.
fn decimal(i: &Instrument, qty: Qty) -> String {
    let e9 = i128::from(qty.0) * i128::from(i.qty_unit_e9);
    format!("{}.{:09}", e9 / 1_000_000_000, e9 % 1_000_000_000)
}
