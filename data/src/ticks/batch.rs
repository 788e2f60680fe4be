//! A batch of records: from columns, every value checked, to events.

use super::*;
use ijk_core::{ExchTs, InstrumentId, Px, Qty, RowFlags};

/// Records decoded at a time: columns and events of a batch stay in the second-level cache.
pub(super) const BATCH_ROW_COUNT: usize = 1 << 11;

/// A value that breaks a law of the record.
pub(super) struct BadValue {
    pub(super) field: &'static str,
    pub(super) detail: String,
}

/// Columns of a batch, all of one length, and the events they make.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) longs: [Vec<i64>; LONG_NAMES.len()],
    pub(super) shorts: [Vec<i32>; SHORT_NAMES.len()],
    pub(super) events: Vec<MarketEvent>,
}

impl Batch {
    /// Makes the events up to the first value that breaks a law, which is returned. No record may
    /// be received before `last`.
    pub(super) fn assemble(&mut self, instruments: usize, last: RecvTs) -> Option<BadValue> {
        self.events.clear();
        if self.is_sound(instruments, last) {
            let row_count = self.longs[0].len();
            let (longs, shorts) = (&self.longs, &self.shorts);
            let [t0, t1, row, id, px, qty, sequence] = longs.each_ref().map(|c| &c[..row_count]);
            let [instrument, flags, kind, side] = shorts.each_ref().map(|c| &c[..row_count]);
            self.events.extend((0..row_count).map(|i| MarketEvent {
                ts_exchange: ExchTs(t0[i] as u64),
                ts_receive: RecvTs(t1[i] as u64),
                row: row[i] as u64,
                order_id: id[i] as u64,
                px: Px(px[i]),
                qty: Qty(qty[i]),
                sequence: sequence[i] as u64,
                instrument: InstrumentId(instrument[i] as u16),
                flags: RowFlags(flags[i] as u16),
                kind: KINDS[kind[i] as usize],
                side: SIDES[side[i] as usize],
                reserved: 0,
            }));
            return None;
        }
        let mut last = last;
        for at in 0..self.longs[0].len() {
            match self.event(at, instruments, last) {
                Ok(event) => {
                    last = event.ts_receive;
                    self.events.push(event);
                }
                Err(bad) => return Some(bad),
            }
        }
        None
    }

    /// Returns whether every value of every column keeps the laws: whole columns at a time, for
    /// this is nearly always so.
    fn is_sound(&self, instruments: usize, last: RecvTs) -> bool {
        // A negative value is a large one without its sign.
        let below = |column: &[i32], end: u32| {
            column.iter().fold(true, |sound, &value| sound & ((value as u32) < end))
        };
        let [_, received, _, _, _, qty, _] = &self.longs;
        let [instrument, flags, kind, side] = &self.shorts;
        let instruments = u32::try_from(instruments).unwrap_or(u32::MAX);
        let rises = received.windows(2).fold(true, |sound, pair| {
            sound & (pair[0] as u64 <= pair[1] as u64) // by their bits, as they are stored
        });
        below(instrument, instruments.min(1 << 16))
            && below(flags, 1 << 16)
            && below(kind, KINDS.len() as u32)
            && below(side, SIDES.len() as u32)
            && qty.iter().fold(true, |sound, &qty| sound & (qty >= 0))
            && received.first().is_none_or(|&first| first as u64 >= last.0)
            && rises
    }

    /// Returns one event, or what is wrong with it.
    fn event(&self, at: usize, instruments: usize, last: RecvTs) -> Result<MarketEvent, BadValue> {
        let long = |column: usize| self.longs[column][at];
        let short = |column: usize| self.shorts[column][at];
        let bad = |field: &'static str, detail: String| BadValue { field, detail };
        let u16_of = |column: usize| {
            let found = short(column);
            let detail = || format!("expected 0 to 65535, found {found}");
            u16::try_from(found).map_err(|_| bad(SHORT_NAMES[column], detail()))
        };
        let kind = usize::try_from(short(2)).ok().and_then(|n| KINDS.get(n)).copied();
        let side = usize::try_from(short(3)).ok().and_then(|n| SIDES.get(n)).copied();
        let event = MarketEvent {
            ts_exchange: ExchTs(long(0) as u64),
            ts_receive: RecvTs(long(1) as u64),
            row: long(2) as u64,
            order_id: long(3) as u64,
            px: Px(long(4)),
            qty: Qty(long(5)),
            sequence: long(6) as u64,
            instrument: InstrumentId(u16_of(0)?),
            flags: RowFlags(u16_of(1)?),
            kind: kind
                .ok_or_else(|| bad("kind", format!("expected 0 to 14, found {}", short(2))))?,
            side: side
                .ok_or_else(|| bad("side", format!("expected 0 or 1, found {}", short(3))))?,
            reserved: 0,
        };
        check(&event, instruments, last).map_err(|(field, detail)| bad(field, detail))?;
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The quick look at whole columns and the look at single records agree.
        #[test]
        fn a_batch_is_sound_exactly_if_every_record_is(
            rows in prop::collection::vec(
                (0..6i64, -1..20i64, 0..4i32, -1..65_540i32, -1..17i32, -1..3i32), 0..12),
            odd in 0..7usize,
            first in 0..4u64,
        ) {
            let mut batch = Batch::default();
            let mut received = 2;
            for (step, qty, instrument, flags, kind, side) in rows {
                // All but one column within its laws.
                let keep =
                    |column: usize, good: i32, any: i32| if odd == column { any } else { good };
                received += if odd == 0 { step - 1 } else { step };
                let qty = if odd == 1 { qty } else { qty.max(0) };
                for (column, value) in batch.longs.iter_mut().zip([1, received, 3, 4, 5, qty, 7]) {
                    column.push(value);
                }
                let shorts = [
                    keep(2, instrument.min(1), instrument),
                    keep(3, flags.clamp(0, 65_535), flags),
                    keep(4, kind.clamp(0, 14), kind),
                    keep(5, side.clamp(0, 1), side),
                ];
                for (column, value) in batch.shorts.iter_mut().zip(shorts) {
                    column.push(value);
                }
            }
            let mut last = RecvTs(first);
            let mut good = Vec::new();
            for at in 0..batch.longs[0].len() {
                let Ok(event) = batch.event(at, 2, last) else { break };
                last = event.ts_receive;
                good.push(event);
            }
            let sound = good.len() == batch.longs[0].len();
            prop_assert_eq!(batch.is_sound(2, RecvTs(first)), sound);
            prop_assert_eq!(batch.assemble(2, RecvTs(first)).is_none(), sound);
            prop_assert_eq!(&batch.events, &good);
        }
    }
}
