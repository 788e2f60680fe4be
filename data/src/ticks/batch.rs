//! A batch of records: columns, every value checked, out of which events are made.

use super::group::Columns;
use super::*;
use ijk_core::{ExchTs, InstrumentId, Px, Qty, RowFlags};
use parquet::errors::ParquetError;

/// Records decoded at a time: the columns of a batch stay in the second-level cache.
pub(super) const BATCH_ROW_COUNT: usize = 1 << 10;
/// Values from column to column. Were it a power of two, one record's eleven values would compete
/// for the eight places of one set of the first-level cache.
const STRIDE: usize = BATCH_ROW_COUNT + 24;

/// A value that breaks a law of the record.
pub(super) struct BadValue {
    pub(super) field: &'static str,
    pub(super) detail: String,
}

/// Events made at a time: few enough to stay in the first-level cache, and enough for their bytes
/// to have arrived there before they are copied.
pub(super) const MADE_COUNT: usize = 64;

/// Columns of a batch.
pub(super) struct Batch {
    longs: Box<[[i64; STRIDE]; LONG_NAMES.len()]>,
    shorts: Box<[[i32; STRIDE]; SHORT_NAMES.len()]>,
    len: usize,
}

impl Batch {
    pub(super) fn new() -> Batch {
        Batch {
            longs: Box::new([[0; STRIDE]; LONG_NAMES.len()]),
            shorts: Box::new([[0; STRIDE]; SHORT_NAMES.len()]),
            len: 0,
        }
    }

    /// Decodes the next records, at most a batch of them. `field` says on the way which column is
    /// being read.
    pub(super) fn read(
        &mut self,
        columns: &mut Columns,
        field: &mut &'static str,
    ) -> Result<(), ParquetError> {
        let wanted = columns.left.min(BATCH_ROW_COUNT);
        columns.left -= wanted;
        self.len = 0;
        let longs = columns.longs.iter_mut().zip(self.longs.iter_mut());
        for ((reader, values), name) in longs.zip(LONG_NAMES) {
            *field = name;
            reader.read(&mut values[..wanted])?;
        }
        let shorts = columns.shorts.iter_mut().zip(self.shorts.iter_mut());
        for ((reader, values), name) in shorts.zip(SHORT_NAMES) {
            *field = name;
            reader.read(&mut values[..wanted])?;
        }
        self.len = wanted;
        Ok(())
    }

    /// Returns the number of records before the first value that breaks a law, and that value. No
    /// record may be received before `last`.
    pub(super) fn check(&self, instruments: usize, last: RecvTs) -> (usize, Option<BadValue>) {
        if self.is_sound(instruments, last) {
            return (self.len, None);
        }
        let mut last = last;
        for at in 0..self.len {
            match self.checked(at, instruments, last) {
                Ok(event) => last = event.ts_receive,
                Err(bad) => return (at, Some(bad)),
            }
        }
        (self.len, None)
    }

    /// Makes the events from record `start` to before `end`, which [`Batch::check`] has found
    /// sound.
    pub(super) fn make(&self, start: usize, end: usize, events: &mut Vec<MarketEvent>) {
        events.clear();
        events.extend((start..end).map(|at| self.event(at)));
    }

    /// Returns one event, sound if [`Batch::check`] says so.
    #[inline(always)]
    fn event(&self, at: usize) -> MarketEvent {
        let long = |column: usize| self.longs[column][at];
        let short = |column: usize| self.shorts[column][at];
        MarketEvent {
            ts_exchange: ExchTs(long(0) as u64),
            ts_receive: RecvTs(long(1) as u64),
            row: long(2) as u64,
            order_id: long(3) as u64,
            px: Px(long(4)),
            qty: Qty(long(5)),
            sequence: long(6) as u64,
            instrument: InstrumentId(short(0) as u16),
            flags: RowFlags(short(1) as u16),
            kind: kind(short(2)).unwrap_or(EventKind::Status),
            side: if short(3) == 0 { Side::Bid } else { Side::Ask },
            reserved: 0,
        }
    }

