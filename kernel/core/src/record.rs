//! Payloads of journal records. Fixed layouts, little endian, no padding; the frame around them
//! is in `ijk-journal`.

use crate::features::FEATURE_COUNT;
use crate::limits::RECORD_PAYLOAD_BYTES_MAX;
use crate::{EnsembleForecast, InstrumentId, ParentId, Px, Qty, RecvTs, Side};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, TryFromBytes};

/// Kind of a journal record. Values below 16 are inputs, 16 to 31 outputs of the core; the rest
/// is bookkeeping.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(u8)]
pub enum RecordKind {
    /// First record: JSON text with instruments, effective settings, hashes and seed.
    Header = 0,
    /// Input: a [`crate::MarketEvent`].
    Market = 1,
    /// Input: a [`crate::VenueReport`].
    Report = 2,
    /// Input: a [`ParentCommand`].
    Parent = 3,
    /// Input: a [`ControlCommand`].
    Control = 4,
    /// Input: time passed without an event; no payload.
    Timer = 5,
    /// Input: a [`crate::LinkEvent`].
    Link = 6,
    /// Input: a [`crate::SnapshotItem`].
    Snapshot = 7,
    /// Input: a [`crate::CarryItem`], what an earlier run left.
    Carry = 8,
    /// Input: a [`crate::Condition`], what somebody outside knows.
    Condition = 9,
    /// Input: JSON text of a [`crate::config::RiskConfig`]; what is stricter in it holds from here.
    Limits = 10,
    /// Input: a [`crate::SlotUpdate`], a vector of another modality that became known.
    Slot = 11,
    /// Input: a [`ForecastRecord`], what an encoder outside the core says of its last token.
    Forecast = 12,
    /// Output: a [`DecisionRecord`].
    Decision = 16,
    /// Output: a [`crate::NewOrder`] that passed the gate and left.
    Order = 17,
    /// Output: a [`crate::CancelOrder`].
    Cancel = 18,
    /// Output: a [`RefusalRecord`].
    Refusal = 19,
    /// Output: a [`ParentRecord`], at each change of a parent's state.
    ParentState = 20,
    /// Output: a [`crate::SnapshotRequest`]: the venue is asked what it knows.
    Request = 21,
    /// Output: an [`crate::AlarmRecord`].
    Alarm = 22,
    /// Output: an [`crate::FateRecord`]: what is known of an order changed without its report.
    Fate = 23,
    /// Last record of a complete run: a [`RunEnd`].
    End = 32,
}

impl RecordKind {
    /// Returns the kind with this number.
    pub fn from_raw(raw: u8) -> Option<RecordKind> {
        RecordKind::try_read_from_bytes(&[raw]).ok()
    }

    /// Returns whether the core consumes records of this kind.
    pub const fn is_input(self) -> bool {
        matches!(
            self,
            RecordKind::Market
                | RecordKind::Report
                | RecordKind::Parent
                | RecordKind::Control
                | RecordKind::Timer
                | RecordKind::Link
                | RecordKind::Snapshot
                | RecordKind::Carry
                | RecordKind::Condition
                | RecordKind::Limits
                | RecordKind::Slot
                | RecordKind::Forecast
        )
    }

    /// Returns whether the core produces records of this kind.
    pub const fn is_output(self) -> bool {
        matches!(
            self,
            RecordKind::Decision
                | RecordKind::Order
                | RecordKind::Cancel
                | RecordKind::Refusal
                | RecordKind::ParentState
                | RecordKind::Request
                | RecordKind::Alarm
                | RecordKind::Fate
        )
    }
}

/// How urgently a parent wants to be done.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    TryFromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Urgency {
    /// Rests at the near touch, crosses only at the horizon's end.
    Passive = 0,
    /// Rests first, crosses when a child falls behind the schedule.
    Normal = 1,
    /// Crosses the spread at once, front-loaded schedule.
    Urgent = 2,
}

/// How a parent's quantity is spread over its horizon. Stable numbers.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    TryFromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum ScheduleKind {
    /// Almgren and Chriss (2000): linear impact against the risk of waiting.
    #[default]
    AlmgrenChriss = 0,
    /// Even in time.
    Twap = 1,
    /// Even in expected volume.
    Vwap = 2,
    /// A fixed part of the volume that trades.
    Pov = 3,
    /// Implementation shortfall with power-law temporary impact, solved numerically.
    PowerLaw = 4,
    /// Obizhaeva and Wang (2013): a book that refills exponentially.
    ObizhaevaWang = 5,
    /// The optimum of a power-law propagator.
    Propagator = 6,
}

