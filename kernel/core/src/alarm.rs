//! Alarms: what happened, what it means, what a person should do. `docs/operating.md` has the same
//! table; a test compares them.

use zerocopy::{Immutable, IntoBytes, KnownLayout, TryFromBytes};

macro_rules! alarms {
    ($($name:ident = $number:literal, $text:literal, $cause:literal, $action:literal;)*) => {
        /// What an alarm is about. The numbers are stable: they stand in journals.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            TryFromBytes, IntoBytes, Immutable, KnownLayout,
        )]
        #[repr(u8)]
        pub enum AlarmCode {
            $(#[doc = $cause] $name = $number,)*
        }

        impl AlarmCode {
            /// Every alarm, in the order of its number.
            pub const ALL: &'static [AlarmCode] = &[$(AlarmCode::$name),*];

            /// Returns the stable name used in tables.
            pub const fn name(self) -> &'static str {
                match self { $(AlarmCode::$name => $text,)* }
            }

            /// Returns what caused it, as one sentence.
            pub const fn cause(self) -> &'static str {
                match self { $(AlarmCode::$name => $cause,)* }
            }

            /// Returns what a person should do, as one sentence.
            pub const fn action(self) -> &'static str {
                match self { $(AlarmCode::$name => $action,)* }
            }
        }
    };
}

alarms! {
    Killed = 1, "killed",
        "The kill switch was pulled.",
        "Check that nothing works at the venue; clear the latch with `ijk kill --clear`.";
    Halted = 2, "halted",
        "A loss limit, or a report that contradicts the ledger, halted trading.",
        "Read the refusals and alarms before it; restart after the account is understood.";
    ReduceOnly = 3, "reduce_only",
        "A loss or slippage limit allows only orders that shrink positions.",
        "Decide whether to flatten; the state ends with the run.";
    LinkDown = 10, "link_down",
        "The link to the venue broke; orders at the venue stay alive.",
        "Wait for the reconnect; if it stays away, cancel at the venue by other means.";
    OrderUnknown = 11, "order_unknown",
        "An order was sent and the venue has not said what became of it.",
        "None while reconciliation runs; if it stays, look the order up at the venue.";
    OrderAbsent = 12, "order_absent",
        "The venue says it never had an order whose intent was written down.",
        "None: its quantity is free again; a repetition points at the link.";
    OrderAdopted = 13, "order_adopted",
        "The venue works an order that no run known here sent; it was counted and cancelled.",
        "Find out who sent it: another program, a person, a lost journal.";
    ForeignActivity = 14, "foreign_activity",
        "An execution or order without an id of ours arrived on this account.",
        "Find out who trades this account; positions include it.";
    PositionMismatch = 15, "position_mismatch",
        "The venue's position is not the sum of the executions known here.",
        "Compare statements; the instrument stays blocked until they agree.";
    LateFill = 16, "late_fill",
        "A fill arrived for an order that had ended, or for more than was open; it was booked.",
        "None once reconciled; the instrument is blocked until then.";
    TradeBusted = 17, "trade_busted",
        "The venue cancelled an execution; it was taken out of the position.",
        "Check the position with the venue.";
    BadReport = 18, "bad_report",
        "A report of the venue makes no sense; it was not applied.",
        "Compare the journal with the venue's log.";
    SnapshotLate = 19, "snapshot_late",
        "The venue did not answer a request for its account in time, or not completely.",
        "Check the gateway; new orders stay blocked until an answer is complete.";
    DuplicateId = 20, "duplicate_id",
        "The venue has seen an order id that this start was going to use.",
        "Stop; restore the account's folder, or raise the epoch in its `boot.json`.";
    EgressRefused = 21, "egress_refused",
        "The last check before the wire refused what the gate had let pass.",
        "A bug or a broken setting: stop and report it.";
    JournalLate = 30, "journal_late",
        "Writing the journal to the device takes too long.",
        "Check the disk; new orders wait and are withdrawn when they grow stale.";
    JournalLost = 31, "journal_lost",
        "The journal cannot be written; trading stopped.",
        "Free or replace the disk, verify the journal, restart.";
    Overload = 32, "overload",
        "A ring filled to half or the loop fell behind.",
        "Fewer instruments, a faster machine, or isolated cores.";
    ClockOff = 33, "clock_off",
        "The clock stepped, ran backwards, or is too far from true time.",
        "Check the time service.";
    DataStale = 34, "data_stale",
        "The feed is silent, froze, or left a gap.",
        "Check the feed; passive orders were cancelled, positions are held.";
    DataBad = 35, "data_bad",
        "Quotes are crossed, zero, or jump without a trade; the instrument is quarantined.",
        "Check the feed against another source.";
    RejectBurst = 36, "reject_burst",
        "The venue refused several orders in a row.",
        "Read its reasons; the strategy is stopped until a person re-arms it.";
    OrderRatio = 37, "order_ratio",
        "Far more messages than fills: the venue may charge or throttle.",
        "Raise the child size or the patience.";
    TableFull = 38, "table_full",
        "A table of fixed size is full; new orders are blocked.",
        "Restart after reconciliation; report it if the limits look too small.";
    DeviceLeft = 39, "device_left",
        "The device that ran the encoder failed; the processor goes on with the same token.",
        "None for this run; check the device and its driver before the next one.";
}
