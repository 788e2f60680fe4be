//! Instruments out of the first lines: symbols, tick, lot.

use super::json::{Field, Kind, Message, Pair};
use super::{Lines, parse};
use crate::input::Row;
use ijk_core::limits::INSTRUMENT_COUNT_MAX;
use ijk_core::num::parse_decimal_e9;
use ijk_core::{Currency, FeedError, FeedErrorKind, Instrument, Px, Qty, Session, Symbol};
use std::collections::VecDeque;

const LOOK_AHEAD_LINES: usize = 2_000;
const LOOK_AHEAD_BYTES: usize = 8 << 20;

struct Seen {
    symbol: Symbol,
    px_gcd: u64,
    qty_gcd: u64,
}

pub(super) type Prefix = VecDeque<(u64, Vec<u8>)>;

/// Reads the first lines and returns them with the instruments found in them.
pub(super) fn look_ahead(lines: &mut Lines) -> Result<(Prefix, Vec<Instrument>), FeedError> {
    let (mut prefix, mut bytes) = (Prefix::new(), 0);
    let mut seen: Vec<Seen> = Vec::new();
    while prefix.len() < LOOK_AHEAD_LINES && bytes < LOOK_AHEAD_BYTES {
        let Some(row) = lines.next_row()? else { break };
        note(&row, &mut seen)?;
        bytes += row.bytes.len();
        prefix.push_back((row.line, row.bytes.to_vec()));
    }
    if seen.is_empty() {
        let row = Row { file: lines.name(), line: 0, bytes: &[] };
        let detail = "no line names a symbol: expected lines of '<local ns> <json>'".to_string();
        return Err(row.error(FeedErrorKind::Format, "", detail));
    }
    Ok((prefix, seen.iter().map(instrument).collect()))
}

fn note(row: &Row<'_>, seen: &mut Vec<Seen>) -> Result<(), FeedError> {
    let (_, message) = parse(row)?;
    if message.kind() == Kind::Other {
        return Ok(());
    }
    let index = match message.symbol_text() {
        Some(text) => Some(find_or_add(row, text, seen)?),
        None => (seen.len() == 1).then_some(0),
    };
    if let Some(seen) = index.and_then(|index| seen.get_mut(index)) {
        amounts(&message, seen);
    }
    Ok(())
}

fn find_or_add(row: &Row<'_>, text: &str, seen: &mut Vec<Seen>) -> Result<usize, FeedError> {
    if let Some(index) = seen.iter().position(|s| s.symbol.as_str() == text) {
        return Ok(index);
    }
    let symbol = Symbol::new(text)
        .map_err(|e| row.field_error("s", &format!("a symbol ({e})"), text.as_bytes()))?;
    if seen.len() == INSTRUMENT_COUNT_MAX {
        let detail = format!("expected at most {INSTRUMENT_COUNT_MAX} symbols");
        return Err(row.error(FeedErrorKind::Range, "s", detail));
    }
    seen.push(Seen { symbol, px_gcd: 0, qty_gcd: 0 });
    Ok(seen.len() - 1)
}

/// Takes the amounts into the divisors. What does not parse is left for the reader to refuse.
fn amounts(message: &Message<'_>, seen: &mut Seen) {
    for field in [&message.b, &message.a, &message.bids, &message.asks] {
        match field {
            Field::Levels(levels) => {
                levels.iter().for_each(|pair: &Pair<'_>| {
                    divide(&mut seen.px_gcd, pair.0);
                    divide(&mut seen.qty_gcd, pair.1);
                });
            }
            Field::Text(px) => divide(&mut seen.px_gcd, px),
            _ => {}
        }
    }
    if let Field::Text(px) = message.price {
        divide(&mut seen.px_gcd, px);
    }
    for field in [&message.bid_qty, &message.ask_qty, &message.qty] {
        if let Field::Text(qty) = field {
            divide(&mut seen.qty_gcd, qty);
        }
    }
}

fn divide(divisor: &mut u64, text: &str) {
    if let Ok(value) = parse_decimal_e9(text.as_bytes()) {
        *divisor = gcd(*divisor, value.unsigned_abs());
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn instrument(seen: &Seen) -> Instrument {
    let name = seen.symbol.as_str();
    // COIN-M names end in the pair and a contract (`BTCUSD_PERP`, `BTCUSD_240927`).
    let coin_margined = name.split_once('_').is_some_and(|(pair, _)| pair.ends_with("USD"));
    let pair = name.split('_').next().unwrap_or(name);
    let currency = match pair {
        _ if coin_margined => Currency::Other,
        _ if pair.ends_with("USDT") => Currency::Usdt,
        _ if pair.ends_with("EUR") => Currency::Eur,
        _ if pair.ends_with("USD") && !pair.ends_with("BUSD") && !pair.ends_with("FDUSD") => {
            Currency::Usd
        }
        _ => Currency::Other,
    };
    let step = |divisor: u64| i64::try_from(divisor).unwrap_or(1).max(1);
    Instrument {
        symbol: seen.symbol,
        currency,
        tick: Px(step(seen.px_gcd)),
        lot: Qty(step(seen.qty_gcd)),
        qty_unit_e9: 1,
        session: Session::ALWAYS,
    }
}
