//! The people and watchers beside the kernel: a time server that answers, errs or falls silent, a
//! person who holds trading back or lowers the limits.

use super::broker::MS;
use super::faults::{Chaos, Fault};
use ijk_core::Condition;
use ijk_core::risk_config::RiskConfig;
use ijk_engine::runtime::desk::{DeskOrder, Limits};
use rtrb::Producer;

/// Time between two answers of the time server.
const ASK_NS: u64 = 500 * MS;

/// What lasts longer than one process: the time server, the person.
pub struct Desk {
    /// Faults.
    pub chaos: Chaos,
    ask_at: u64,
    /// Until then the server's answer is this.
    wrong: Option<(u64, Option<i64>)>,
    /// Until then a person holds trading back.
    held_until: u64,
}

impl Desk {
    /// Nobody has said anything yet.
    pub fn new(chaos: Chaos) -> Desk {
        Desk { chaos, ask_at: 0, wrong: None, held_until: 0 }
    }

    /// A new process knows nothing: it is told at once.
    pub fn process_started(&mut self) {
        self.ask_at = 0;
    }

    /// Says what is due.
    pub fn speak(&mut self, now: u64, risk: &RiskConfig, to: &mut Producer<DeskOrder>) {
        // A full ring means that the process is stuck: it is told later.
        let mut say = |order| to.push(order).is_ok();
        if self.chaos.strikes(Fault::TimeServerLost) {
            self.wrong = Some((now + self.chaos.rng.log_range(500 * MS, 5_000 * MS), None));
            self.ask_at = now;
        }
        if self.chaos.strikes(Fault::TimeOff) {
            let off = self.chaos.rng.log_range(5 * MS, 2_000 * MS) as i64;
            let off = if self.chaos.rng.chance(500_000) { off } else { -off };
            self.wrong = Some((now + self.chaos.rng.log_range(500 * MS, 5_000 * MS), Some(off)));
            self.ask_at = now;
        }
        if self.wrong.is_some_and(|w| w.0 <= now || self.chaos.is_calm()) {
            self.wrong = None;
        }
        if self.ask_at <= now {
            let small = self.chaos.rng.below(2 * MS) as i64 - MS as i64;
            let offset = self.wrong.map_or(Some(small), |w| w.1);
            if say(DeskOrder::Condition(Condition::clock(offset))) {
                self.ask_at = now + ASK_NS;
            }
        }
        if self.held_until == 0 && self.chaos.strikes(Fault::Hold) && say(DeskOrder::Hold(true)) {
            self.held_until = now + self.chaos.rng.log_range(100 * MS, 5_000 * MS);
        }
        let over = self.held_until <= now || self.chaos.is_calm();
        if self.held_until > 0 && over && say(DeskOrder::Hold(false)) {
            self.held_until = 0;
        }
        if self.chaos.strikes(Fault::LimitsLowered) {
            let part = self.chaos.rng.range(2, 5);
            let lower = RiskConfig {
                max_order_qty: risk.max_order_qty / part as i64,
                max_order_notional_usd: risk.max_order_notional_usd / part as f64,
                ..risk.clone()
            };
            let limits = Limits::new(&lower).expect("the simulator's settings are sound");
            say(DeskOrder::Limits(Box::new(limits)));
        }
    }
}
