//! Market events: one 64-byte record, whatever the feed.

use crate::{ExchTs, InstrumentId, Px, Qty, RecvTs, Side};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, TryFromBytes};

/// What happened. Order-level kinds always carry `side`, `px` and `qty` too, so that a book by
/// level can apply them without knowing the order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(u8)]
pub enum EventKind {
    /// Empties the book; levels of a snapshot follow.
    Clear = 0,
    /// Order `order_id` of `qty` joins the end of the queue at `px`.
    Add = 1,
    /// `qty` of the resting order is cancelled; the rest keeps its place.
    Reduce = 2,
    /// The resting order leaves; `qty` is what was left of it.
    Delete = 3,
    /// The resting order now has price `px` and size `qty`; it keeps its place only if the price
    /// is unchanged and the size not larger.
    Modify = 4,
    /// `qty` of the resting order at `px` trades; `side` is the RESTING side. Visible volume.
    ExecVisible = 5,
    /// A hidden order trades: no effect on the book, not visible volume. `side` is the resting
    /// side.
    ExecHidden = 6,
    /// A print without effect on the book (the book change comes apart). `side` is the AGGRESSOR.
    /// Visible volume.
    Trade = 7,
    /// The resting order's half of a [`EventKind::Trade`]: no effect, no volume.
    Fill = 8,
    /// The level at `px` now holds `qty` in total; zero removes it.
    LevelSet = 9,
    /// The best of `side` is now `px` with `qty`: better levels vanish. Zero `qty` empties the
    /// side.
    BestSet = 10,
    /// A row that changes nothing we track (status, heartbeat of the source).
    Status = 11,
    /// Messages were lost before this row: the book is not to be trusted until a `Clear`.
    Gap = 12,
    /// Trading halts; `qty` 0.
    Halt = 13,
    /// Trading resumes.
    Resume = 14,
}

/// Bits of [`MarketEvent::flags`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct RowFlags(pub u16);

impl RowFlags {
    /// Last record of its source row: features count rows, not records.
    pub const ROW_END: RowFlags = RowFlags(1);
    /// The venue's own event is complete: the book is consistent here. (Set with the last row of
    /// a multi-row venue event; equal to `ROW_END` on feeds without such events.)
    pub const BOOK_END: RowFlags = RowFlags(2);
    /// Not a message of the source: a level that came into view, or a repair.
    pub const DERIVED: RowFlags = RowFlags(4);
    /// Part of a snapshot.
    pub const SNAPSHOT: RowFlags = RowFlags(8);
    /// `side` means nothing (a trade without a known aggressor).
    pub const NO_SIDE: RowFlags = RowFlags(16);

    /// Returns the union.
    pub const fn with(self, other: RowFlags) -> RowFlags {
        RowFlags(self.0 | other.0)
    }

    /// Returns whether all bits of `other` are set.
    pub const fn has(self, other: RowFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One market event, 64 bytes, no padding. One source row becomes one or more records; the last
/// one carries [`RowFlags::ROW_END`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct MarketEvent {
    /// Exchange time.
    pub ts_exchange: ExchTs,
    /// Receive time; the exchange time where the source has none. Never decreases in a stream.
    pub ts_receive: RecvTs,
    /// Source row, from 0, counted per feed.
    pub row: u64,
    /// The exchange's order id; 0 where the feed has none.
    pub order_id: u64,
    /// Price.
    pub px: Px,
    /// Quantity.
    pub qty: Qty,
    /// Sequence number of the venue, 0 where the feed has none.
    pub sequence: u64,
    /// Instrument.
    pub instrument: InstrumentId,
    /// See [`RowFlags`].
    pub flags: RowFlags,
    /// What happened.
    pub kind: EventKind,
    /// Side; see the kind for whose.
    pub side: Side,
    /// Zero.
    pub reserved: u16,
}

const _: () = assert!(size_of::<MarketEvent>() == 64);

impl MarketEvent {
    /// Returns a record with the given kind and all else zero; readers fill in what they know.
    pub const fn new(kind: EventKind, instrument: InstrumentId) -> MarketEvent {
        MarketEvent {
            ts_exchange: ExchTs(0),
            ts_receive: RecvTs(0),
            row: 0,
            order_id: 0,
            px: Px(0),
            qty: Qty(0),
            sequence: 0,
            instrument,
            flags: RowFlags(0),
            kind,
            side: Side::Bid,
            reserved: 0,
        }
    }

    /// Returns whether this is the last record of its source row.
    pub const fn ends_row(&self) -> bool {
        self.flags.has(RowFlags::ROW_END)
    }

    /// Returns the visible traded quantity and its aggressor (`None` where unknown), or `None`
    /// for a record that is no visible trade.
    pub const fn visible_trade(&self) -> Option<(Qty, Option<Side>)> {
        let aggressor = match self.kind {
            EventKind::ExecVisible => self.side.opposite(),
            EventKind::Trade => self.side,
            _ => return None,
        };
        if self.flags.has(RowFlags::NO_SIDE) {
            Some((self.qty, None))
        } else {
            Some((self.qty, Some(aggressor)))
        }
    }
}
