//! Typed payloads: which record stands in which kind of frame.

use crate::error::JournalError;
use crate::reader::Frame;
use crate::storage::Storage;
use crate::writer::Writer;
use ijk_core::record::{
    ControlCommand, DecisionRecord, ForecastRecord, ParentCommand, ParentRecord, RecordKind,
    RefusalRecord, RunEnd,
};
use ijk_core::{
    AlarmRecord, CancelOrder, CarryItem, Condition, FateRecord, LinkEvent, MarketEvent, NewOrder,
    SnapshotItem, SnapshotRequest, VenueReport,
};
use zerocopy::{Immutable, IntoBytes, KnownLayout, TryFromBytes};

/// A fixed-layout payload and the kind of frame it stands in.
pub trait Record: TryFromBytes + IntoBytes + KnownLayout + Immutable {
    /// Kind of frame.
    const KIND: RecordKind;
    /// Name used in messages.
    const NAME: &'static str;
}

macro_rules! records {
    ($($record:ident => $kind:ident),* $(,)?) => {$(
        impl Record for $record {
            const KIND: RecordKind = RecordKind::$kind;
            const NAME: &'static str = stringify!($record);
        }
    )*};
}

records! {
    MarketEvent => Market,
    VenueReport => Report,
    ParentCommand => Parent,
    ControlCommand => Control,
    DecisionRecord => Decision,
    NewOrder => Order,
    CancelOrder => Cancel,
    RefusalRecord => Refusal,
    ForecastRecord => Forecast,
    ParentRecord => ParentState,
    RunEnd => End,
    LinkEvent => Link,
    SnapshotItem => Snapshot,
    CarryItem => Carry,
    Condition => Condition,
    SnapshotRequest => Request,
    AlarmRecord => Alarm,
    FateRecord => Fate,
}

impl<S: Storage> Writer<S> {
    /// Takes a typed record; see [`Writer::append`].
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn append_record<T: Record>(&mut self, ts: u64, record: &T) -> Result<u64, JournalError> {
        self.append(ts, T::KIND, record.as_bytes())
    }
}

impl Frame<'_> {
    /// Returns the payload as a `T`.
    ///
    /// # Errors
    /// [`JournalError::Payload`] if the frame is of another kind, the length is not `T`'s, or a
    /// field holds a value its type does not have.
    pub fn read<T: Record>(&self) -> Result<T, JournalError> {
        let read = match self.kind == T::KIND {
            true => T::try_read_from_bytes(self.payload).ok(),
            false => None,
        };
        read.ok_or(JournalError::Payload {
            seq: self.seq,
            kind: self.kind,
            bytes: self.payload.len(),
            expected: T::NAME,
        })
    }
}
