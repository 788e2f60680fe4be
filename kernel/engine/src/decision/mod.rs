//! The decision core: no I/O, no clock, no allocation after construction.

mod kernel;
mod probe;
mod state;

pub use kernel::{Kernel, KernelError, KernelParts};
pub use probe::{NoProbe, Probe, Stage};

use ijk_core::record::{
    ControlCommand, DecisionRecord, ParentCommand, ParentRecord, RefusalRecord,
};
use ijk_core::{CancelOrder, MarketEvent, NewOrder, RecvTs, VenueReport};
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
    /// Time passed: a deadline the core named is due.
    Timer,
}

/// Where the core's actions go, in the order in which they were decided.
pub trait Outputs {
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
}
