//! The tick store: market events in Parquet, one row a record, readable by any Parquet tool.
//!
//! Columns (all required): `ts_exchange`, `ts_receive` (nanoseconds UTC), `row`, `order_id`, `px`
//! (1e-9), `qty`, `sequence` as INT64; `instrument`, `flags`, `kind`, `side` as INT32. Unsigned
//! fields are stored by their bits. Row groups of 65,536 rows, not compressed. What repeats is
//! dictionary-encoded, what grows is delta-encoded.
//!
//! Key-value metadata: `ijk.format` = `ijk-ticks`, `ijk.version` = `1`, `ijk.instruments` = JSON
//! list of [`ijk_core::Instrument`], `ijk.depth` = JSON list of `"L3"` or `"L2"`, `ijk.repairs` =
//! JSON object of what the reader of the source mended, `ijk.crc32c` = JSON list of the CRC-32C of
//! each column chunk, one list a row group (files of earlier builds have none and are compressed).

mod batch;
mod column;
mod group;
mod pages;
mod read;
mod sums;
mod unpack;
mod write;

pub use read::TickReader;
pub(crate) use read::{error, guarded};
pub use write::{TickSummary, TickWriteError, TickWriter, write_source};

use ijk_core::{EventKind, MarketEvent, RecvTs, Side};

const FORMAT_KEY: &str = "ijk.format";
const FORMAT: &str = "ijk-ticks";
const VERSION_KEY: &str = "ijk.version";
const VERSION: &str = "1";
const INSTRUMENTS_KEY: &str = "ijk.instruments";
const DEPTH_KEY: &str = "ijk.depth";
const REPAIRS_KEY: &str = "ijk.repairs";
const SUMS_KEY: &str = "ijk.crc32c";

/// Rows of a written row group.
const GROUP_ROW_COUNT: usize = 1 << 16;

/// INT64 columns, in file order.
const LONG_NAMES: [&str; 7] =
    ["ts_exchange", "ts_receive", "row", "order_id", "px", "qty", "sequence"];
/// INT32 columns, after them.
const SHORT_NAMES: [&str; 4] = ["instrument", "flags", "kind", "side"];
/// All columns.
const COLUMN_COUNT: usize = LONG_NAMES.len() + SHORT_NAMES.len();

/// Returns the name of a column.
fn name(column: usize) -> &'static str {
    let shorts = column.checked_sub(LONG_NAMES.len()).and_then(|short| SHORT_NAMES.get(short));
    LONG_NAMES.get(column).or(shorts).copied().unwrap_or_default()
}

/// Returns the kind of a number, as [`EventKind`] numbers them.
#[inline]
const fn kind(number: i32) -> Option<EventKind> {
    Some(match number {
        0 => EventKind::Clear,
        1 => EventKind::Add,
        2 => EventKind::Reduce,
        3 => EventKind::Delete,
        4 => EventKind::Modify,
        5 => EventKind::ExecVisible,
        6 => EventKind::ExecHidden,
        7 => EventKind::Trade,
        8 => EventKind::Fill,
        9 => EventKind::LevelSet,
        10 => EventKind::BestSet,
        11 => EventKind::Status,
        12 => EventKind::Gap,
        13 => EventKind::Halt,
        14 => EventKind::Resume,
        _ => return None,
    })
}

/// Kinds and sides that there are.
const KIND_COUNT: u32 = 15;
const SIDE_COUNT: u32 = 2;

/// Laws of every record, checked on the way in and on the way out. Returns the field and what was
/// expected of it.
fn check(
    event: &MarketEvent,
    instruments: usize,
    last: RecvTs,
) -> Result<(), (&'static str, String)> {
    if event.instrument.index() >= instruments {
        let found = event.instrument.0;
        return Err(("instrument", format!("expected below {instruments}, found {found}")));
    }
    if event.qty.0 < 0 {
        return Err(("qty", format!("expected zero or more, found {}", event.qty.0)));
    }
    if event.ts_receive < last {
        let (found, last) = (event.ts_receive.0, last.0);
        return Err(("ts_receive", format!("expected {last} or later, found {found}")));
    }
    if event.reserved != 0 {
        return Err(("reserved", format!("expected 0, found {}", event.reserved)));
    }
    Ok(())
}
