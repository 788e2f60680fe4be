//! Every kind of fault the simulator knows. A run draws which kinds it has and how often
//! (swarm testing: Groce et al. 2012), so that some days are mostly calm and some are hell.

use super::rng::Rng;

macro_rules! faults {
    ($($name:ident = $text:literal, $group:ident, $max_ppm:literal, $doc:literal;)*) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(usize)]
        pub enum Fault {
            $(#[doc = $doc] $name,)*
        }

        impl Fault {
            /// Every kind.
            pub const ALL: &'static [Fault] = &[$(Fault::$name),*];

            /// Returns the stable name used in ledgers.
            pub const fn name(self) -> &'static str {
                match self { $(Fault::$name => $text,)* }
            }

            /// Returns which part of the world it befalls.
            pub const fn group(self) -> Group {
                match self { $(Fault::$name => Group::$group,)* }
            }

            /// Returns what happens.
            pub const fn text(self) -> &'static str {
                match self { $(Fault::$name => $doc,)* }
            }

            /// Returns the largest rate drawn, a million opportunities.
            pub const fn max_ppm(self) -> u32 {
                match self { $(Fault::$name => $max_ppm,)* }
            }
        }
    };
}

/// Parts of the world that faults befall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The broker's reports and deeds.
    Broker,
    /// The bytes between kernel and broker.
    Network,
    /// The journal's disk.
    Disk,
    /// The kernel process.
    Process,
    /// The kernel's clock.
    Clock,
    /// Market data.
    Feed,
    /// More than can be handled in time.
    Load,
}

impl Group {
    /// Returns the stable name used in ledgers.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Broker => "broker",
            Group::Network => "network",
            Group::Disk => "disk",
            Group::Process => "process",
            Group::Clock => "clock",
            Group::Feed => "feed",
            Group::Load => "load",
        }
    }
}

faults! {
    ReportLost = "report_lost", Broker, 100_000, "A report is never sent.";
    ReportDelayed = "report_delayed", Broker, 300_000, "A report is sent seconds late.";
    ReportTwice = "report_twice", Broker, 400_000, "A report is sent twice.";
    ReportReordered = "report_reordered", Broker, 300_000, "A report overtakes others.";
    AckAfterFill = "ack_after_fill", Broker, 300_000,
        "The acknowledgement comes after the first fills.";
    CommissionLate = "commission_late", Broker, 400_000, "The fee comes after its fill.";
    RejectLate = "reject_late", Broker, 60_000, "An acknowledged order is rejected after all.";
    RejectNow = "reject_now", Broker, 60_000, "An order is rejected.";
    TradeBusted = "trade_busted", Broker, 40_000, "An execution is cancelled.";
    CancelUnasked = "cancel_unasked", Broker, 80_000, "A working order is cancelled unasked.";
    CancelSlow = "cancel_slow", Broker, 200_000, "A cancel takes seconds and may come too late.";
    CancelIgnored = "cancel_ignored", Broker, 60_000, "A cancel is swallowed.";
    OrderSwallowed = "order_swallowed", Broker, 60_000, "An order is swallowed without a word.";
    OrderHeld = "order_held", Broker, 60_000, "An order takes seconds to arrive.";
    ForeignOrder = "foreign_order", Broker, 4_000,
        "Somebody else trades on the account, without an id of ours.";
    OrphanOrder = "orphan_order", Broker, 2_000,
        "An order with an id like ours that no known run sent works on the account.";
    Liquidation = "liquidation", Broker, 3_000, "The broker closes a position itself.";
    SnapshotLate = "snapshot_late", Broker, 200_000, "An answer comes seconds late.";
    SnapshotCut = "snapshot_cut", Broker, 150_000, "An answer ends in the middle.";
    SnapshotGap = "snapshot_gap", Broker, 150_000, "An answer misses an item it counted.";
    SnapshotTwice = "snapshot_twice", Broker, 150_000, "A question is answered twice.";
    SnapshotNever = "snapshot_never", Broker, 150_000, "A question is never answered.";
    SnapshotTrickle = "snapshot_trickle", Broker, 300_000,
        "An answer comes item by item, reports in between.";
    HelloRefused = "hello_refused", Broker, 200_000, "A session is refused.";
    IdFloorBack = "id_floor_back", Broker, 300_000,
        "The broker names an id floor below what it has seen.";
    Disconnect = "disconnect", Network, 3_000, "The connection breaks; bytes under way are gone.";
    BrokerRestart = "broker_restart", Network, 600,
        "The broker goes away for a while; unsent reports are gone.";
    NetStall = "net_stall", Network, 8_000, "Bytes stop for seconds, then go on.";
    NetSplit = "net_split", Network, 60_000, "A message arrives in pieces.";
    HalfOpen = "half_open", Network, 600, "The connection is dead and nobody says so.";
    DiskSlow = "disk_slow", Disk, 100_000, "A commit takes long.";
    DiskWriteError = "disk_write_error", Disk, 600, "A write or sync fails.";
    DiskShortWrite = "disk_short_write", Disk, 60_000, "A write takes less than it was given.";
    DiskFull = "disk_full", Disk, 200, "The disk is full.";
    DiskTorn = "disk_torn", Disk, 900_000, "A crash damages what had not been synced.";
    Crash = "crash", Process, 1_500, "The process dies between two instructions.";
    CrashInFlight = "crash_in_flight", Process, 15_000,
        "The process dies while something is being written or sent.";
    Stop = "stop", Process, 400, "The process is stopped in good order and started again.";
    Kill = "kill", Process, 300, "The kill switch is pulled.";
    ClockStep = "clock_step", Clock, 1_500, "The clock jumps, forwards or backwards.";
    ClockJitter = "clock_jitter", Clock, 20_000, "The clock stumbles by milliseconds.";
    TimeServerLost = "time_server_lost", Clock, 2_000,
        "Nobody knows how far the clock is from true time.";
    TimeOff = "time_off", Clock, 2_000, "The clock is far from true time, says the time server.";
    FeedGap = "feed_gap", Feed, 5_000, "Market messages are lost, and the feed says so.";
    FeedSilentGap = "feed_silent_gap", Feed, 20_000, "Market messages are lost in silence.";
    FeedFreeze = "feed_freeze", Feed, 2_000, "The feed falls silent for seconds.";
    FeedCrossed = "feed_crossed", Feed, 10_000, "The book is crossed or locked.";
    FeedEmpty = "feed_empty", Feed, 8_000, "One side of the book is empty.";
    FeedJump = "feed_jump", Feed, 2_000, "The price jumps without a trade.";
    FeedHalt = "feed_halt", Feed, 800, "Trading is halted and resumes.";
    Hold = "hold", Process, 1_500, "A person holds trading back for a while.";
    LimitsLowered = "limits_lowered", Process, 1_000, "A person lowers the limits.";
    Burst = "burst", Load, 4_000, "Hundreds of records at once.";
}

