//! The decision core: no I/O, no clock, no allocation after construction.

mod kernel;
mod market_rules;
mod orders;
mod probe;
pub mod recovery;
mod state;
mod tokens;
mod truth;

pub use kernel::{Kernel, KernelError, KernelParts};
pub use probe::{NoProbe, Probe, Stage};
pub use truth::{Effect, InstrumentFault, OrderTruth};

use ijk_core::config::RiskConfig;
use ijk_core::record::{
    ControlCommand, DecisionRecord, ForecastRecord, ParentCommand, ParentRecord, RefusalRecord,
};
use ijk_core::{
    AlarmRecord, CancelOrder, CarryItem, Condition, FateRecord, InstrumentId, LinkEvent,
    MarketEvent, NewOrder, RecvTs, SlotUpdate, SnapshotItem, SnapshotRequest, VenueReport,
};
use ijk_risk::Approved;

/// Everything that can reach the core. Each comes with the kernel's "now".
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A market record.
    Market(&'a MarketEvent),
    /// A report of the venue.
    Report(&'a VenueReport),
    /// A parent order from outside.
    Parent(&'a ParentCommand),
    /// A command of the operator or the runtime.
    Control(&'a ControlCommand),
    /// The link to the venue changed.
    Link(&'a LinkEvent),
    /// An item of the venue's account.
    Snapshot(&'a SnapshotItem),
    /// An item that an earlier run left.
    Carry(&'a CarryItem),
    /// What somebody outside knows.
    Condition(&'a Condition),
    /// Limits of which the stricter ones hold from here.
    Limits(&'a RiskConfig),
    /// A vector of another modality became known.
    Slot(&'a SlotUpdate),
    /// What an encoder outside says of the token at hand.
    Forecast(&'a ForecastRecord),
    /// Time passed: a deadline the core named is due.
    Timer,
}

/// Where the core's actions go, in the order in which they were decided.
pub trait Outputs {
    /// Orders of an instrument are priced around this mid from now on, currency. Told before
    /// anything is decided on it, for checks outside the core; not an action.
    fn mark(&mut self, _now: RecvTs, _instrument: InstrumentId, _mid: f64) {}
    /// A report was booked: each fact about an order once. For checks outside the core; not an
    /// action.
    fn booked(&mut self, _now: RecvTs, _report: &VenueReport) {}
    /// A decision was taken.
    fn decision(&mut self, now: RecvTs, record: &DecisionRecord);
    /// An order passed the gate and must leave.
    fn order(&mut self, now: RecvTs, order: Approved<NewOrder>);
    /// A working order is to be cancelled.
    fn cancel(&mut self, now: RecvTs, cancel: CancelOrder);
    /// The gate refused an order.
    fn refusal(&mut self, now: RecvTs, record: &RefusalRecord);
    /// A parent order's account changed.
    fn parent(&mut self, now: RecvTs, record: &ParentRecord);
    /// The venue is to be asked for its account.
    fn request(&mut self, now: RecvTs, request: &SnapshotRequest);
    /// What is known of an order changed.
    fn fate(&mut self, now: RecvTs, record: &FateRecord);
    /// A person must know.
    fn alarm(&mut self, now: RecvTs, record: &AlarmRecord);
}