impl ScheduleKind {
    /// Every kind with its name in parents files and tables, in the order of its number.
    pub const NAMES: [(&'static str, ScheduleKind); 7] = [
        ("almgren_chriss", ScheduleKind::AlmgrenChriss),
        ("twap", ScheduleKind::Twap),
        ("vwap", ScheduleKind::Vwap),
        ("pov", ScheduleKind::Pov),
        ("power_law", ScheduleKind::PowerLaw),
        ("obizhaeva_wang", ScheduleKind::ObizhaevaWang),
        ("propagator", ScheduleKind::Propagator),
    ];

    /// Returns the name used in parents files and tables.
    pub const fn name(self) -> &'static str {
        ScheduleKind::NAMES[self as usize].0
    }

    /// Returns the kind of this name.
    pub fn from_name(name: &str) -> Option<ScheduleKind> {
        ScheduleKind::NAMES.iter().find(|n| n.0 == name).map(|n| n.1)
    }
}

/// A parent order that comes from outside (a file, an operator).
#[derive(Clone, Copy, Debug, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParentCommand {
    /// When it becomes live.
    pub ts: RecvTs,
    /// Total quantity, positive.
    pub qty: Qty,
    /// Time it may take, nanoseconds.
    pub horizon_ns: u64,
    /// Line in the file it came from, from 1; 0 otherwise.
    pub source_line: u32,
    /// Instrument.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Urgency.
    pub urgency: Urgency,
    /// Largest part of the volume, and the rate of a `Pov` schedule, in 1e-4; 0: as set.
    pub participation_e4: u16,
    /// Schedule.
    pub schedule: ScheduleKind,
    /// Zero.
    pub reserved: [u8; 5],
}

/// What an operator can order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(u8)]
pub enum ControlKind {
    /// Stop all trading and cancel everything; latches.
    Kill = 0,
    /// End of the run: cancel what works, close the books.
    Finish = 1,
    /// Forbids new orders for the reason in `block` until it is lifted.
    Block = 2,
    /// Lifts the reason in `block`; orders pass when no reason is left.
    Unblock = 3,
}

/// An operator's command, or one of the runtime itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ControlCommand {
    /// What is ordered.
    pub kind: ControlKind,
    /// The reason of a block; means nothing otherwise.
    pub block: crate::Block,
    /// Zero.
    pub reserved: [u8; 6],
}

impl ControlCommand {
    /// Returns the command that blocks, or lifts the block of, new orders for one reason.
    pub const fn block(block: crate::Block, set: bool) -> ControlCommand {
        let kind = if set { ControlKind::Block } else { ControlKind::Unblock };
        ControlCommand { kind, block, reserved: [0; 6] }
    }

    /// Returns a command that needs no reason.
    pub const fn plain(kind: ControlKind) -> ControlCommand {
        ControlCommand { kind, block: crate::Block::Operator, reserved: [0; 6] }
    }
}

/// Why a decision came out as it did. Stable numbers.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(u8)]
pub enum DecisionReason {
    /// The target moved: a parent order was started.
    Trade = 0,
    /// The 95 % lower bound of the edge does not cover the cost of trading.
    NoEdge = 1,
    /// The target moved less than the no-trade band.
    InBand = 2,
    /// Too few tokens for the features and the encoder to mean anything.
    WarmUp = 3,
    /// The book has not two sides, or is not to be trusted.
    BadBook = 4,
    /// The forecast is not finite.
    BadForecast = 5,
    /// Trading is halted or reduce-only and the target would add risk.
    Halted = 6,
    /// Outside the session or too close to its end.
    Session = 7,
    /// A parent is still working for this instrument.
    Busy = 8,
    /// The features are unlike those the model was trained on, and the target would add risk.
    Distrust = 9,
}

impl DecisionReason {
    /// Every reason, in the order of its number.
    pub const ALL: [DecisionReason; 10] = [
        DecisionReason::Trade,
        DecisionReason::NoEdge,
        DecisionReason::InBand,
        DecisionReason::WarmUp,
        DecisionReason::BadBook,
        DecisionReason::BadForecast,
        DecisionReason::Halted,
        DecisionReason::Session,
        DecisionReason::Busy,
        DecisionReason::Distrust,
    ];

    /// Returns the stable name used in tables.
    pub const fn name(self) -> &'static str {
        match self {
            DecisionReason::Trade => "trade",
            DecisionReason::NoEdge => "no_edge",
            DecisionReason::InBand => "in_band",
            DecisionReason::WarmUp => "warm_up",
            DecisionReason::BadBook => "bad_book",
            DecisionReason::BadForecast => "bad_forecast",
            DecisionReason::Halted => "halted",
            DecisionReason::Session => "session",
            DecisionReason::Busy => "busy",
            DecisionReason::Distrust => "distrust",
        }
    }
}

