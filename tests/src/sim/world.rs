//! One day: a seed draws the market, the faults and the orders; the day is lived, the faults
//! end, the kernel gets time to find its way back, and the auditor judges.

use super::auditor::{Auditor, BookedExecution, BookedOrder, Closing, Limits, Violation};
use super::auditor::{Rule, What};
use super::broker::books::Status;
use super::broker::{Broker, MS, sixteen};
use super::desk::Desk;
use super::faults::{Chaos, Fault, Plan};
use super::market::{Market, START_PX, TICK, Truth};
use super::net::Net;
use super::ports::FEED_SLOTS;
use super::process::{Claim, Machine, Process};
use super::rng::Rng;
use super::scene::{Scene, Shared};
use ijk_core::config::Config;
use ijk_core::record::{ParentCommand, ScheduleKind, Urgency};
use ijk_core::risk_config::RiskConfig;
use ijk_core::{Instrument, InstrumentId, Qty, RecvTs, Side, Symbol};
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

/// Every day begins at this true time: 2023-11-14 22:13:20 UTC.
const DAWN: u64 = 1_700_000_000_000_000_000;
/// A second.
const S: u64 = 1_000 * MS;
/// Nothing sleeps longer than this.
const TICK_NS: u64 = 50 * MS;
/// The block that only a person lifts.
const OPERATOR: u8 = 1 << 6;
/// Blocks of an instrument for what is not known of its orders and positions.
const LEDGER: u8 = 0b111;
const SYMBOLS: [&str; 3] = ["AAA", "BBB", "CCC"];
const ACCOUNT: &str = "DU1000001";

/// What became of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Rules broken, in the order of their finding.
    pub violations: Vec<Violation>,
    /// How often each kind of fault happened, in the order of [`Fault::ALL`].
    pub faults: Vec<u64>,
    /// Orders that went onto the wire.
    pub orders: usize,
    /// Executions in the broker's books.
    pub executions: usize,
    /// Starts of the kernel.
    pub starts: u32,
    /// Time from the end of the faults until all was known again, nanoseconds.
    pub converged_ns: Option<u64>,
    /// The kernel was halted at the end.
    pub halted: bool,
    /// Hash of everything sent, written down and forced to the device.
    pub digest: String,
}

struct World {
    scene: Shared,
    machine: Machine,
    process: Option<Process>,
    start_at: u64,
    broker: Broker,
    market: Market,
    parents: Vec<ParentCommand>,
    calm: bool,
    disk_full_until: u64,
    /// A person clears the kill switch then, and starts the kernel again.
    clear_at: u64,
    next_tick: u64,
    stopping: bool,
    converge_ns: u64,
}

/// Lives the day of `seed`.
pub fn live(seed: u64) -> Day {
    let mut rng = Rng::new(seed, 1);
    let plan = Plan::draw(&mut rng);
    live_with(seed, plan)
}

/// Lives the day of `seed` with the faults of `plan`.
pub fn live_with(seed: u64, plan: Plan) -> Day {
    let mut world = World::new(seed, plan);
    let mut rng = Rng::new(seed, 2);
    let trading_ns = rng.range(30, 60) * S;
    world.run_until(DAWN + trading_ns, &mut |_| false);
    world.end_faults();
    let calm_at = world.now();
    // A kernel whose clock was set back waits until it has caught up, and then a while.
    let lag = world.process.as_ref().map_or(0, |p| p.lag_ns(&world.scene));
    let bound = calm_at + world.converge_ns + if lag > 0 { lag + 5 * S } else { 0 };
    let (mut since, mut equal_at) = (None, 0);
    world.run_until(bound, &mut |w| {
        if w.positions_agree() {
            equal_at = w.now();
        }
        if !w.is_converged() {
            since = None;
        } else if since.is_none() && equal_at > 0 {
            since = Some(w.now());
        }
        // Known once and for a while; fills may be under way between two looks.
        since.is_some_and(|t| w.now() >= t + S && w.now() < equal_at + S / 2)
    });
    let since = since.filter(|t| world.now() >= t + S);
    let converged_ns = since.map(|t| t - calm_at);
    if converged_ns.is_none() && !world.machine.refused {
        let text = world.state();
        world.scene.borrow_mut().accuse(Rule::NotConverged, text);
    }
    world.close(converged_ns)
}

