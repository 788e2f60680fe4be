//! Parent orders from a file: `ts,symbol,side,qty,horizon_s,urgency`.

use crate::exit::Exit;
use ijk_core::num::parse_decimal_e9;
use ijk_core::record::{ParentCommand, Urgency};
use ijk_core::{FeedError, FeedErrorKind, Instrument, InstrumentId, Qty, RecvTs, Side};
use ijk_data::input::show;
use sha2::{Digest, Sha256};
use std::path::Path;

const COLUMNS: [&str; 6] = ["ts", "symbol", "side", "qty", "horizon_s", "urgency"];
/// Longest horizon: one day.
const HORIZON_S_MAX: f64 = 86_400.0;

/// Reads parents, sorted by time (file order among equals).
///
/// # Errors
/// Exit code 3 with file, line, column and what was expected.
pub fn load(path: &Path, instruments: &[Instrument]) -> Result<Vec<ParentCommand>, Exit> {
    let name = path.display().to_string();
    let file =
        std::fs::File::open(path).map_err(|e| Exit::data(format!("{name}: cannot read: {e}")))?;
    read(&name, file, instruments)
}

/// Returns a number that stands for the file's bytes, never 0.
///
/// # Errors
/// Exit code 3 if it cannot be read.
pub fn fingerprint(path: &Path) -> Result<u64, Exit> {
    let bytes = std::fs::read(path)
        .map_err(|e| Exit::data(format!("{}: cannot read: {e}", path.display())))?;
    let mut head = [0u8; 8];
    head.copy_from_slice(&Sha256::digest(&bytes)[..8]);
    Ok(u64::from_le_bytes(head).max(1))
}

fn read(
    name: &str,
    source: impl std::io::Read,
    instruments: &[Instrument],
) -> Result<Vec<ParentCommand>, Exit> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source);
    let headers = reader.headers().map_err(|e| Exit::data(format!("{name}: {e}")))?.clone();
    let mut at = [0usize; COLUMNS.len()];
    for (slot, column) in at.iter_mut().zip(COLUMNS) {
        *slot = headers.iter().position(|h| h == column).ok_or_else(|| {
            Exit::data(format!("{name}:1: no column '{column}'; expected {}", COLUMNS.join(",")))
        })?;
    }
    let mut parents = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|e| Exit::data(format!("{name}: {e}")))?;
        let line = row.position().map_or(0, csv::Position::line);
        let field = |i: usize| row.get(at[i]).unwrap_or("");
        let parsed = parse(std::array::from_fn(field), line as u32, instruments);
        parents.push(parsed.map_err(|(column, expected)| {
            let found = show(row.get(at[column]).unwrap_or("").as_bytes());
            FeedError {
                kind: FeedErrorKind::Field,
                file: name.to_string(),
                line,
                field: COLUMNS[column].to_string(),
                detail: format!("expected {expected}, found '{found}'"),
            }
        })?);
    }
    parents.sort_by_key(|p| p.ts);
    Ok(parents)
}

/// Parses one row; an error is the column's index and what was expected there.
fn parse(
    field: [&str; 6],
    line: u32,
    instruments: &[Instrument],
) -> Result<ParentCommand, (usize, String)> {
    let bad = |column: usize, expected: &str| (column, expected.to_string());
    let ts = parse_ts(field[0])
        .ok_or_else(|| bad(0, "ISO 8601 with offset or nanoseconds since 1970"))?;
    let index = instruments.iter().position(|i| i.symbol.as_str() == field[1]);
    let index = index.ok_or_else(|| {
        let names: Vec<_> = instruments.iter().map(|i| i.symbol.as_str()).collect();
        (1, format!("a symbol of the feeds ({})", names.join(", ")))
    })?;
    let side = match field[2] {
        "buy" => Side::Bid,
        "sell" => Side::Ask,
        _ => return Err(bad(2, "buy or sell")),
    };
    let instrument = &instruments[index];
    let qty = parse_decimal_e9(field[3].as_bytes())
        .ok()
        .filter(|q| *q > 0 && q % instrument.qty_unit_e9 == 0)
        .map(|q| q / instrument.qty_unit_e9)
        .filter(|q| q % instrument.lot.0 == 0)
        .ok_or_else(|| bad(3, "a positive multiple of the lot"))?;
    let horizon_s = field[4]
        .parse::<f64>()
        .ok()
        .filter(|h| *h > 0.0 && *h <= HORIZON_S_MAX)
        .ok_or_else(|| bad(4, "seconds above 0, at most 86400"))?;
    let urgency = match field[5] {
        "passive" => Urgency::Passive,
        "normal" => Urgency::Normal,
        "urgent" => Urgency::Urgent,
        _ => return Err(bad(5, "passive, normal or urgent")),
    };
    Ok(ParentCommand {
        ts: RecvTs(ts),
        qty: Qty(qty),
        horizon_ns: (horizon_s * 1e9) as u64,
        source_line: line,
        instrument: InstrumentId(index as u16),
        side,
        urgency,
    })
}

