//! Parent orders from a file: `ts,symbol,side,qty,horizon_s,urgency` and, if wanted, `schedule`
//! and `participation`.

use crate::exit::Exit;
use ijk_core::config::ExecutionConfig;
use ijk_core::num::parse_decimal_e9;
use ijk_core::record::{ParentCommand, ScheduleKind, Urgency};
use ijk_core::{FeedError, FeedErrorKind, Instrument, InstrumentId, Qty, RecvTs, Side};
use ijk_data::input::show;
use sha2::{Digest, Sha256};
use std::path::Path;

const COLUMN_COUNT: usize = 8;
const COLUMNS: [&str; COLUMN_COUNT] =
    ["ts", "symbol", "side", "qty", "horizon_s", "urgency", "schedule", "participation"];
/// Columns that a file must have; the others may be missing or empty.
const REQUIRED_COUNT: usize = 6;
/// Longest horizon: one day.
const HORIZON_S_MAX: f64 = 86_400.0;

/// Reads parents, sorted by time (file order among equals). What a row does not say is as the
/// settings say.
///
/// # Errors
/// Exit code 3 with file, line, column and what was expected.
pub fn load(
    path: &Path,
    instruments: &[Instrument],
    settings: &ExecutionConfig,
) -> Result<Vec<ParentCommand>, Exit> {
    let name = path.display().to_string();
    let file =
        std::fs::File::open(path).map_err(|e| Exit::data(format!("{name}: cannot read: {e}")))?;
    read(&name, file, instruments, settings)
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

/// Reads parents from bytes that come from anywhere; `name` is used in messages.
///
/// # Errors
/// As [`load`].
pub fn read(
    name: &str,
    source: impl std::io::Read,
    instruments: &[Instrument],
    settings: &ExecutionConfig,
) -> Result<Vec<ParentCommand>, Exit> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source);
    let headers = reader.headers().map_err(|e| Exit::data(format!("{name}: {e}")))?.clone();
    let mut at = [None; COLUMN_COUNT];
    for (i, column) in COLUMNS.into_iter().enumerate() {
        at[i] = headers.iter().position(|h| h == column);
        if at[i].is_none() && i < REQUIRED_COUNT {
            let expected = COLUMNS[..REQUIRED_COUNT].join(",");
            let error = format!("{name}:1: no column '{column}'; expected {expected}");
            return Err(Exit::data(error));
        }
    }
    let mut parents = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|e| Exit::data(format!("{name}: {e}")))?;
        let line = row.position().map_or(0, csv::Position::line);
        let field = |i: usize| at[i].and_then(|at| row.get(at)).unwrap_or("");
        let parsed = parse(std::array::from_fn(field), line as u32, instruments, settings);
        parents.push(parsed.map_err(|(column, expected)| {
            let found = show(field(column).as_bytes());
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
    field: [&str; COLUMN_COUNT],
    line: u32,
    instruments: &[Instrument],
    settings: &ExecutionConfig,
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
    let schedule = match field[6] {
        "" => settings.schedule,
        name => ScheduleKind::from_name(name)
            .ok_or_else(|| (6, ScheduleKind::NAMES.map(|n| n.0).join(", ")))?,
    };
    let participation_e4 = match field[7] {
        "" => 0,
        text => (text.parse::<f64>().ok())
            .map(|p| (p * 1e4).round())
            .filter(|p| (1.0..=1e4).contains(p))
            .ok_or_else(|| bad(7, "a part of the volume, 0.0001 to 1"))? as u16,
    };
    Ok(ParentCommand {
        ts: RecvTs(ts),
        qty: Qty(qty),
        horizon_ns: (horizon_s * 1e9) as u64,
        source_line: line,
        instrument: InstrumentId(index as u16),
        side,
        urgency,
        participation_e4,
        schedule,
        reserved: [0; 5],
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

    fn settings() -> ExecutionConfig {
        ExecutionConfig::default()
    }

    #[test]
    fn schedule_and_participation_are_optional() {
        let text = "ts,symbol,side,qty,horizon_s,urgency,schedule,participation\n\
                    1,GOOG,buy,1,1,normal,vwap,0.05\n\
                    2,GOOG,buy,1,1,normal,,\n";
        let parents = read("p", text.as_bytes(), &goog(), &settings()).unwrap();
        assert_eq!((parents[0].schedule, parents[0].participation_e4), (ScheduleKind::Vwap, 500));
        let default = settings().schedule;
        assert_eq!((parents[1].schedule, parents[1].participation_e4), (default, 0));
        for (row, column) in [
            ("1,GOOG,buy,1,1,normal,fast,", "schedule"),
            ("1,GOOG,buy,1,1,normal,,0", "participation"),
            ("1,GOOG,buy,1,1,normal,,1.5", "participation"),
            ("1,GOOG,buy,1,1,normal,,nan", "participation"),
        ] {
            let head = text.split('\n').next().unwrap();
            let file = format!("{head}\n{row}\n");
            let error = read("p.csv", file.as_bytes(), &goog(), &settings()).unwrap_err();
            let want = format!("p.csv:2: field '{column}': expected ");
            assert!(error.message.starts_with(&want), "{row}: {}", error.message);
        }
    }

    const HEAD: &str = "ts,symbol,side,qty,horizon_s,urgency\n";

    #[test]
    fn both_kinds_of_time_and_any_column_order() {
        let text = "urgency,ts,symbol,side,qty,horizon_s\n\
                    urgent,2012-06-21T10:00:00-04:00,GOOG,sell,300,60\n\
                    passive,1340287000000000000,GOOG,buy,100,0.5\n";
        let parents = read("p", text.as_bytes(), &goog(), &settings()).unwrap();
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
            let error = read("p.csv", format!("{HEAD}{row}\n").as_bytes(), &goog(), &settings())
                .unwrap_err();
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
            let error = read("p.csv", format!("{HEAD}{row}\n").as_bytes(), &goog(), &settings())
                .unwrap_err();
            assert!(error.message.ends_with(&found), "{row:.40}: {:?}", error.message);
            assert!(!error.message.contains(char::is_control), "{:?}", error.message);
        }
    }

    #[test]
    fn structure_is_checked() {
        let error = read("p", "ts,symbol\n1,GOOG\n".as_bytes(), &goog(), &settings()).unwrap_err();
        assert!(error.message.contains("no column 'side'"), "{}", error.message);
        assert!(read("p", format!("{HEAD}1,GOOG,buy\n").as_bytes(), &goog(), &settings()).is_err());
        assert_eq!(read("p", HEAD.as_bytes(), &goog(), &settings()).unwrap(), vec![]);
    }
}
