//! Records of the row at hand, handed out one at a time.

use ijk_core::{MarketEvent, RowFlags};

/// Records made from one source row, in order. Its memory is kept from row to row.
#[derive(Debug)]
pub(crate) struct RecordQueue {
    records: Vec<MarketEvent>,
    next: usize,
}

impl RecordQueue {
    /// Returns an empty queue with room for `capacity` records.
    pub(crate) fn with_capacity(capacity: usize) -> RecordQueue {
        RecordQueue { records: Vec::with_capacity(capacity), next: 0 }
    }

    /// Appends a record.
    #[inline]
    pub(crate) fn push(&mut self, record: MarketEvent) {
        self.records.push(record);
    }

    /// Adds `flags` to the last record: the row is complete.
    pub(crate) fn end_row(&mut self, flags: RowFlags) {
        let last = self.records.last_mut().expect("a row has at least one record");
        last.flags = last.flags.with(flags).with(RowFlags::ROW_END);
    }

    /// Takes the next record, or `None` once all are taken.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<MarketEvent> {
        match self.records.get(self.next) {
            Some(record) => {
                self.next += 1;
                Some(*record)
            }
            None => {
                self.records.clear();
                self.next = 0;
                None
            }
        }
    }
}