/// Returns a file of this process's own for the kernel's counters.
fn counters_path() -> PathBuf {
    let thread = format!("{:?}", std::thread::current().id());
    let digits: String = thread.chars().filter(char::is_ascii_digit).collect();
    std::env::temp_dir().join(format!("ijk-sim-{}-{digits}.counters", std::process::id()))
}

/// Draws settings: small limits that bind, times short enough for a short day.
fn draw_config(rng: &mut Rng) -> Config {
    let mut config = Config::default();
    let r = &mut config.risk;
    *r = RiskConfig::simulation();
    r.max_order_qty = rng.range(20, 300) as i64;
    r.max_order_notional_usd = rng.range(5_000, 25_000) as f64;
    r.max_position_notional_usd = rng.range(20_000, 90_000) as f64;
    r.max_gross_notional_usd = rng.range(40_000, 150_000) as f64;
    r.max_net_notional_usd = 150_000.0;
    r.max_orders_per_s = rng.range(2, 10) as u32;
    r.order_burst = rng.range(1, 8) as u32;
    r.allow_symbols = SYMBOLS.iter().map(|s| s.to_string()).collect();
    r.halt_mismatches = if rng.chance(200_000) { 2 } else { 100_000 };
    r.quote_max_age_ms = 2_000;
    r.feed_heartbeat_ms = 2_000;
    r.luld_bands = rng.chance(300_000);
    let v = &mut config.venue;
    v.ack_timeout_ms = rng.range(200, 1_500);
    v.snapshot_timeout_ms = rng.range(500, 2_000);
    v.reconcile_interval_ms = rng.range(1_000, 5_000);
    v.absent_quiet_ms = rng.range(1_000, 5_000);
    v.intent_age_max_ms = rng.range(200, 1_500);
    v.heartbeat_ms = rng.range(200, 1_000);
    let e = &mut config.execution;
    e.slice_interval_ms = rng.range(200, 1_500);
    e.child_patience_ms = rng.range(300, 2_000);
    e.child_qty_min = rng.range(1, 30) as i64;
    e.participation_max = 1.0;
    e.no_new_before_close_s = 0;
    config
}

fn limits(config: &Config) -> Limits {
    let e9 = |usd: f64| (usd * 1e9) as i128;
    let r = &config.risk;
    Limits {
        order_qty: r.max_order_qty,
        order_value_e9: e9(r.max_order_notional_usd),
        position_value_e9: e9(r.max_position_notional_usd),
        gross_value_e9: e9(r.max_gross_notional_usd),
        orders_per_s: r.max_orders_per_s as usize,
        burst: r.order_burst as usize,
        absent_quiet_ns: config.venue.absent_quiet_ms * MS,
        blocks_at_boot: 0,
        px_floor: START_PX - 203 * TICK,
    }
}

fn draw_parents(rng: &mut Rng, instruments: usize, clock: u64) -> Vec<ParentCommand> {
    let count = rng.range(20, 90);
    let mut parents: Vec<ParentCommand> = (0..count)
        .map(|line| ParentCommand {
            ts: RecvTs(clock + rng.range(1_000, 60_000) * MS),
            qty: Qty(rng.log_range(1, 900) as i64),
            horizon_ns: rng.range(1, 12) * S,
            source_line: line as u32 + 1,
            instrument: InstrumentId(rng.below(instruments as u64) as u16),
            side: if rng.chance(500_000) { Side::Bid } else { Side::Ask },
            urgency: match rng.below(3) {
                0 => Urgency::Passive,
                1 => Urgency::Normal,
                _ => Urgency::Urgent,
            },
            participation_e4: [0, 0, 500, 10_000][line as usize % 4],
            schedule: ScheduleKind::NAMES[line as usize % 7].1,
            reserved: [0; 5],
        })
        .collect();
    parents.sort_by_key(|p| (p.ts, p.source_line));
    parents
}

