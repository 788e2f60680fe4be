//! What is known of a venue beyond single reports: the link to it, its answer to "what do you
//! have of ours", what an earlier run left, and the alarms that follow.

use crate::{ClientOrderId, ExchTs, ExecId, InstrumentId, OrderType, Px, Qty, RecvTs, Side};
use crate::{VenueOrderId, alarm::AlarmCode};
use zerocopy::{Immutable, IntoBytes, KnownLayout, TryFromBytes};

/// Why no new order may leave, account-wide. Each is set and lifted by itself; orders pass only
/// while none is set. Cancels always pass.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(u8)]
pub enum Block {
    /// What an earlier run left has not been taken over yet.
    Recovery = 0,
    /// The venue's account and ours have not been compared since the link came up.
    Reconcile = 1,
    /// There is no link to the venue.
    Link = 2,
    /// The clock is off, stepped, or runs backwards.
    Clock = 3,
    /// The journal is late.
    Journal = 4,
    /// A ring is half full or the loop lags.
    Overload = 5,
    /// A person has not armed trading, or has disarmed it.
    Operator = 6,
    /// The feed is silent.
    Data = 7,
}

impl Block {
    /// Every reason, in the order of its number.
    pub const ALL: [Block; 8] = [
        Block::Recovery,
        Block::Reconcile,
        Block::Link,
        Block::Clock,
        Block::Journal,
        Block::Overload,
        Block::Operator,
        Block::Data,
    ];

    /// Returns the stable name used in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Block::Recovery => "recovery",
            Block::Reconcile => "reconcile",
            Block::Link => "link",
            Block::Clock => "clock",
            Block::Journal => "journal",
            Block::Overload => "overload",
            Block::Operator => "operator",
            Block::Data => "data",
        }
    }

    /// Returns the reason's bit in a set of reasons.
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Whether the link to the venue stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(u8)]
pub enum LinkKind {
    /// It is gone: what was under way may or may not have arrived.
    Down = 0,
    /// It stands (again).
    Up = 1,
}

/// A change of the link to the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LinkEvent {
    /// What happened.
    pub kind: LinkKind,
    /// Zero.
    pub reserved: [u8; 7],
    /// Highest order id that the venue has seen of this account, 0 where it does not say.
    pub highest_seen: ClientOrderId,
}

impl LinkEvent {
    /// Returns the event of a venue that does not say which ids it has seen.
    pub const fn new(kind: LinkKind) -> LinkEvent {
        LinkEvent { kind, reserved: [0; 7], highest_seen: ClientOrderId(0) }
    }
}

/// We ask the venue for everything it knows of this account's day: orders, executions,
/// positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SnapshotRequest {
    /// Number of the request in the run, from 1; the answer repeats it.
    pub request_id: u64,
}

/// What one item of a snapshot is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(u8)]
pub enum SnapshotKind {
    /// The answer begins. Everything the venue did before it is in it.
    Begin = 0,
    /// One execution of the day, in the venue's order; before the order it belongs to.
    Execution = 1,
    /// One order of the day, working or ended.
    Order = 2,
    /// One position.
    Position = 3,
    /// The answer is complete; `qty` is the number of items between begin and end.
    End = 4,
}

/// Where an order stands at the venue.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(u8)]
pub enum VenueOrderStatus {
    /// Working.
    Working = 0,
    /// Filled completely.
    Filled = 1,
    /// Cancelled, by us or by the venue.
    Canceled = 2,
    /// Ran out.
    Expired = 3,
    /// Refused.
    Rejected = 4,
}

/// One item of the venue's answer to a [`SnapshotRequest`]. Fields that mean nothing in a kind
/// are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SnapshotItem {
    /// The request answered.
    pub request_id: u64,
    /// Our id of the order, 0 for an order that is not ours.
    pub client_order_id: ClientOrderId,
    /// The venue's id of the order.
    pub venue_order_id: VenueOrderId,
    /// Execution id.
    pub exec_id: ExecId,
    /// When it happened at the venue.
    pub ts_exchange: ExchTs,
    /// Fill price, or limit price of an order.
    pub px: Px,
    /// Execution: quantity. Order: total. Position: signed. End: number of items.
    pub qty: Qty,
    /// Order: filled so far.
    pub filled: Qty,
    /// Order: still working.
    pub leaves: Qty,
    /// Execution: fee, 1e-9 currency units.
    pub fee_e9: i64,
    /// Instrument.
    pub instrument: InstrumentId,
    /// What this item is.
    pub kind: SnapshotKind,
    /// Order: where it stands. Execution: cancelled where it was busted, else working.
    pub status: VenueOrderStatus,
    /// Side of the order or execution.
    pub side: Side,
    /// 1 where an execution added liquidity.
    pub maker: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

