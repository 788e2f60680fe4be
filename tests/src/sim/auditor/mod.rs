//! The auditor: reads what was sent, what was written down and what the broker's books say, and
//! applies the rules of [`Rule`]. It decodes bytes by offsets of its own and shares no code with
//! the kernel or the broker.
//!
//! It is fed one event after another in the order in which they happened in the simulated world;
//! it never trusts a time stamp for an order of events.

mod closing;
mod journal;
mod layout;
mod snapshots;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub use layout::kinds;

/// Where the wire is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tap {
    /// At the kernel's process: what it wrote, what it read.
    Client,
    /// At the broker: what reached it, what it wrote.
    Broker,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum What {
    /// A process started; everything of an earlier one is gone.
    Boot,
    /// Bytes passed a tap; `up` is towards the broker, `connection` counts connections.
    Wire {
        /// Where.
        tap: Tap,
        /// Towards the broker.
        up: bool,
        /// Number of the connection.
        connection: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The process appended a record to its journal.
    Record {
        /// Kind.
        kind: u8,
        /// Payload.
        payload: Vec<u8>,
    },
    /// Bytes came onto the journal's device for good.
    Device {
        /// The bytes of one forced write.
        bytes: Vec<u8>,
    },
    /// The process's clock jumped.
    ClockStep,
    /// A person cleared the kill switch.
    KillCleared,
}

/// Limits the kernel was configured with.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest order, shares.
    pub order_qty: i64,
    /// Largest order, dollars of 1e-9.
    pub order_value_e9: i128,
    /// Largest position of one instrument at worst case, dollars of 1e-9.
    pub position_value_e9: i128,
    /// Largest sum of positions at worst case, dollars of 1e-9.
    pub gross_value_e9: i128,
    /// New orders a second.
    pub orders_per_s: usize,
    /// New orders at once on top of it.
    pub burst: usize,
    /// Time between the two answers that prove an order absent.
    pub absent_quiet_ns: u64,
    /// Reasons not to trade that a process starts with, as bits.
    pub blocks_at_boot: u8,
    /// Prices in dollars of 1e-9 never fall below this in the run: exposures are valued here, so
    /// that nothing is called too large that may not be.
    pub px_floor: i64,
}

/// One order of the broker's books at the end.
#[derive(Clone, Copy, Debug)]
pub struct BookedOrder {
    /// Client order id.
    pub id: u64,
    /// Working.
    pub working: bool,
}

/// One execution of the broker's books at the end that was not busted.
#[derive(Clone, Copy, Debug)]
pub struct BookedExecution {
    /// Its id.
    pub exec_id: u64,
}

/// The broker's books at the end, and what the kernel says of itself then.
#[derive(Clone, Debug, Default)]
pub struct Closing {
    /// The broker's orders.
    pub orders: Vec<BookedOrder>,
    /// The broker's executions.
    pub executions: Vec<BookedExecution>,
    /// The broker's positions by instrument.
    pub positions: Vec<i64>,
    /// The kernel's positions by instrument.
    pub kernel_positions: Vec<i64>,
    /// Orders the kernel holds for unknown.
    pub kernel_unknown: usize,
    /// Orders the kernel holds for working.
    pub kernel_working: usize,
    /// Reasons not to trade that the kernel holds, as bits.
    pub kernel_blocks: u8,
    /// The kernel says that it is halted, and has written down why.
    pub kernel_halted: bool,
    /// The kernel refuses to run on its journal, and says so.
    pub kernel_refuses: bool,
}

macro_rules! rules {
    ($($name:ident = $text:literal, $doc:literal;)*) => {
        /// A rule. Its text says what must hold.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule {
            $(#[doc = $doc] $name,)*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Rule] = &[$(Rule::$name),*];

            /// Returns the stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Rule::$name => $text,)* }
            }

            /// Returns what must hold.
            pub const fn text(self) -> &'static str {
                match self { $(Rule::$name => $doc,)* }
            }
        }
    };
}

