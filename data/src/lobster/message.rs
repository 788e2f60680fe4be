//! One row of a LOBSTER message file.

use crate::input::Row;
use ijk_core::{EventKind, FeedError, Side};

/// The price that stands for "no level" in order book rows; no price reaches it.
pub(super) const PX_NONE: i64 = 9_999_999_999;
/// Nanoseconds of a day with one leap second.
const DAY_NS_MAX: i64 = 86_401 * 1_000_000_000;
/// Largest size: any more is a damaged row.
pub(super) const QTY_MAX: i64 = i64::MAX / 1_000_000;

const COLUMN_COUNT: usize = 6;

/// A message row: price in 1e-4 dollars, time since local midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) time_ns: u64,
    pub(super) kind: EventKind,
    pub(super) order_id: u64,
    pub(super) qty: i64,
    pub(super) px: i64,
    pub(super) side: Side,
}

impl Message {
    /// Parses a row `time,type,order id,size,price,direction`.
    pub(super) fn parse(row: &Row<'_>) -> Result<Message, FeedError> {
        let mut fields = row.bytes.split(|&b| b == b',');
        let mut columns: [&[u8]; COLUMN_COUNT] = [&[]; COLUMN_COUNT];
        for column in &mut columns {
            *column = fields.next().ok_or_else(|| row.column_error(COLUMN_COUNT))?;
        }
        if fields.next().is_some() {
            return Err(row.column_error(COLUMN_COUNT));
        }
        let [time, kind, order_id, size, price, direction] = columns;
        let time_ns = row.decimal_e9("time", time)?;
        if !(0..=DAY_NS_MAX).contains(&time_ns) {
            return Err(row.range_error("time", "seconds after midnight, 0 to 86401", time));
        }
        let code = match kind {
            [digit @ b'1'..=b'7'] => *digit - b'0',
            _ => return Err(row.field_error("type", "an event type from 1 to 7", kind)),
        };
        // Only the first four types name a resting order; the others may say 0 or -1.
        let order_id = match order_id {
            b"-1" if code >= 5 => 0,
            _ => row.unsigned("order id", order_id)?,
        };
        let qty = row.int("size", size, i64::from(code <= 5)..=QTY_MAX)?;
        let side = match direction {
            b"1" => Side::Bid,
            b"-1" => Side::Ask,
            b"0" if code >= 6 => Side::Bid,
            _ => return Err(row.field_error("direction", "1 or -1", direction)),
        };
        let mut message = Message {
            time_ns: time_ns as u64,
            kind: EventKind::Status,
            order_id,
            qty,
            px: 0,
            side,
        };
        if code == 7 {
            message.kind = halt_kind(row, price)?;
            message.qty = 0;
        } else {
            message.px = row.int("price", price, 1..=PX_NONE - 1)?;
            message.kind = event_kind(code);
        }
        Ok(message)
    }
}

/// A cross (6) is an auction's print: no resting order trades and it is no visible execution.
fn event_kind(code: u8) -> EventKind {
    match code {
        1 => EventKind::Add,
        2 => EventKind::Reduce,
        3 => EventKind::Delete,
        4 => EventKind::ExecVisible,
        5 => EventKind::ExecHidden,
        _ => EventKind::Status,
    }
}

/// In a halt message the price says what happens: -1 halt, 0 quoting resumes, 1 trading resumes.
fn halt_kind(row: &Row<'_>, price: &[u8]) -> Result<EventKind, FeedError> {
    match price {
        b"-1" => Ok(EventKind::Halt),
        b"0" => Ok(EventKind::Status),
        b"1" => Ok(EventKind::Resume),
        _ => Err(row.field_error("price", "-1, 0 or 1 in a halt message", price)),
    }
}
