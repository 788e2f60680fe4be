//! Planted bugs, for the tests that prove the simulator of bad days sees them. Without the
//! feature `canary` no bug can be planted and every question is answered "no" while compiling.

/// A bug that can be planted, one at a time and thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Every start numbers its orders from the same id.
    ReuseIds,
    /// Orders leave before their intent is on the device.
    SendBeforeDurable,
    /// An order without an answer counts as rejected.
    UnknownRejected,
    /// The first answer that does not list an order is believed.
    BelieveFirstAbsence,
    /// Every fifth fill is forgotten.
    FillDropped,
    /// Orders that the last run left are not taken over.
    ForgetOrders,
    /// Executions that the last run booked are not taken over.
    ForgetExecutions,
    /// Orders at the venue that nobody here knows are not counted.
    StrangerIgnored,
    /// Executions that the venue takes back stay booked.
    BustIgnored,
    /// An order that was cancelled before it left leaves all the same.
    WithdrawnLeaves,
}

impl Bug {
    /// Every bug.
    pub const ALL: [Bug; 10] = [
        Bug::ReuseIds,
        Bug::SendBeforeDurable,
        Bug::UnknownRejected,
        Bug::BelieveFirstAbsence,
        Bug::FillDropped,
        Bug::ForgetOrders,
        Bug::ForgetExecutions,
        Bug::StrangerIgnored,
        Bug::BustIgnored,
        Bug::WithdrawnLeaves,
    ];
}

#[cfg(feature = "canary")]
mod switch {
    use super::Bug;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Plants a bug in the calling thread, or digs it out.
    pub fn set(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    pub(crate) fn planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }
}

#[cfg(feature = "canary")]
pub use switch::set;

#[cfg(feature = "canary")]
pub(crate) use switch::planted;

/// Returns whether this build has the bug: never.
#[cfg(not(feature = "canary"))]
#[inline(always)]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}