/// How often each kind happens in one run, a million opportunities.
#[derive(Clone, Debug)]
pub struct Plan {
    ppm: Vec<u32>,
}

impl Plan {
    /// Returns the plan without faults.
    pub fn calm() -> Plan {
        Plan { ppm: vec![0; Fault::ALL.len()] }
    }

    /// Draws a plan: two in five kinds are absent, the others get a rate up to their largest,
    /// small ones as often as large ones.
    pub fn draw(rng: &mut Rng) -> Plan {
        let mut plan = Plan::calm();
        for &fault in Fault::ALL {
            let absent = rng.chance(400_000);
            let max = u64::from(fault.max_ppm());
            let rate = rng.log_range((max / 16).max(1), max) as u32;
            if !absent {
                plan.ppm[fault as usize] = rate;
            }
        }
        plan
    }

    /// Returns the rate of a kind.
    pub fn ppm(&self, fault: Fault) -> u32 {
        self.ppm[fault as usize]
    }

    /// Sets the rate of a kind.
    #[must_use]
    pub fn with(mut self, fault: Fault, ppm: u32) -> Plan {
        self.ppm[fault as usize] = ppm;
        self
    }
}

/// Draws faults of one part of the world and counts those that happened.
#[derive(Clone, Debug)]
pub struct Chaos {
    plan: Plan,
    counts: Vec<u64>,
    calm: bool,
    /// The part's own chance, for everything besides faults.
    pub rng: Rng,
}

impl Chaos {
    /// Returns a source for one part.
    pub fn new(plan: Plan, rng: Rng) -> Chaos {
        Chaos { plan, counts: vec![0; Fault::ALL.len()], calm: false, rng }
    }

    /// Returns whether the fault happens here and now; counts it if so.
    pub fn strikes(&mut self, fault: Fault) -> bool {
        let strikes = !self.calm && self.rng.chance(self.plan.ppm(fault));
        self.counts[fault as usize] += u64::from(strikes);
        strikes
    }

    /// Takes back a fault that found nothing to befall.
    pub fn unstrike(&mut self, fault: Fault) {
        self.counts[fault as usize] -= 1;
    }

    /// No fault happens from here on.
    pub fn calm(&mut self) {
        self.calm = true;
    }

    /// Returns whether faults are over.
    pub fn is_calm(&self) -> bool {
        self.calm
    }

    /// Returns how often each kind happened, in the order of [`Fault::ALL`].
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_numbers_are_positions() {
        let names: BTreeSet<_> = Fault::ALL.iter().map(|f| f.name()).collect();
        assert_eq!(names.len(), Fault::ALL.len());
        for (i, &fault) in Fault::ALL.iter().enumerate() {
            assert_eq!(fault as usize, i);
        }
    }

    #[test]
    fn the_document_lists_every_fault_and_every_rule() {
        let document = include_str!("../../../docs/reliability.md");
        for fault in Fault::ALL {
            let (part, name) = (fault.group().name(), fault.name());
            let rate = format!("{:07}", fault.max_ppm());
            let rate = format!("{},{}", rate[..4].trim_start_matches('0'), &rate[4..]);
            let line = format!("| {part} | `{name}` | {} | ", rate.trim_start_matches([',', '0']));
            assert!(document.contains(&(line.clone() + fault.text())), "{line}{}", fault.text());
        }
        for rule in crate::sim::auditor::Rule::ALL {
            let line = format!("| `{}` | {} |", rule.name(), rule.text());
            assert!(document.contains(&line), "{line}");
        }
    }

    #[test]
    fn every_kind_is_drawn_and_every_kind_is_left_out() {
        let mut rng = Rng::new(1, 1);
        let plans: Vec<Plan> = (0..200).map(|_| Plan::draw(&mut rng)).collect();
        for &fault in Fault::ALL {
            assert!(plans.iter().any(|p| p.ppm(fault) > 0), "{fault:?}");
            assert!(plans.iter().any(|p| p.ppm(fault) == 0), "{fault:?}");
            assert!(plans.iter().all(|p| p.ppm(fault) <= fault.max_ppm()), "{fault:?}");
        }
    }

    #[test]
    fn calm_ends_all_faults() {
        let plan = Plan::calm().with(Fault::Crash, 1_000_000);
        let mut chaos = Chaos::new(plan, Rng::new(1, 2));
        assert!(chaos.strikes(Fault::Crash) && !chaos.strikes(Fault::Kill));
        chaos.calm();
        assert!(!chaos.strikes(Fault::Crash));
        assert_eq!(chaos.counts()[Fault::Crash as usize], 1);
    }
}