rules! {
    SentTwice = "sent_twice", "A client order id goes onto the wire once, for ever.";
    ForeignEpoch = "foreign_epoch",
        "Ids carry the number of the process's start, and that number grows.";
    NoDurableIntent = "no_durable_intent",
        "An order's bytes are on the device before they are on the wire.";
    BadBytes = "bad_bytes", "Everything sent is of the protocol.";
    Unaccounted = "unaccounted",
        "Every order with an id that the broker has is in the journal.";
    ExecutionLost = "execution_lost", "Every execution of the day is in the journal.";
    PositionWrong = "position_wrong",
        "The kernel's positions are the broker's once all is calm: every fill applied once.";
    InventedReport = "invented_report", "Every report journaled was delivered, as often.";
    FalseReject = "false_reject",
        "An order is called absent only if it never left, or two complete answers, far enough \
         apart, do not list it.";
    CarriedLess = "carried_less",
        "A new process takes over every order that was sent and not known to have ended.";
    OrderTooLarge = "order_too_large", "No order is larger than the limits.";
    PositionTooLarge = "position_too_large",
        "No order leaves that could bring a position, at worst case, over its limit.";
    GrossTooLarge = "gross_too_large",
        "No order leaves that could bring the sum of positions, at worst case, over its limit.";
    TooFast = "too_fast", "No more orders in a second than allowed.";
    ParentOverrun = "parent_overrun", "The children of a parent never exceed it.";
    ParentBalance = "parent_balance", "A parent's account adds up.";
    NewAfterKill = "new_after_kill", "Nothing new leaves after the kill switch.";
    NotSwept = "not_swept",
        "Once the kill switch is on record every working order is cancelled at once.";
    NewWhileBlocked = "new_while_blocked", "Nothing new leaves while a block is in the journal.";
    NewUnreconciled = "new_unreconciled",
        "Nothing new leaves on a connection before a complete answer came over it.";
    NotConverged = "not_converged",
        "Once all is calm nothing is unknown and nothing is blocked without a reason.";
    GatesDisagree = "gates_disagree",
        "Both gates know the same orders: the last one never refuses for lack of knowledge.";
    JournalRefused = "journal_refused",
        "A journal that only crashes have touched can be recovered.";
    LeftWorking = "left_working", "Once the day is over no order of ours works.";
}

/// A rule was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// When, nanoseconds of the simulated world.
    pub at: u64,
    /// How.
    pub text: String,
}

/// An order as the auditor knows it.
#[derive(Clone, Copy, Debug)]
struct Sent {
    instrument: u16,
    side: u8,
    qty: i64,
    filled: i64,
    ended: bool,
    /// Index among the complete answers when it was written to the wire.
    answers_before: usize,
    reported: bool,
}

/// Reads events and judges. Violations are kept in the order of their finding.
pub struct Auditor {
    limits: Limits,
    at: u64,
    violations: Vec<Violation>,
    // What the device has.
    durable: BTreeMap<u64, [u8; 40]>,
    // What the wire showed.
    streams: BTreeMap<(bool, bool, u64), Vec<u8>>,
    sent: BTreeMap<u64, Sent>,
    foreign_open: BTreeMap<u64, (u16, u8, i64)>,
    /// Orders of which an end was reported.
    reported_ended: BTreeSet<u64>,
    executions: BTreeMap<u64, (u16, i64)>,
    busted: BTreeSet<u64>,
    positions: BTreeMap<u16, i64>,
    new_times: VecDeque<u64>,
    intent_times: VecDeque<u64>,
    steps: VecDeque<u64>,
    epoch: u64,
    epoch_max: u64,
    reconciled: Option<u64>,
    snapshot: snapshots::Building,
    answers: Vec<snapshots::Answer>,
    delivered: BTreeMap<Vec<u8>, i64>,
    // What the journal says.
    journaled_orders: BTreeSet<u64>,
    journaled_executions: BTreeSet<u64>,
    journaled_ended: BTreeSet<u64>,
    /// What executions in the journal fill of each order.
    journaled_filled: BTreeMap<u64, i64>,
    carried: BTreeSet<u64>,
    parents: BTreeMap<u32, journal::Parent>,
    children: BTreeMap<u64, journal::Child>,
    busts_returned: BTreeSet<u64>,
    blocks: u8,
    /// The clock is not to be trusted, by the time server.
    clock_off: bool,
    /// Largest order since the limits were lowered.
    lowered_qty: Option<i64>,
    killed: bool,
    link_up: bool,
    /// An order of ours surfaced in this process after it was declared absent.
    surfaced: bool,
    cancelled: BTreeSet<u64>,
    /// Orders that must be cancelled by then, because the kill switch was pulled.
    sweep: Option<(u64, BTreeSet<u64>)>,
}

