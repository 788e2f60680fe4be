//! Market records out of an input: a small world of prices and orders, so that records meet, with
//! a way out to every number there is.

use crate::Numbers;
use ijk_core::{EventKind, ExchTs, InstrumentId, MarketEvent, Px, Qty, RowFlags, Side};
use zerocopy::TryFromBytes;

/// Price step of the world.
pub const TICK: i64 = 10;
/// Price in its middle.
const CENTER_PX: i64 = 1_000_000;
/// Orders of the world.
pub const ORDER_COUNT: u64 = 24;
/// Kinds of records.
const KIND_COUNT: u8 = EventKind::Resume as u8 + 1;

/// Takes the next record.
pub fn event(numbers: &mut Numbers<'_>, row: u64, ts_ns: &mut u64) -> MarketEvent {
    let kind = EventKind::try_read_from_bytes(&[numbers.u8() % KIND_COUNT]).expect("in range");
    let mut event = MarketEvent::new(kind, InstrumentId(0));
    let bits = numbers.u8();
    event.side = if bits & 1 == 0 { Side::Bid } else { Side::Ask };
    event.flags = RowFlags(u16::from(bits >> 1 & 31) ^ RowFlags::ROW_END.0);
    event.px = Px(match bits >> 6 {
        0 | 1 => CENTER_PX + i64::from(numbers.u8() as i8) * TICK,
        2 => CENTER_PX + i64::from(numbers.u8() as i8) * 100 * TICK + i64::from(numbers.u8() % 3),
        _ => numbers.i64(),
    });
    event.qty = Qty(match numbers.u8() {
        255 => numbers.i64(),
        small => i64::from(small),
    });
    event.order_id = u64::from(numbers.u8()) % ORDER_COUNT;
    *ts_ns = ts_ns.saturating_add(u64::from(numbers.u8()) << 10);
    event.ts_exchange = ExchTs(*ts_ns);
    event.row = row;
    event
}