impl World {
    fn new(seed: u64, plan: Plan) -> World {
        let mut rng = Rng::new(seed, 3);
        let config = draw_config(&mut rng);
        let count = rng.range(1, 3) as usize;
        let chaos = |purpose| Chaos::new(plan.clone(), Rng::new(seed, purpose));
        let scene = Scene::new(DAWN, Auditor::new(limits(&config)));
        let symbol = |s: &&str| Instrument::us_equity(Symbol::new(s).expect("a symbol"));
        let v = &config.venue;
        let waits = 2 * v.absent_quiet_ms + 2 * v.snapshot_timeout_ms + v.reconcile_interval_ms;
        let converge_ns = (waits + v.ack_timeout_ms + 3 * v.heartbeat_ms) * MS + 5 * S;
        let machine = Machine {
            scene: Rc::clone(&scene),
            net: Net::new(&scene, chaos(10)),
            disk_chaos: Rc::new(RefCell::new(chaos(11))),
            chaos: chaos(12),
            desk: Desk::new(chaos(14)),
            instruments: SYMBOLS[..count].iter().map(symbol).collect(),
            account: sixteen(ACCOUNT),
            epoch: 0,
            last: None,
            latched: false,
            last_epoch: 0,
            cleared_epoch: 0,
            refused: false,
            counters_path: counters_path(),
            config,
        };
        let row_ns = rng.range(10, 60) * MS;
        World {
            scene,
            machine,
            process: None,
            start_at: DAWN,
            broker: Broker::new(&SYMBOLS[..count], ACCOUNT, plan.clone(), seed),
            market: Market::new(count, DAWN + MS, row_ns, chaos(13)),
            parents: draw_parents(&mut rng, count, DAWN),
            calm: false,
            disk_full_until: 0,
            clear_at: u64::MAX,
            next_tick: DAWN,
            stopping: false,
            converge_ns,
        }
    }

    fn now(&self) -> u64 {
        self.scene.borrow().now
    }

    /// Lets time pass until `end`, or until `enough` says so.
    fn run_until(&mut self, end: u64, enough: &mut dyn FnMut(&World) -> bool) {
        while self.now() < end && !self.machine.refused {
            let next = self.next_due().min(end).max(self.now());
            self.scene.borrow_mut().now = next;
            self.happen();
            if enough(self) {
                return;
            }
        }
    }

    fn next_due(&self) -> u64 {
        let process = match &self.process {
            Some(p) => p.next_due(&self.scene),
            None => self.start_at,
        };
        let broker = self.broker.next_due().unwrap_or(u64::MAX);
        let net = self.machine.net.borrow().next_due();
        process.min(broker).min(net).min(self.market.next_due()).min(self.next_tick)
    }

    /// Everything that is due happens.
    fn happen(&mut self) {
        let now = self.now();
        if self.next_tick <= now {
            self.next_tick = now + TICK_NS;
            self.strike_machine(now);
        }
        if self.market.next_due() <= now {
            self.market_row(now);
        }
        self.machine.net.borrow_mut().carry(now, &mut self.broker);
        if self.process.is_none() && self.start_at <= now {
            self.start(now);
        }
        self.commit(now);
        self.work();
        // What the kernel just said may be due at once.
        let now = self.now();
        self.machine.net.borrow_mut().carry(now, &mut self.broker);
    }

    fn start(&mut self, now: u64) {
        self.process = self.machine.start(&self.parents);
        match &self.process {
            Some(p) => p.feed.borrow_mut().records.extend(self.market.hello(now)),
            None => self.start_at = now + self.machine.chaos.rng.range(100, 1_500) * MS,
        }
    }

    fn market_row(&mut self, now: u64) {
        let (instrument, truth, mut records) = self.market.next(now);
        match truth {
            Truth::Quote { bid, ask } => self.broker.on_quote(now, instrument, bid, ask),
            Truth::Trade { px, qty } => self.broker.on_trade(now, instrument, px, qty),
        }
        if self.market.chaos.strikes(Fault::Burst) {
            let rows = self.market.chaos.rng.range(100, 600) as usize;
            records.extend(self.market.burst(now, rows));
        }
        let Some(process) = &self.process else { return };
        let mut feed = process.feed.borrow_mut();
        let mut dropped = false;
        for record in records {
            if feed.records.len() < FEED_SLOTS {
                feed.records.push_back(record);
            } else {
                dropped = true;
            }
        }
        if dropped {
            // What has no room is gone, and the feed says so of every instrument.
            for i in 0..self.machine.instruments.len() {
                let gap = self.market.gap(now, i);
                feed.records.push_back(gap);
            }
        }
    }