/// Set from a start until all that an earlier process left was taken over.
const RECOVERY: u8 = 1;

impl Auditor {
    /// Returns an auditor that has seen nothing.
    pub fn new(limits: Limits) -> Auditor {
        Auditor {
            limits,
            at: 0,
            violations: Vec::new(),
            durable: BTreeMap::new(),
            streams: BTreeMap::new(),
            sent: BTreeMap::new(),
            foreign_open: BTreeMap::new(),
            reported_ended: BTreeSet::new(),
            executions: BTreeMap::new(),
            busted: BTreeSet::new(),
            positions: BTreeMap::new(),
            new_times: VecDeque::new(),
            intent_times: VecDeque::new(),
            steps: VecDeque::new(),
            epoch: 0,
            epoch_max: 0,
            reconciled: None,
            snapshot: snapshots::Building::default(),
            answers: Vec::new(),
            delivered: BTreeMap::new(),
            journaled_orders: BTreeSet::new(),
            journaled_executions: BTreeSet::new(),
            journaled_ended: BTreeSet::new(),
            journaled_filled: BTreeMap::new(),
            carried: BTreeSet::new(),
            parents: BTreeMap::new(),
            children: BTreeMap::new(),
            busts_returned: BTreeSet::new(),
            blocks: limits.blocks_at_boot | RECOVERY,
            clock_off: false,
            lowered_qty: None,
            killed: false,
            link_up: false,
            surfaced: false,
            cancelled: BTreeSet::new(),
            sweep: None,
        }
    }

    /// Takes the next event, at `at` of the simulated world.
    pub fn see(&mut self, at: u64, what: &What) {
        self.at = at;
        self.check_sweep();
        match what {
            What::Boot => self.on_boot(),
            What::Wire { tap, up, connection, bytes } => {
                self.on_wire(*tap, *up, *connection, bytes);
            }
            What::Record { kind, payload } => self.on_record(*kind, payload),
            What::Device { bytes } => self.on_device(bytes),
            What::ClockStep => self.steps.push_back(at),
            What::KillCleared => self.killed = false,
        }
    }

    /// Takes an accusation of somebody who saw what bytes do not show.
    pub fn accuse(&mut self, at: u64, rule: Rule, text: String) {
        self.at = at;
        self.breach(rule, text);
    }

    /// Returns what was found so far.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Returns how many orders went onto the wire.
    pub fn sent_count(&self) -> usize {
        self.sent.len()
    }

    fn on_boot(&mut self) {
        self.epoch = 0;
        self.link_up = false;
        self.surfaced = false;
        self.sweep = None;
        self.cancelled.clear();
        self.reconciled = None;
        self.snapshot = snapshots::Building::default();
        self.delivered.clear();
        self.carried.clear();
        self.parents.clear();
        self.children.clear();
        self.blocks = self.limits.blocks_at_boot | RECOVERY;
        // Nobody has told it the time yet.
        self.clock_off = true;
        self.lowered_qty = None;
        self.steps.push_back(self.at);
    }

    fn breach(&mut self, rule: Rule, text: String) {
        self.violations.push(Violation { rule, at: self.at, text });
    }
}