/// One decision: what was seen, forecast and wanted at one token.
#[derive(Clone, Copy, Debug, PartialEq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct DecisionRecord {
    /// Number of the decision in the run, from 1.
    pub decision_id: u64,
    /// Index of the token in its instrument's stream.
    pub token_index: u64,
    /// Index of the source row that closed the token.
    pub event_index: u64,
    /// Exchange time of that row.
    pub ts_exchange: crate::ExchTs,
    /// The twelve features.
    pub features: [f64; FEATURE_COUNT],
    /// Mid price.
    pub mid: f64,
    /// Pooled mean at the trading horizon, basis points.
    pub mean_bps: f64,
    /// Epistemic variance, squared basis points.
    pub epistemic_var: f64,
    /// Aleatoric variance, squared basis points.
    pub aleatoric_var: f64,
    /// Lower 95 % bound of the edge in the direction of the mean, basis points.
    pub edge_lower_bps: f64,
    /// Expected cost of a round trip, basis points.
    pub cost_bps: f64,
    /// Fraction of equity that Kelly would hold, signed, after all caps.
    pub kelly_fraction: f64,
    /// Position wanted.
    pub target: Qty,
    /// Position held, fills only.
    pub position: Qty,
    /// Parent started by this decision, or 0.
    pub parent_id: ParentId,
    /// Instrument.
    pub instrument: InstrumentId,
    /// Why.
    pub reason: DecisionReason,
    /// Zero.
    pub reserved: u8,
    /// Forecast per member and horizon.
    pub forecast: EnsembleForecast,
    /// Zero.
    pub reserved2: u32,
}

/// A forecast that was made outside the core, for the token that the core closed last.
#[derive(Clone, Copy, Debug, PartialEq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ForecastRecord {
    /// Index of the token in its instrument's stream.
    pub token_index: u64,
    /// Instrument.
    pub instrument: InstrumentId,
    /// Zero.
    pub reserved: [u8; 6],
    /// Forecast per member and horizon.
    pub forecast: EnsembleForecast,
    /// Zero.
    pub reserved2: u32,
}

/// An order the gate refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RefusalRecord {
    /// The order.
    pub order: crate::NewOrder,
    /// Reason code of the risk gate (`ijk_risk::RiskCode`).
    pub code: u16,
    /// Zero.
    pub reserved: [u8; 6],
}

/// State of a parent order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(u8)]
pub enum ParentStatus {
    /// Working through its schedule.
    Active = 0,
    /// Filled completely.
    Done = 1,
    /// Ended with a rest: horizon, cancel, halt or end of run.
    Abandoned = 2,
    /// Never started.
    Refused = 3,
}

/// A parent order's account: `qty = filled + working + unsent + abandoned` at all times.
#[derive(Clone, Copy, Debug, PartialEq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParentRecord {
    /// When it started.
    pub ts_start: RecvTs,
    /// When it must be done.
    pub ts_end: RecvTs,
    /// Total quantity.
    pub qty: Qty,
    /// Filled so far.
    pub filled: Qty,
    /// At the venue, not filled.
    pub working: Qty,
    /// Still to be sent.
    pub unsent: Qty,
    /// Given up.
    pub abandoned: Qty,
    /// Mid price at the start: the decision price of implementation shortfall.
    pub arrival_mid: f64,
    /// Sum of fill price times quantity, currency times quantity units.
    pub filled_value: f64,
    /// Commission and fees so far, 1e-9 currency units.
    pub fee_e9: i64,
    /// Mid price at the record's time.
    pub mid: f64,
    /// Decision that started it, or 0.
    pub decision_id: u64,
    /// Line of the file it came from, or 0.
    pub source_line: u32,
    /// The parent.
    pub parent_id: ParentId,
    /// Instrument.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Urgency.
    pub urgency: Urgency,
    /// State.
    pub status: ParentStatus,
    /// Schedule.
    pub schedule: ScheduleKind,
    /// How often the rest was planned anew because the market had changed; stops at 255.
    pub replan_count: u8,
    /// Zero.
    pub reserved: u8,
}

/// Last record of a complete run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RunEnd {
    /// Market records seen.
    pub market_records: u64,
    /// Source rows seen.
    pub rows: u64,
    /// Tokens closed.
    pub tokens: u64,
    /// Decisions taken.
    pub decisions: u64,
    /// Orders sent.
    pub orders: u64,
    /// Fills received.
    pub fills: u64,
}

/// A price and quantity pair of the book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Price.
    pub px: Px,
    /// Quantity, positive on a present level.
    pub qty: Qty,
}

const _: () = assert!(size_of::<DecisionRecord>() <= RECORD_PAYLOAD_BYTES_MAX);
const _: () = assert!(size_of::<DecisionRecord>().is_multiple_of(8));
const _: () = assert!(size_of::<ForecastRecord>().is_multiple_of(8));
const _: () = assert!(size_of::<RefusalRecord>().is_multiple_of(8));
const _: () = assert!(size_of::<ParentRecord>().is_multiple_of(8));
const _: () = assert!(size_of::<ParentCommand>() == 40);