    /// Faults of wire, machine and process.
    fn strike_machine(&mut self, now: u64) {
        self.strike_net(now);
        if let Some(process) = &mut self.process {
            process.hear(&mut self.machine.desk, now, &self.machine.config);
        }
        let chaos = &mut self.machine.chaos;
        if chaos.strikes(Fault::ClockStep) {
            let far = chaos.rng.log_range(60 * MS, 20 * S) as i64;
            let step = if chaos.rng.chance(500_000) { far } else { -far };
            self.step_clock(step, true);
        }
        let chaos = &mut self.machine.chaos;
        if chaos.strikes(Fault::ClockJitter) {
            let step = chaos.rng.range(0, 4 * MS) as i64 - 2 * MS as i64;
            self.step_clock(step, false);
        }
        let chaos = &mut self.machine.chaos;
        if chaos.strikes(Fault::DiskFull) {
            self.disk_full_until = now + chaos.rng.log_range(500 * MS, 8 * S);
        }
        if self.clear_at <= now {
            self.clear_kill();
        }
        let full = now < self.disk_full_until;
        if let Some(process) = &self.process {
            process.disk.borrow_mut().set_full(full);
            let chaos = &mut self.machine.chaos;
            if chaos.strikes(Fault::Kill) {
                process.kill();
                self.machine.latched = true;
                if chaos.rng.chance(500_000) {
                    self.clear_at = now + chaos.rng.range(2, 10) * S;
                }
            }
            if chaos.strikes(Fault::Stop) {
                self.stopping = true;
            }
            if chaos.strikes(Fault::Crash) {
                self.crash();
            }
        }
    }

    /// A person has looked, ends the process and re-arms.
    fn clear_kill(&mut self) {
        self.clear_at = u64::MAX;
        self.crash();
        self.machine.latched = false;
        self.machine.cleared_epoch = self.machine.epoch;
        self.scene.borrow_mut().see(&What::KillCleared);
    }

    fn strike_net(&mut self, now: u64) {
        let net = Rc::clone(&self.machine.net);
        let mut net = net.borrow_mut();
        if net.chaos.strikes(Fault::Disconnect) {
            net.cut(now, &mut self.broker);
        }
        if net.chaos.strikes(Fault::NetStall) {
            let until = now + net.chaos.rng.log_range(50 * MS, 4 * S);
            net.stall(until);
        }
        if net.chaos.strikes(Fault::HalfOpen) {
            net.go_half_open();
        }
        if net.chaos.strikes(Fault::BrokerRestart) {
            let until = now + net.chaos.rng.log_range(100 * MS, 5 * S);
            self.broker.restart(now, until);
        }
    }

    fn step_clock(&mut self, step: i64, jump: bool) {
        let mut scene = self.scene.borrow_mut();
        scene.clock_offset += step;
        scene.clock_jumped |= jump;
        if jump {
            scene.see(&What::ClockStep);
        }
    }

    /// Does a commit that is due; the process may die in the middle of it.
    fn commit(&mut self, now: u64) {
        let Some(process) = &self.process else { return };
        if process.journal.borrow().next_due() > now {
            return;
        }
        let dies = self.machine.chaos.strikes(Fault::CrashInFlight);
        if dies && self.machine.chaos.rng.chance(500_000) {
            process.disk.borrow_mut().die_in_sync();
        }
        process.journal.borrow_mut().commit();
        if dies {
            self.crash();
        }
    }

    fn work(&mut self) {
        let Some(process) = &mut self.process else { return };
        let lives = if self.stopping {
            self.stopping = !process.wind_up();
            self.stopping
        } else {
            process.work(&self.scene)
        };
        if !lives {
            // In good order, or because its journal is lost.
            process.journal.borrow_mut().commit();
            self.stopping = false;
            self.crash();
        }
    }

    /// The process is gone, and what the disk had not been told for good may be too.
    fn crash(&mut self) {
        let Some(process) = self.process.take() else { return };
        let now = self.now();
        let Process { disk, .. } = process;
        disk.borrow_mut().crash();
        self.machine.net.borrow_mut().process_died(now);
        self.stopping = false;
        self.start_at = now + self.machine.chaos.rng.range(50, 1_500) * MS;
    }