impl SnapshotItem {
    /// Returns an item of `kind` with everything else zero.
    pub const fn new(request_id: u64, kind: SnapshotKind) -> SnapshotItem {
        SnapshotItem {
            request_id,
            client_order_id: ClientOrderId(0),
            venue_order_id: VenueOrderId(0),
            exec_id: ExecId(0),
            ts_exchange: ExchTs(0),
            px: Px(0),
            qty: Qty(0),
            filled: Qty(0),
            leaves: Qty(0),
            fee_e9: 0,
            instrument: InstrumentId(0),
            kind,
            status: VenueOrderStatus::Working,
            side: Side::Bid,
            maker: 0,
            reserved: [0; 2],
        }
    }
}

/// What one item carried over from an earlier run is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(u8)]
pub enum CarryKind {
    /// An instrument's account: position, cost, realised result, fees.
    Account = 0,
    /// An order whose end is not known.
    Order = 1,
    /// An execution that was booked.
    Execution = 2,
    /// All was carried.
    Done = 3,
    /// An outside parent that was started: `qty` of it, `filled` of that; `exec_id` is the
    /// fingerprint of its file, `client_order_id` the line. It is not started again.
    Parent = 4,
}

/// One thing an earlier run left, read from its journal. The new run's journal begins with
/// these, so that it explains itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CarryItem {
    /// Account: cost of the position, money units of 1e-18, low and high half of an i128.
    pub cost: [u64; 2],
    /// Account: realised result, likewise.
    pub realised: [u64; 2],
    /// Account: fees, likewise.
    pub fees: [u64; 2],
    /// Order: our id. Execution: the order's.
    pub client_order_id: ClientOrderId,
    /// Execution: its id.
    pub exec_id: ExecId,
    /// Account: position. Order: total quantity. Execution: quantity.
    pub qty: Qty,
    /// Order: filled so far.
    pub filled: Qty,
    /// Order: limit price, 0 for a market order. Execution: price.
    pub px: Px,
    /// Instrument.
    pub instrument: InstrumentId,
    /// What this item is.
    pub kind: CarryKind,
    /// Order or execution: side.
    pub side: Side,
    /// Order: type.
    pub order_type: OrderType,
    /// Execution: 1 where it was taken back, plus 2 where its late fee is booked.
    pub flags: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

impl CarryItem {
    /// Flag of an execution that the venue took back.
    pub const BUSTED: u8 = 1;
    /// Flag of an execution whose late fee is booked.
    pub const FEE_BOOKED: u8 = 2;

    /// Returns an item of `kind` with everything else zero.
    pub const fn new(kind: CarryKind) -> CarryItem {
        CarryItem {
            cost: [0; 2],
            realised: [0; 2],
            fees: [0; 2],
            client_order_id: ClientOrderId(0),
            exec_id: ExecId(0),
            qty: Qty(0),
            filled: Qty(0),
            px: Px(0),
            instrument: InstrumentId(0),
            kind,
            side: Side::Bid,
            order_type: OrderType::Limit,
            flags: 0,
            reserved: [0; 2],
        }
    }

    /// Splits a money amount for a field.
    pub const fn split(v: i128) -> [u64; 2] {
        [v as u64, (v >> 64) as u64]
    }

    /// Joins a field to a money amount.
    pub const fn join(v: [u64; 2]) -> i128 {
        ((v[1] as i128) << 64) | v[0] as i128
    }
}

/// What became of an order without a report of its own.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(u8)]
pub enum Fate {
    /// Nobody here knows whether it lives: it counts at its worst case until the venue says.
    Unknown = 0,
    /// The venue has it: it is what the venue says.
    Found = 1,
    /// The venue has never had it.
    NotSent = 2,
    /// It works at the venue for this account, and no run that we know of sent it.
    Adopted = 3,
}

/// A change in what is known of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FateRecord {
    /// The order; 0 for one that carries no id of ours.
    pub client_order_id: ClientOrderId,
    /// Quantity that counts as working.
    pub leaves: Qty,
    /// Instrument.
    pub instrument: InstrumentId,
    /// What is known now.
    pub fate: Fate,
    /// Zero.
    pub reserved: [u8; 5],
}

/// Something a person must know of within a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AlarmRecord {
    /// When it was raised.
    pub ts: RecvTs,
    /// The order it is about, or 0.
    pub client_order_id: ClientOrderId,
    /// What it is about in numbers; the code says which.
    pub value: i64,
    /// Instrument, or [`AlarmRecord::NO_INSTRUMENT`].
    pub instrument: InstrumentId,
    /// What happened.
    pub code: AlarmCode,
    /// Zero.
    pub reserved: [u8; 5],
}

impl AlarmRecord {
    /// Stands where an alarm is about no instrument.
    pub const NO_INSTRUMENT: InstrumentId = InstrumentId(u16::MAX);
}

const _: () = assert!(size_of::<SnapshotItem>() == 88);
const _: () = assert!(size_of::<CarryItem>() == 96);
const _: () = assert!(size_of::<FateRecord>() == 24);
const _: () = assert!(size_of::<AlarmRecord>() == 32);