    /// Returns whether every value of every column keeps the laws: whole columns at a time, for
    /// this is nearly always so.
    fn is_sound(&self, instruments: usize, last: RecvTs) -> bool {
        // A negative value is a large one without its sign.
        let below = |column: &[i32], end: u32| {
            column.iter().fold(true, |sound, &value| sound & ((value as u32) < end))
        };
        let [_, received, _, _, _, qty, _] = self.longs.each_ref().map(|c| &c[..self.len]);
        let [instrument, flags, kind, side] = self.shorts.each_ref().map(|c| &c[..self.len]);
        let instruments = u32::try_from(instruments).unwrap_or(u32::MAX);
        let rises = received.windows(2).fold(true, |sound, pair| {
            sound & (pair[0] as u64 <= pair[1] as u64) // by their bits, as they are stored
        });
        below(instrument, instruments.min(1 << 16))
            && below(flags, 1 << 16)
            && below(kind, KIND_COUNT)
            && below(side, SIDE_COUNT)
            && qty.iter().fold(true, |sound, &qty| sound & (qty >= 0))
            && received.first().is_none_or(|&first| first as u64 >= last.0)
            && rises
    }

    /// Returns one event with every value checked, or what is wrong with it.
    fn checked(
        &self,
        at: usize,
        instruments: usize,
        last: RecvTs,
    ) -> Result<MarketEvent, BadValue> {
        let bad = |field: &'static str, detail: String| Err(BadValue { field, detail });
        let [instrument, flags, number, side] = self.shorts.each_ref().map(|column| column[at]);
        for (field, found) in [("instrument", instrument), ("flags", flags)] {
            if u16::try_from(found).is_err() {
                return bad(field, format!("expected 0 to 65535, found {found}"));
            }
        }
        if kind(number).is_none() {
            return bad("kind", format!("expected 0 to 14, found {number}"));
        }
        if !(0..=1).contains(&side) {
            return bad("side", format!("expected 0 or 1, found {side}"));
        }
        let event = self.event(at);
        check(&event, instruments, last).map_err(|(field, detail)| BadValue { field, detail })?;
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
            let mut batch = Batch::new();
            let long_columns = |batch: &mut Batch, values: [i64; 7]| {
                for (column, value) in batch.longs.iter_mut().zip(values) {
                    column[batch.len] = value;
                }
            };
            let mut received = 2;
            for (step, qty, instrument, flags, kind, side) in rows {
                // All but one column within its laws.
                let keep =
                    |column: usize, good: i32, any: i32| if odd == column { any } else { good };
                received += if odd == 0 { step - 1 } else { step };
                let qty = if odd == 1 { qty } else { qty.max(0) };
                long_columns(&mut batch, [1, received, 3, 4, 5, qty, 7]);
                let shorts = [
                    keep(2, instrument.min(1), instrument),
                    keep(3, flags.clamp(0, 65_535), flags),
                    keep(4, kind.clamp(0, 14), kind),
                    keep(5, side.clamp(0, 1), side),
                ];
                for (column, value) in batch.shorts.iter_mut().zip(shorts) {
                    column[batch.len] = value;
                }
                batch.len += 1;
            }
            let mut last = RecvTs(first);
            let mut good = Vec::new();
            for at in 0..batch.len {
                let Ok(event) = batch.checked(at, 2, last) else { break };
                last = event.ts_receive;
                good.push(event);
            }
            let sound = good.len() == batch.len;
            prop_assert_eq!(batch.is_sound(2, RecvTs(first)), sound);
            let (found, bad) = batch.check(2, RecvTs(first));
            prop_assert_eq!((found, bad.is_none()), (good.len(), sound));
            let events: Vec<_> = (0..found).map(|at| batch.event(at)).collect();
            prop_assert_eq!(&events, &good);
        }
    }
}