    fn end_faults(&mut self) {
        let now = self.now();
        self.calm = true;
        self.disk_full_until = 0;
        self.broker.calm(now);
        self.market.chaos.calm();
        self.machine.net.borrow_mut().chaos.calm();
        self.machine.disk_chaos.borrow_mut().calm();
        self.machine.chaos.calm();
        self.machine.desk.chaos.calm();
    }

    fn claim(&self) -> Option<Claim> {
        self.process.as_ref().map(|p| p.claim(self.machine.instruments.len()))
    }

    fn is_converged(&self) -> bool {
        let Some(claim) = self.claim() else { return false };
        // A stop by the kernel itself that waits for a person is an end too, with its alarm.
        let free = claim.blocks & !OPERATOR == 0 && claim.instrument_blocks & LEDGER == 0;
        claim.unknown == 0
            && claim.reconciled
            && !self.broker.has_working_orphan()
            && (free || claim.halted || self.machine.latched)
    }

    fn positions_agree(&self) -> bool {
        self.claim().is_some_and(|c| c.positions == self.broker.books().positions)
    }

    fn state(&self) -> String {
        let broker = &self.broker.books().positions;
        let connected = self.machine.net.borrow().is_connected();
        let claim = self.claim();
        format!("after the faults: broker {broker:?}, connected {connected}, kernel {claim:?}")
    }

    /// Returns the faults of the day by kind, from wherever they struck.
    fn fault_counts(&self) -> Vec<u64> {
        let mut faults = self.broker.fault_counts().to_vec();
        let net = self.machine.net.borrow();
        let disk = self.machine.disk_chaos.borrow();
        for counts in [
            net.chaos.counts(),
            disk.counts(),
            self.market.chaos.counts(),
            self.machine.chaos.counts(),
            self.machine.desk.chaos.counts(),
        ] {
            faults.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
        }
        faults
    }

    /// Ends the day: the kernel cancels what works, the books are compared.
    fn close(mut self, converged_ns: Option<u64>) -> Day {
        let deadline = self.now() + 12 * S;
        self.stopping = true;
        while self.stopping && self.process.is_some() && self.now() < deadline {
            let next = self.next_due().min(deadline).max(self.now());
            self.scene.borrow_mut().now = next;
            let now = self.now();
            self.machine.net.borrow_mut().carry(now, &mut self.broker);
            self.commit(now);
            if self.market.next_due() <= now {
                self.market_row(now);
            }
            if self.next_tick <= now {
                self.next_tick = now + TICK_NS;
            }
            if let Some(process) = &mut self.process
                && process.wind_up()
            {
                self.stopping = false;
            }
        }
        let claim = self.claim().unwrap_or_default();
        let books = self.broker.books();
        books.check();
        let closing = Closing {
            orders: books
                .orders
                .iter()
                .map(|o| BookedOrder { id: o.id, working: o.status == Status::Working })
                .collect(),
            executions: books
                .executions
                .iter()
                .filter(|e| !e.busted)
                .map(|e| BookedExecution { exec_id: e.exec_id })
                .collect(),
            positions: books.positions.clone(),
            kernel_positions: claim.positions,
            kernel_unknown: claim.unknown,
            kernel_working: claim.live,
            kernel_blocks: 0, // judged when the faults had ended
            kernel_halted: claim.halted || claim.blocks & OPERATOR != 0,
            kernel_refuses: self.machine.refused,
        };
        let faults = self.fault_counts();
        let executions = books.executions.len();
        let mut scene = self.scene.borrow_mut();
        let digest = scene.digest();
        let (now, orders) = (scene.now, scene.auditor.sent_count());
        let blank = Auditor::new(limits(&self.machine.config));
        let auditor = std::mem::replace(&mut scene.auditor, blank);
        drop(scene);
        let _ = std::fs::remove_file(&self.machine.counters_path);
        Day {
            violations: auditor.close(now, &closing),
            faults,
            orders,
            executions,
            starts: self.machine.epoch,
            converged_ns,
            halted: closing.kernel_halted,
            digest,
        }
    }
}

/// Returns the true time of `at` as seconds of the day.
pub fn second_of_day(at: u64) -> f64 {
    at.saturating_sub(DAWN) as f64 / S as f64
}
