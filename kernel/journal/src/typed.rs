//! Typed payloads: which record stands in which kind of frame.

use crate::error::JournalError;
use crate::frame::encode_frame;
use crate::reader::Frame;
use ijk_core::record::{
    ControlCommand, DecisionRecord, ParentCommand, ParentRecord, RecordKind, RefusalRecord, RunEnd,
};
use ijk_core::{CancelOrder, MarketEvent, NewOrder, VenueReport};
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
    ParentRecord => ParentState,
    RunEnd => End,
}

/// Encodes `record` as one frame of its kind; see [`encode_frame`].
///
/// # Panics
/// As [`encode_frame`].
pub fn encode_record<T: Record>(buf: &mut [u8], seq: u64, ts: u64, record: &T) -> usize {
    encode_frame(buf, seq, ts, T::KIND, record.as_bytes())
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