fn parse_ts(text: &str) -> Option<u64> {
    if let Ok(ns) = text.parse::<u64>() {
        return Some(ns);
    }
    let stamp: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(stamp.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::Symbol;

    fn goog() -> Vec<Instrument> {
        vec![Instrument::us_equity(Symbol::new("GOOG").unwrap())]
    }

    const HEAD: &str = "ts,symbol,side,qty,horizon_s,urgency\n";

    #[test]
    fn both_kinds_of_time_and_any_column_order() {
        let text = "urgency,ts,symbol,side,qty,horizon_s\n\
                    urgent,2012-06-21T10:00:00-04:00,GOOG,sell,300,60\n\
                    passive,1340287000000000000,GOOG,buy,100,0.5\n";
        let parents = read("p", text.as_bytes(), &goog()).unwrap();
        assert_eq!(parents.len(), 2);
        assert_eq!((parents[0].qty, parents[0].source_line), (Qty(100), 3), "sorted by time");
        assert_eq!(parents[1].ts.0, 1_340_287_200_000_000_000);
        assert_eq!(parents[1].side, Side::Ask);
        assert_eq!(parents[0].horizon_ns, 500_000_000);
    }

    #[test]
    fn every_bad_field_is_named_with_its_line() {
        let cases = [
            ("yesterday,GOOG,buy,1,1,urgent", "ts"),
            ("2012-06-21T10:00:00,GOOG,buy,1,1,urgent", "ts"),
            ("1,AAPL,buy,1,1,urgent", "symbol"),
            ("1,GOOG,BUY,1,1,urgent", "side"),
            ("1,GOOG,buy,-1,1,urgent", "qty"),
            ("1,GOOG,buy,0,1,urgent", "qty"),
            ("1,GOOG,buy,1.5,1,urgent", "qty"),
            ("1,GOOG,buy,1,nan,urgent", "horizon_s"),
            ("1,GOOG,buy,1,0,urgent", "horizon_s"),
            ("1,GOOG,buy,1,1,asap", "urgency"),
        ];
        for (row, column) in cases {
            let error = read("p.csv", format!("{HEAD}{row}\n").as_bytes(), &goog()).unwrap_err();
            assert_eq!(error.code, crate::exit::DATA);
            let want = format!("p.csv:2: field '{column}': expected ");
            assert!(error.message.starts_with(&want), "{row}: {}", error.message);
        }
    }

    #[test]
    fn a_hostile_field_neither_commands_a_terminal_nor_fills_it() {
        let long = "b".repeat(100_000);
        let cases = [
            ("1,\u{1b}[2J,buy,1,1,urgent".to_string(), r"found '\u{1b}[2J'".to_string()),
            ("1,GOOG,buy,\u{7},1,urgent".to_string(), r"found '\u{7}'".to_string()),
            (format!("1,GOOG,{long},1,1,urgent"), format!("found '{}…'", &long[..40])),
        ];
        for (row, found) in cases {
            let error = read("p.csv", format!("{HEAD}{row}\n").as_bytes(), &goog()).unwrap_err();
            assert!(error.message.ends_with(&found), "{row:.40}: {:?}", error.message);
            assert!(!error.message.contains(char::is_control), "{:?}", error.message);
        }
    }

    #[test]
    fn structure_is_checked() {
        let error = read("p", "ts,symbol\n1,GOOG\n".as_bytes(), &goog()).unwrap_err();
        assert!(error.message.contains("no column 'side'"), "{}", error.message);
        assert!(read("p", format!("{HEAD}1,GOOG,buy\n").as_bytes(), &goog()).is_err());
        assert_eq!(read("p", HEAD.as_bytes(), &goog()).unwrap(), vec![]);
    }
}
