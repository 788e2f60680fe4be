//! Levels of market-by-price rows: read off a row, compared with the row before.

use super::mapping::{Fault, PX_UNDEFINED, RawLevel};
use crate::queue::RecordQueue;
use ijk_core::{FeedErrorKind, MarketEvent, Px, Qty, Side};

/// Appends one side of a level unless it is absent.
pub(super) fn push_level(
    out: &mut Vec<(i64, i64)>,
    level: &RawLevel,
    side: Side,
    index: usize,
) -> Result<(), Fault> {
    let (px, qty) = match side {
        Side::Bid => (level.bid_px, level.bid_qty),
        Side::Ask => (level.ask_px, level.ask_qty),
    };
    if px == PX_UNDEFINED || qty == 0 {
        return Ok(());
    }
    let unsorted = out.last().is_some_and(|&(last, _)| !side.better(Px(last), Px(px)));
    if unsorted || qty < 0 {
        let name = if side == Side::Bid { "bid" } else { "ask" };
        return Err(Fault {
            kind: FeedErrorKind::Inconsistent,
            field: if side == Side::Bid { "bid_px" } else { "ask_px" },
            detail: format!("{name} level {index} is not worse than the one before it"),
        });
    }
    out.push((px, qty));
    Ok(())
}

/// Queues what takes `known` to `fresh`; returns whether anything did.
pub(super) fn set_levels(
    queue: &mut RecordQueue,
    known: &mut Vec<(i64, i64)>,
    fresh: &[(i64, i64)],
    mut record: MarketEvent,
) -> bool {
    if known[..] == *fresh {
        return false;
    }
    for &(px, _) in known.iter() {
        if !fresh.iter().any(|&(p, _)| p == px) {
            (record.px, record.qty) = (Px(px), Qty(0));
            queue.push(record);
        }
    }
    for &(px, qty) in fresh {
        if !known.contains(&(px, qty)) {
            (record.px, record.qty) = (Px(px), Qty(qty));
            queue.push(record);
        }
    }
    known.clear();
    known.extend_from_slice(fresh);
    true
}
